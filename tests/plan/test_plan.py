"""The plan room: desired x live -> changes, guards, diffs."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model import (
    ClusterName,
    Desired,
    DesiredObject,
    Finding,
    LiveMeta,
    ObjectRef,
    Observation,
    Probe,
    Record,
    Recorded,
    SourceRef,
    Verdict,
)
from reconciler.plan import (
    Action,
    Allowances,
    authorize,
    build_plan,
    compare,
    diff_objects,
    triage,
)
from reconciler.plan.authorize import GuardError, deletion_limit
from reconciler.plan.diff import comparable

ALLOWED = Verdict("sha256:gate", 3)


def ref(name: str) -> ObjectRef:
    return ObjectRef("", "ConfigMap", "shop", name)


def body(name: str, value: str = "1", **metadata: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "shop", **metadata},
        "data": {"key": value},
    }


def item(name: str, value: str = "1", path: str = "policies/manifests/a.yaml") -> DesiredObject:
    content = orjson.dumps(body(name, value), option=orjson.OPT_SORT_KEYS)
    return DesiredObject(ref(name), "v1", f"sha256:{name}{value}", content, SourceRef(path, 1))


def desired(*items: DesiredObject) -> Desired:
    digest = "sha256:" + "+".join(i.digest for i in items)
    return Desired(ClusterName("member-a"), tuple(sorted(items, key=lambda i: i.ref)), digest)


def live(name: str, version: str = "7") -> LiveMeta:
    return LiveMeta(f"uid-{name}", version, f"sha256:{name}1")


def record(wanted: Desired, version: str = "7") -> Record:
    objects = {i.ref: Recorded(i.digest, f"uid-{i.ref.name}", version) for i in wanted.objects}
    return Record("uid", "c0ffee", wanted.digest, "sha256:set", 3, 1, objects)


def observe(rec: Record | None, metas: dict[ObjectRef, LiveMeta], **probes: Probe) -> Observation:
    return Observation("uid", rec, metas, {ref(name): probe for name, probe in probes.items()}, 1)


def test_what_the_record_proves_is_kept_without_a_look() -> None:
    wanted = desired(item("a"), item("b"))
    metas = {ref("a"): live("a"), ref("b"): live("b")}
    assert triage(wanted, record(wanted), metas) == ()
    plan = build_plan(wanted, observe(record(wanted), metas))
    assert (plan.changes, plan.kept, plan.stale_record) == ((), 2, False)


@pytest.mark.parametrize(
    "meta",
    [live("a", "8"), LiveMeta("another-uid", "7", "sha256:a1")],
    ids=["newer resourceVersion", "another uid"],
)
def test_whatever_differs_from_the_record_is_looked_at(meta: LiveMeta) -> None:
    wanted = desired(item("a"))
    assert triage(wanted, record(wanted), {ref("a"): meta}) == (ref("a"),)


def test_a_deep_check_looks_at_everything() -> None:
    wanted = desired(item("a"))
    assert triage(wanted, record(wanted), {ref("a"): live("a")}, deep=True) == (ref("a"),)


def test_a_changed_document_is_looked_at_and_updated() -> None:
    old, new = desired(item("a")), desired(item("a", "2"))
    metas = {ref("a"): live("a")}
    assert triage(new, record(old), metas) == (ref("a"),)
    probe = Probe(body("a", resourceVersion="9", uid="uid-a"), body("a", "2"))
    (change,) = build_plan(new, observe(record(old), metas, a=probe)).changes
    assert (change.action, change.reason, change.drift) == (Action.UPDATE, "changed", False)
    assert [(f.path, f.before, f.after) for f in change.fields] == [(".data.key", "1", "2")]
    assert (change.uid, change.resource_version) == ("uid-a", "9"), "the newest look counts"


def test_somebody_elses_change_is_drift() -> None:
    wanted = desired(item("a"))
    metas = {ref("a"): live("a", "8")}
    probe = Probe(body("a", "hacked"), body("a"))
    (change,) = build_plan(wanted, observe(record(wanted), metas, a=probe)).changes
    assert change.drift
    assert change.reason == "changed by someone else"


def test_a_new_resource_version_without_a_change_only_ages_the_record() -> None:
    wanted = desired(item("a"))
    probe = Probe(body("a", resourceVersion="8"), body("a", resourceVersion="8"))
    plan = build_plan(wanted, observe(record(wanted), {ref("a"): live("a", "8")}, a=probe))
    assert (plan.changes, plan.kept, plan.stale_record) == ((), 1, True)


def test_deleted_by_hand_is_created_again_as_drift() -> None:
    wanted = desired(item("a"))
    (change,) = build_plan(wanted, observe(record(wanted), {})).changes
    assert (change.action, change.drift) == (Action.CREATE, True)


def test_what_is_no_longer_desired_is_deleted_with_its_preconditions() -> None:
    old = desired(item("a"), item("b"))
    metas = {ref("a"): live("a"), ref("b"): live("b")}
    (change,) = build_plan(desired(item("a")), observe(record(old), metas)).changes
    assert (change.action, change.ref) == (Action.DELETE, ref("b"))
    assert (change.uid, change.resource_version, change.before) == ("uid-b", "7", "sha256:b1")


def test_an_unlabelled_object_is_taken_over_visibly() -> None:
    probe = Probe(body("a", "theirs"), body("a"))
    (change,) = build_plan(desired(item("a")), observe(None, {}, a=probe)).changes
    assert (change.action, change.reason) == (Action.UPDATE, "exists, taken over")


@pytest.mark.parametrize(
    ("probe", "action", "code"),
    [
        (Probe(body("a"), None, conflict="kubectl owns .data.key"), Action.CONFLICT, "FW1603"),
        (Probe(None, None, error="spec.x: unknown field"), Action.REFUSED, "FW1604"),
    ],
)
def test_a_blocked_object_blocks_the_plan(probe: Probe, action: Action, code: str) -> None:
    plan = build_plan(desired(item("a")), observe(None, {ref("a"): live("a")}, a=probe))
    assert [change.action for change in plan.changes] == [action]
    with pytest.raises(GuardError) as refused:
        authorize(plan, ALLOWED, max_deletions=5)
    assert [finding.code for finding in refused.value.findings] == [code]


def test_the_cap_on_deletions() -> None:
    old = desired(*(item(f"x{n}") for n in range(20)))
    metas = {i.ref: live(i.ref.name) for i in old.objects}
    plan = build_plan(desired(*old.objects[:10]), observe(record(old), metas))
    with pytest.raises(GuardError, match="FW1601"):
        authorize(plan, ALLOWED, max_deletions="10%")
    assert authorize(plan, ALLOWED, max_deletions=10).plan is plan
    assert authorize(plan, ALLOWED, max_deletions=1, allow=Allowances(deletions=True)).plan is plan


@pytest.mark.parametrize(
    ("setting", "objects", "limit"),
    [("10%", 49, 5), ("10%", 60, 6), ("100%", 60, 60), (0, 60, 0), (7, 1, 7)],
)
def test_deletion_limit(setting: int | str, objects: int, limit: int) -> None:
    assert deletion_limit(setting, objects) == limit


def test_an_empty_desired_state_needs_a_word() -> None:
    guard = item("guard", path="fleetward:guard")
    metas = {ref("a"): live("a"), ref("guard"): live("guard")}
    old = desired(item("a"), guard)
    plan = build_plan(desired(guard), observe(record(old), metas))
    with pytest.raises(GuardError, match="FW1602"):
        authorize(plan, ALLOWED, max_deletions=5)
    assert authorize(plan, ALLOWED, max_deletions=5, allow=Allowances(empty=True))


def test_no_verdict_is_a_refusal_and_all_guards_speak_at_once() -> None:
    old = desired(*(item(f"x{n}") for n in range(9)))
    metas = {i.ref: live(i.ref.name) for i in old.objects}
    plan = build_plan(desired(), observe(record(old), metas))
    with pytest.raises(GuardError) as refused:
        authorize(plan, Verdict("sha256:gate", 0), max_deletions=1)
    assert [f.code for f in refused.value.findings] == ["FW1601", "FW1602", "FW1605"]
    denied = Verdict("sha256:gate", 1, (Finding("FW1510", "no"),))
    with pytest.raises(GuardError, match="FW1510 no"):
        authorize(compare(desired(), desired()), denied, max_deletions=1)


def test_compare_needs_no_cluster() -> None:
    plan = compare(desired(item("a"), item("b")), desired(item("a", "2"), item("c")))
    assert [(c.action, c.ref.name) for c in plan.changes] == [
        (Action.UPDATE, "a"),
        (Action.DELETE, "b"),
        (Action.CREATE, "c"),
    ]
    assert plan.counts == {"create": 1, "update": 1, "delete": 1, "conflict": 0, "refused": 0, "keep": 0}


def test_secret_values_never_show() -> None:
    def secret(value: str) -> dict[str, object]:
        return {"kind": "Secret", "metadata": {"name": "s"}, "data": {"password": value}}

    (change,) = diff_objects(secret("b2xk"), secret("bmV3"))
    assert (change.path, change.before, change.after) == (".data.password", "(sensitive)", "(sensitive)")
    assert "bmV3" not in str(diff_objects(None, secret("bmV3")))


def test_named_items_are_compared_by_name() -> None:
    old = {"spec": {"ports": [{"name": "http", "port": 80}]}}
    new = {"spec": {"ports": [{"name": "admin", "port": 9}, {"name": "http", "port": 80}]}}
    assert [f.path for f in diff_objects(old, new)] == ['.spec.ports[name="admin"]']


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=3), st.dictionaries(st.text(max_size=3), JSON))
def test_a_diff_is_empty_exactly_when_nothing_comparable_differs(old: dict, new: dict) -> None:
    old.pop("metadata", None), new.pop("metadata", None)
    same = orjson.dumps(_no_nulls(comparable(old)), option=orjson.OPT_SORT_KEYS) == orjson.dumps(
        _no_nulls(comparable(new)), option=orjson.OPT_SORT_KEYS
    )
    assert (diff_objects(old, new) == ()) == same


def _no_nulls(value: object) -> object:
    # An absent field and a null one are the same to Kubernetes.
    if isinstance(value, dict):
        return {k: _no_nulls(v) for k, v in value.items() if v is not None}
    return value
