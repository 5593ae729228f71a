"""What it takes for a member to leave, without a cluster."""

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model import LiveMeta, ObjectRef, Observation, Record, Recorded
from reconciler.plan import Action, leaving_plan

GUARD = ObjectRef("admissionregistration.k8s.io", "ValidatingAdmissionPolicy", "", "fleetward-guard")
SPACE = ObjectRef("", "Namespace", "", "shop")
MAP = ObjectRef("", "ConfigMap", "shop", "prices")
DIGEST = f"sha256:{'1' * 64}"


def seen(*refs: ObjectRef) -> Observation:
    live = {ref: LiveMeta(f"uid-{ref.name}", "7", DIGEST) for ref in refs}
    recorded = {ref: Recorded(DIGEST, meta.uid, "7") for ref, meta in live.items()}
    record = Record("uid", "0" * 40, DIGEST, DIGEST, 1, 1, recorded)
    return Observation("uid", record, live, {}, 0)


def actions(**options: object) -> dict[ObjectRef, Action]:
    plan = leaving_plan("a", seen(GUARD, SPACE, MAP), guard={GUARD}, **options)  # type: ignore[arg-type]
    return {change.ref: change.action for change in plan.changes}


def test_everything_is_deleted_or_all_but_the_guard_released():
    assert set(actions(keep=False).values()) == {Action.DELETE}
    assert actions(keep=True) == {GUARD: Action.DELETE, SPACE: Action.RELEASE, MAP: Action.RELEASE}


def test_a_namespace_that_others_use_is_released():
    found = actions(keep=False, occupied={"shop": "ConfigMap shop/own"})
    assert found == {GUARD: Action.DELETE, SPACE: Action.RELEASE, MAP: Action.DELETE}


def test_counts_name_releases_only_where_there_are_any():
    plan = leaving_plan("a", seen(MAP), guard=(), keep=False)
    assert "release" not in plan.counts
    assert leaving_plan("a", seen(MAP), guard=(), keep=True).counts["release"] == 1


@given(st.sets(st.sampled_from((GUARD, SPACE, MAP))), st.booleans(), st.booleans())
def test_each_object_of_ours_is_named_once_and_nothing_is_made(refs, keep, occupied):
    spaces = {"shop": "x"} if occupied else {}
    plan = leaving_plan("a", seen(*refs), guard={GUARD}, keep=keep, occupied=spaces)
    assert {change.ref for change in plan.changes} == refs
    assert len(plan.changes) == len(refs)
    assert {change.action for change in plan.changes} <= {Action.DELETE, Action.RELEASE}
    assert all(change.uid and change.resource_version and not change.after for change in plan.changes)
