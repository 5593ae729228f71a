"""A member's own audit log beside ours: what is matched, what is missing, who else wrote, what is no log."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from audit_helpers import UNHURRIED, accepted, commit, intent, open_log, trust
from hypothesis import given
from hypothesis import strategies as st

from reconciler.audit import codes
from reconciler.audit.codes import KubeAuditError
from reconciler.audit.entry import Outcome, OutcomeResult, digest_of
from reconciler.audit.kube_audit import MAX_LINE, read_events
from reconciler.audit.kube_event import BadLine, KubeEvent, Place, parse_line
from reconciler.audit.log import Log
from reconciler.errors import SettingsError
from reconciler.member.guard import guard_objects
from reconciler.model import RECONCILER_USER, ObjectOutcome, ObjectRef, ObjectResult, Severity
from reconciler.pipeline.claims import SKEW
from reconciler.pipeline.foreign import CONTROL_PLANE, CONTROL_PLANE_GROUP, NODES
from reconciler.pipeline.joined import Joined, JoinFinding
from reconciler.pipeline.joining import MAX_FINDINGS, join
from reconciler.surfaces.formats import joins
from reconciler.trust.changeset import Change, ChangeAction, ChangeSet, sign_change_set
from reconciler.trust.keys import ReconcilerKey

SETTINGS = ObjectRef("", "ConfigMap", "shop", "settings")
VIEWER = ObjectRef("rbac.authorization.k8s.io", "ClusterRole", "", "viewer")
WIDGET = ObjectRef("parts.example", "Widget", "shop", "a")
SPACE = ObjectRef("", "Namespace", "", "shop")
MAPS, ROLES = ("", "configmaps"), ("rbac.authorization.k8s.io", "clusterroles")
START = datetime(2026, 1, 1, tzinfo=UTC)
OLD, NEW = "sha256:" + "0" * 64, "sha256:" + "1" * 64
A_MINUTE = timedelta(minutes=1)


def envelope(sequence: int, changes: Sequence[tuple[ObjectRef, str]]) -> bytes:
    made = tuple(
        Change(
            ref, ChangeAction(action), "" if action == "create" else OLD,
            "" if action == "delete" else NEW, "",
        )
        for ref, action in changes
    )  # fmt: skip
    previous = OLD if sequence > 1 else ""
    change_set = ChangeSet(
        "member-a", "uid-member-a", "https://forge.example/fleet.git", "refs/heads/main", commit(2),
        commit(3), OLD, 12, True, sequence, previous, "2026-01-01T00:00:00Z", OLD, OLD, made,
    )  # fmt: skip
    return sign_change_set(change_set, ReconcilerKey.from_seed(bytes(32))).envelope


class World:
    """Our log, whose clock a test sets, and the member's, line by line."""

    def __init__(self, root: Path) -> None:
        self.now = START
        self.log: Log = open_log(root / "log", clock=lambda: self.now)
        self.file = root / "audit.log"
        self.lines: list[bytes] = []
        self.sequence = 0
        self.log.append([trust(), accepted(2, 1)])
        self.event("get", MAPS, "", "x", user="ann", at=-A_MINUTE)

    def intent(self, *changes: tuple[ObjectRef, str]) -> int:
        self.sequence += 1
        body = envelope(self.sequence, changes)
        (index,) = self.log.append([intent("member-a", self.sequence, body, 2)], {digest_of(body): body})
        return index

    def outcome(
        self, index: int, *outcomes: ObjectOutcome, result: OutcomeResult = OutcomeResult.APPLIED
    ) -> None:
        self.now += timedelta(seconds=10)
        entry, bodies = Outcome.of(
            actor="ci", cluster="member-a", intent=index, result=result, outcomes=outcomes
        )
        self.log.append([entry], bodies)

    def run(self, *outcomes: ObjectOutcome) -> None:
        """A change set that was applied; the clock stands at its outcome, ten seconds after its intent."""
        actions = {ObjectResult.CREATED: "create", ObjectResult.DELETED: "delete"}
        self.outcome(self.intent(*((x.ref, actions.get(x.result, "update")) for x in outcomes)), *outcomes)

    def event(
        self, verb: str, resource: tuple[str, str], namespace: str, name: str, *, user: str = RECONCILER_USER,
        audit_id: str = "theirs", code: int = 200, at: timedelta = -timedelta(seconds=5), sub: str = "",
        query: str = "", impersonated: str = "", groups: Sequence[str] = (), **more: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """One event; ``at`` counts from now."""
        time = (self.now + at).isoformat(timespec="microseconds").replace("+00:00", "Z")
        ref = {"resource": resource[1], "namespace": namespace, "name": name, "apiVersion": "v1"}
        ref |= {"apiGroup": resource[0]} if resource[0] else {}
        ref |= {"subresource": sub} if sub else {}
        made: dict[str, Any] = {
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": audit_id,
            "stage": "ResponseComplete", "requestURI": f"/api{query}", "verb": verb,
            "user": {"username": user, "groups": list(groups)}, "sourceIPs": ["192.0.2.7"],
            "userAgent": "kubectl/v1.36", "objectRef": ref, "responseStatus": {"code": code},
            "requestReceivedTimestamp": time, "stageTimestamp": time, **more,
        }  # fmt: skip
        if impersonated:
            made["impersonatedUser"] = {"username": impersonated}
        self.lines.append(json.dumps(made).encode())
        return made

    def join(self, *, until: timedelta = A_MINUTE, user: str = RECONCILER_USER) -> Joined:
        """The join; the file ends with an event ``until`` after now."""
        self.event("get", MAPS, "", "x", user="ann", at=until)
        self.file.write_bytes(b"\n".join([*self.lines, b""]))
        return join(self.log, [self.file], cluster="member-a", user=user)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def created(ref: ObjectRef, audit_id: str) -> ObjectOutcome:
    return ObjectOutcome(ref, ObjectResult.CREATED, "uid", "1", NEW, audit_id)


def deleted(ref: ObjectRef, audit_id: str) -> ObjectOutcome:
    return ObjectOutcome(ref, ObjectResult.DELETED, "uid", audit_id=audit_id)


def codes_of(joined: Joined) -> list[str]:
    return [finding.code for finding in joined.findings]


def one(joined: Joined) -> JoinFinding:
    (finding,) = joined.findings
    return finding


def federated(world: World) -> None:
    """ConfigMap and ClusterRole, written by us and found in both logs; a minute passes."""
    world.run(created(SETTINGS, "a1"), created(VIEWER, "a2"))
    world.event("patch", MAPS, "shop", "settings", audit_id="a1", code=201)
    world.event("patch", ROLES, "", "viewer", audit_id="a2", code=201)
    world.now += A_MINUTE


def test_writes_that_are_in_both_logs_are_matched(world: World) -> None:
    federated(world)
    joined = world.join()
    assert (joined.matched, joined.share, joined.ok, joined.findings) == (2, 1.0, True, ())
    assert (joined.events, joined.writes) == (4, 2)


def test_a_write_that_their_log_does_not_have_is_missing(world: World) -> None:
    world.run(created(SETTINGS, "a1"), created(VIEWER, "a2"))
    world.event("patch", MAPS, "shop", "settings", audit_id="a1", code=201)
    joined = world.join()
    assert (joined.matched, joined.missing, joined.share, joined.ok) == (1, 1, 0.5, False)
    finding = one(joined)
    assert (finding.code, finding.object) == (codes.WRITE_MISSING, VIEWER)
    assert finding.claim
    assert (finding.claim.audit_id, finding.claim.intent, finding.claim.outcome) == ("a2", 2, 3)


@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_write_outside_of_the_file_is_not_looked_for(world: World, cut: str) -> None:
    world.run(created(SETTINGS, "a1"))
    if cut == "before":  # the file begins after the intent
        world.lines.clear()
        world.event("get", MAPS, "", "x", user="ann", at=-timedelta(seconds=9))
        joined = world.join()
    else:  # and ends before the outcome
        joined = world.join(until=-timedelta(seconds=1))
    assert (joined.missing, joined.not_covered, joined.share, joined.ok) == (0, 1, None, True)


def test_the_gap_between_two_files_is_not_covered(world: World, tmp_path: Path) -> None:
    world.run(created(SETTINGS, "a1"))
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_bytes(world.lines[0])
    world.lines.clear()
    world.event("get", MAPS, "", "x", at=A_MINUTE)
    second.write_bytes(world.lines[0])
    assert join(world.log, [first, second], cluster="member-a").not_covered == 1
    second.write_bytes(first.read_bytes() + b"\n" + second.read_bytes())
    assert join(world.log, [second], cluster="member-a").missing == 1


def test_a_deletion_of_what_is_gone_is_matched(world: World) -> None:
    federated(world)
    world.run(deleted(SETTINGS, "a3"), deleted(VIEWER, "a4"))
    world.event("delete", MAPS, "shop", "settings", audit_id="a3")
    world.event("delete", ROLES, "", "viewer", audit_id="a4", code=404)
    joined = world.join()
    assert (joined.matched, joined.findings) == (4, ())


def test_a_retry_that_was_refused_first_is_one_write(world: World) -> None:
    world.run(created(SETTINGS, "a1"))
    world.event("patch", MAPS, "shop", "settings", audit_id="a1", code=429)
    world.event("patch", MAPS, "shop", "settings", audit_id="a1", code=201)
    world.event("patch", MAPS, "shop", "settings", audit_id="other-try", code=409)
    joined = world.join()
    assert (joined.matched, joined.share, joined.refused, joined.findings) == (1, 1.0, 2, ())


@pytest.mark.parametrize("code", [0, 500, 504])
def test_a_write_whose_connection_broke_is_matched_if_our_outcome_proves_it(world: World, code: int) -> None:
    world.run(created(SETTINGS, "a1"))
    world.event("patch", MAPS, "shop", "settings", audit_id="a1", code=409)
    assert codes_of(world.join()) == [codes.WRITE_MISSING], "refused, and yet written"
    world.event("patch", MAPS, "shop", "settings", audit_id="a1", code=code)
    joined = world.join()
    assert (joined.matched, joined.share, joined.findings) == (1, 1.0, ())


def test_a_write_whose_connection_broke_and_that_we_call_failed_is_not_matched(world: World) -> None:
    world.run(ObjectOutcome(SETTINGS, ObjectResult.FAILED, audit_id="a1", error="FW1702: no answer in time"))
    world.event("patch", MAPS, "shop", "settings", audit_id="a1", code=504)
    joined = world.join()
    assert (joined.matched, joined.missing, joined.refused, joined.ok) == (0, 0, 1, True)


REUSED: dict[str, Callable[[World], object]] = {
    "user": lambda w: w.event("patch", MAPS, "shop", "settings", audit_id="a1", user="mallory"),
    "impersonation": lambda w: w.event(
        "patch", MAPS, "shop", "settings", audit_id="a1", user="mallory", impersonated=RECONCILER_USER
    ),
    "object": lambda w: w.event("patch", MAPS, "shop", "secret-settings", audit_id="a1"),
    "namespace": lambda w: w.event("patch", MAPS, "web", "settings", audit_id="a1"),
    "resource": lambda w: w.event("patch", ("", "secrets"), "shop", "settings", audit_id="a1"),
    "subresource": lambda w: w.event("patch", MAPS, "shop", "settings", audit_id="a1", sub="status"),
    "verb": lambda w: w.event("delete", MAPS, "shop", "settings", audit_id="a1"),
    "time": lambda w: w.event(
        "patch", MAPS, "shop", "settings", audit_id="a1", at=SKEW + timedelta(seconds=1)
    ),
}


@pytest.mark.parametrize("what", REUSED)
def test_an_audit_id_of_ours_on_another_request_matches_nothing(world: World, what: str) -> None:
    world.run(created(SETTINGS, "a1"))
    REUSED[what](world)
    joined = world.join(until=timedelta(hours=1))
    assert joined.matched == 0
    assert set(codes_of(joined)) == {codes.AUDIT_ID_REUSED, codes.WRITE_MISSING}
    assert joined.unexplained == (what not in ("user", "impersonation")), "ours, but not this one"
    assert not joined.ok


def test_a_write_by_our_user_that_nothing_explains(world: World) -> None:
    federated(world)
    world.event("create", ("", "secrets"), "kube-system", "loot")
    joined = world.join()
    assert (one(joined).code, joined.unexplained, joined.ok) == (codes.WRITE_UNEXPLAINED, 1, False)
    assert joined.share == 2 / 3


def test_reviews_dry_runs_reads_and_early_stages_are_no_writes(world: World) -> None:
    federated(world)
    world.event("create", ("authentication.k8s.io", "selfsubjectreviews"), "", "")
    world.event("patch", MAPS, "shop", "settings", query="?fieldManager=x&dryRun=All")
    world.event("get", MAPS, "shop", "settings")
    world.event("patch", MAPS, "shop", "settings", stage="RequestReceived")
    joined = world.join()
    assert (joined.writes, joined.findings) == (2, ())


def test_the_record_is_written_without_an_audit_id_and_by_nobody_else(world: World) -> None:
    federated(world)
    world.event("update", MAPS, "federation-system", "fleetward")
    world.event("create", MAPS, "federation-system", f"fleetward-record-{'0' * 64}")
    joined = world.join()
    assert (joined.record_writes, joined.findings) == (2, ())
    world.event("update", MAPS, "federation-system", "fleetward", user="mallory")
    assert one(world.join()).code == codes.WRITE_BY_OTHERS


@pytest.mark.parametrize("code", [409, 504])
def test_a_write_of_the_record_that_failed_is_explained_by_a_run(world: World, code: int) -> None:
    federated(world)
    late = timedelta(seconds=-65)  # in the run
    world.event("update", MAPS, "federation-system", "fleetward", code=code, at=late)
    joined = world.join()
    assert (joined.refused, joined.record_writes, joined.findings) == (1, 0, ())
    world.now += 2 * SKEW
    world.event("update", MAPS, "federation-system", "fleetward", code=code)
    assert one(world.join()).code == codes.WRITE_REFUSED, "no run was under way"


def test_an_interrupted_run_explains_its_objects_and_no_others(world: World) -> None:
    index = world.intent((SETTINGS, "create"))
    world.event("patch", MAPS, "shop", "settings", audit_id="lost-1")
    world.event("patch", ROLES, "", "viewer", audit_id="lost-2")
    for settled in (False, True):  # also after the next run has settled it
        if settled:
            world.outcome(index, result=OutcomeResult.INTERRUPTED)
        joined = world.join()
        assert sorted(codes_of(joined)) == [codes.WRITE_UNEXPLAINED, codes.WRITE_UNPROVEN]
        assert (joined.unproven, joined.unexplained, joined.share) == (1, 1, 0.0)
    world.now += 2 * SKEW
    world.event("patch", MAPS, "shop", "settings", audit_id="late")
    assert codes_of(world.join()).count(codes.WRITE_UNEXPLAINED) == 2


def test_a_write_whose_answer_was_lost_is_explained_by_its_failure(world: World) -> None:
    failed = ObjectOutcome(SETTINGS, ObjectResult.FAILED, error="FW1702: no answer in time")
    world.run(failed)
    world.event("patch", MAPS, "shop", "settings", audit_id="lost", code=201)
    joined = world.join()
    assert (codes_of(joined), joined.ok) == ([codes.WRITE_UNPROVEN], True)


def test_a_failure_with_its_audit_id_is_matched_when_it_got_through(world: World) -> None:
    world.run(ObjectOutcome(SETTINGS, ObjectResult.FAILED, audit_id="a1", error="FW1702: no answer in time"))
    joined = world.join()
    assert (joined.missing, joined.findings) == (0, ()), "nobody says that it was written"
    world.event("patch", MAPS, "shop", "settings", audit_id="a1", code=201)
    assert world.join().matched == 1


@pytest.mark.parametrize("verb", ["create", "update", "patch", "delete"])
def test_a_write_to_a_federated_object_by_somebody_else(world: World, verb: str) -> None:
    federated(world)
    world.event(verb, MAPS, "shop", "settings", user="ann", groups=["system:masters"])
    finding = one(world.join())
    assert (finding.code, finding.severity, finding.object) == (
        codes.WRITE_BY_OTHERS, Severity.ERROR, SETTINGS,
    )  # fmt: skip
    assert finding.event
    assert (finding.event.user, finding.event.verb, finding.event.code) == ("ann", verb, 200)
    assert (finding.event.agent, finding.event.addresses) == ("kubectl/v1.36", ("192.0.2.7",))
    assert finding.place == f"{world.file}:4"


def test_what_is_not_federated_or_not_yet_or_no_more_is_nobodys_concern(world: World) -> None:
    world.event("create", MAPS, "shop", "settings", user="ann")  # before
    world.now += A_MINUTE
    federated(world)
    world.event("patch", MAPS, "shop", "other", user="ann")
    world.event("patch", ("", "secrets"), "shop", "settings", user="ann")  # another kind of that name
    world.run(deleted(SETTINGS, "a3"))
    world.event("delete", MAPS, "shop", "settings", audit_id="a3")
    world.now += A_MINUTE
    world.event("create", MAPS, "shop", "settings", user="ann")  # after
    assert world.join().findings == ()


def test_an_object_that_is_federated_again_is_watched_again(world: World) -> None:
    federated(world)
    world.run(deleted(SETTINGS, "a3"))
    world.event("delete", MAPS, "shop", "settings", audit_id="a3")
    world.now += A_MINUTE
    world.run(created(SETTINGS, "a5"))
    world.event("patch", MAPS, "shop", "settings", audit_id="a5")
    world.now += A_MINUTE
    world.event("patch", MAPS, "shop", "settings", user="ann")
    assert codes_of(world.join()) == [codes.WRITE_BY_OTHERS]


def test_a_refused_write_is_shown_and_is_no_error(world: World) -> None:
    federated(world)
    world.event("patch", MAPS, "shop", "settings", user="ann", code=403)
    world.event("create", ("", "secrets"), "kube-system", "loot", code=403)
    joined = world.join()
    assert codes_of(joined) == [codes.WRITE_REFUSED] * 2
    assert (joined.ok, joined.share) == (True, 1.0)
    world.event("patch", MAPS, "shop", "settings", user="ann", code=504)
    assert "may have been done" in world.join().findings[-1].message


def test_impersonating_us_is_a_finding_and_hides_nothing(world: World) -> None:
    federated(world)
    world.event("patch", MAPS, "shop", "settings", user="mallory", impersonated=RECONCILER_USER)
    world.event("update", MAPS, "federation-system", "fleetward", user="m", impersonated=RECONCILER_USER)
    joined = world.join()
    assert codes_of(joined) == [codes.IMPERSONATED] * 2
    assert (joined.unexplained, joined.record_writes) == (2, 0)


def test_the_control_plane_is_counted_by_name_and_cannot_be_impersonated(world: World) -> None:
    federated(world)
    controller = "system:serviceaccount:kube-system:clusterrole-aggregation-controller"
    world.event("patch", ROLES, "", "viewer", user=controller, groups=[CONTROL_PLANE_GROUP])
    world.event("delete", MAPS, "shop", "settings", user="system:node:n1", groups=[NODES])
    joined = world.join()
    assert (joined.control_plane, joined.findings) == ({controller: 1, "system:node:n1": 1}, ())
    world.event("patch", MAPS, "shop", "settings", user="system:node:n1", groups=[NODES])
    world.event("patch", ROLES, "", "viewer", user="mallory", impersonated=controller, groups=[])
    world.event(
        "patch", ROLES, "", "viewer", user=controller, groups=[CONTROL_PLANE_GROUP], impersonated="mallory"
    )
    assert codes_of(world.join()) == [codes.WRITE_BY_OTHERS] * 3


def test_the_control_plane_is_whom_the_guard_lets_through() -> None:
    policy = guard_objects(RECONCILER_USER)[0]
    expression = policy["spec"]["validations"][0]["expression"]
    assert set(re.findall("[\"']([a-z:-]+:[a-z:-]+)[\"']", expression)) == {
        *CONTROL_PLANE, CONTROL_PLANE_GROUP, NODES, RECONCILER_USER,
    }  # fmt: skip


@pytest.mark.parametrize(("sub", "found"), [("status", 0), ("token", 0), ("scale", 1), ("finalize", 1)])
def test_only_subresources_that_change_the_object_count(world: World, sub: str, found: int) -> None:
    federated(world)
    world.event("update", MAPS, "shop", "settings", user="ann", sub=sub)
    assert len(world.join().findings) == found


def test_a_namespace_a_definition_and_a_collection_take_objects_along(world: World) -> None:
    federated(world)
    world.run(created(WIDGET, "a7"))
    world.event("patch", ("parts.example", "widgets"), "shop", "a", audit_id="a7")
    world.now += A_MINUTE
    definitions = ("apiextensions.k8s.io", "customresourcedefinitions")
    for target in ("widgets.parts.example", "gadgets.parts.example", "widgets.other.example"):
        world.event("delete", definitions, "", target, user="ann")
    for space in ("shop", "web"):  # the API server notes a namespace as lying in itself
        world.event("delete", ("", "namespaces"), space, space, user="ann")
        world.event("deletecollection", MAPS, space, "", user="ann")
        world.event("patch", ("", "namespaces"), space, space, user="ann")
    world.event("deletecollection", ROLES, "", "", user="ann")
    found = [(str(x.event.target), x.object) for x in world.join().findings if x.event]
    assert found == [
        ("customresourcedefinitions.apiextensions.k8s.io widgets.parts.example", WIDGET),
        ("namespaces shop", SETTINGS),
        ("configmaps shop/", SETTINGS),
        ("clusterroles.rbac.authorization.k8s.io", VIEWER),
    ]


def test_a_federated_namespace_is_an_object_like_others(world: World) -> None:
    world.run(created(SPACE, "a1"))
    world.event("patch", ("", "namespaces"), "shop", "shop", audit_id="a1")
    world.now += A_MINUTE
    world.event("patch", ("", "namespaces"), "shop", "shop", user="ann")
    joined = world.join()
    assert (joined.matched, one(joined).object) == (1, SPACE)


def test_a_custom_resource_with_a_plural_of_its_own_is_learned_from_our_writes(world: World) -> None:
    world.run(created(WIDGET, "a1"))
    world.now += A_MINUTE
    world.event("patch", ("parts.example", "widgetry"), "shop", "a", user="ann")  # before it is known
    assert codes_of(world.join()) == [codes.WRITE_MISSING]
    world.event("patch", ("parts.example", "widgetry"), "shop", "a", audit_id="a1", at=-A_MINUTE)
    assert codes_of(world.join()) == [codes.WRITE_BY_OTHERS]


def test_the_kind_that_an_event_states_is_believed_before_any_rule(world: World) -> None:
    world.run(created(WIDGET, "a1"))
    world.event("patch", ("parts.example", "widgetry"), "shop", "a", audit_id="a1")
    world.now += A_MINUTE
    gadget, widget = ({"requestObject": {"kind": kind}} for kind in ("Gadget", "Widget"))
    world.event("patch", ("parts.example", "widgets"), "shop", "a", user="ann", **gadget)
    assert world.join().findings == ()
    world.event("patch", ("parts.example", "whatever"), "shop", "a", user="ann", **widget)
    assert codes_of(world.join()) == [codes.WRITE_BY_OTHERS]


def test_a_deletion_is_no_dry_run_because_its_query_says_so(world: World) -> None:
    """The API server reads the options of a deletion from its body, and the query only without one."""
    federated(world)
    world.event("delete", MAPS, "shop", "settings", user="ann", query="?dryRun=All")
    assert codes_of(world.join()) == [codes.WRITE_BY_OTHERS]


def test_a_deletion_whose_body_says_dry_run_is_none(world: World) -> None:
    federated(world)
    body = {"kind": "DeleteOptions", "dryRun": ["All"]}
    world.event("delete", MAPS, "shop", "settings", user="ann", requestObject=body)
    assert world.join().findings == ()


def test_the_same_line_in_two_files_is_one_write(world: World) -> None:
    federated(world)
    world.event("patch", MAPS, "shop", "settings", user="ann")
    world.event("create", ("", "secrets"), "kube-system", "loot")
    world.join()
    twice = join(world.log, [world.file, world.file], cluster="member-a")
    assert sorted(codes_of(twice)) == [codes.WRITE_UNEXPLAINED, codes.WRITE_BY_OTHERS]
    assert (twice.unexplained, twice.matched) == (1, 2)


def test_findings_are_bounded_and_what_is_beyond_is_still_an_error(world: World) -> None:
    federated(world)
    for n in range(MAX_FINDINGS + 5):
        world.event("patch", MAPS, "shop", "settings", user="ann", audit_id=f"x{n}")
    joined = world.join()
    assert (len(joined.findings), joined.dropped, joined.ok) == (MAX_FINDINGS, 5, False)
    world.lines = [line.replace(b'"code": 200', b'"code": 403') for line in world.lines]
    assert not world.join().ok, "what was not looked at may be anything"


def test_another_user_name_is_ours_when_the_registration_says_so(world: World) -> None:
    world.run(created(SETTINGS, "a1"))
    world.event("patch", MAPS, "shop", "settings", audit_id="a1", user="robot")
    assert world.join(user="robot").ok
    assert not world.join().ok


def test_a_cluster_that_the_log_never_saw_is_an_error_and_no_empty_answer(world: World) -> None:
    federated(world)
    world.join()
    with pytest.raises(SettingsError, match="member-a"):
        join(world.log, [world.file], cluster="member-x")


def test_a_bad_line_is_a_finding_with_its_place_and_the_rest_is_joined(world: World) -> None:
    federated(world)
    world.lines.insert(1, b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":')
    world.lines.insert(2, b"")
    joined = world.join()
    finding = one(joined)
    assert (finding.code, finding.place, joined.ok) == (codes.KUBE_LINE, f"{world.file}:2", False)
    assert joined.matched == 2


def test_text_and_json_escape_what_others_chose(world: World) -> None:
    federated(world)
    world.event("patch", MAPS, "shop", "settings", user="ann\x1b[2K", userAgent="x\ny\u202e")
    joined = world.join()
    text = joins.text(joined)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "ann\\x1b[2K" in text
    assert "x\\ny\\u202e" in text
    assert text.splitlines()[-1] == (
        "unexplained: member-a, 100 % of 2 writes by the reconciler's user"
        " have intent, outcome and matching Audit-ID"
    )
    shown = json.loads(json.dumps(joins.as_dict(joined)))
    assert (shown["share"], shown["ok"], shown["counts"]["matched"]) == (1.0, False, 2)
    (finding,) = shown["findings"]
    assert (finding["line"], finding["event"]["userAgent"]) == (4, "x\ny\u202e")
    assert finding["hint"] == codes.CODES[codes.WRITE_BY_OTHERS][1]


def test_a_share_below_the_whole_is_never_shown_as_all_of_it(world: World) -> None:
    joined = Joined("member-a", "us", matched=99_999, missing=1)
    assert "99.99 % of 100000 writes" in joins.text(joined)


@pytest.mark.parametrize("suffix", ["audit.log.gz", "audit.log"])
def test_gzip_is_known_by_its_content(world: World, tmp_path: Path, suffix: str) -> None:
    federated(world)
    world.join()
    packed = tmp_path / f"packed-{suffix}"
    packed.write_bytes(gzip.compress(world.file.read_bytes()))
    assert join(world.log, [packed], cluster="member-a").matched == 2


def test_a_gzip_file_that_was_cut_is_a_finding_and_its_beginning_is_read(
    tmp_path: Path, world: World
) -> None:
    for _ in range(2000):
        world.event("get", MAPS, "", "x", audit_id=str(len(world.lines)))
    packed = gzip.compress(b"\n".join(world.lines))
    path = tmp_path / "cut.gz"
    for damaged in (packed[: len(packed) // 2], packed + b"garbage", packed[:-6] + b"\0" * 6):
        path.write_bytes(damaged)
        *events, last = read_events(path)
        assert isinstance(last, BadLine)
        assert "gzip" in last.reason
        assert all(isinstance(event, KubeEvent) for event in events[:-1])
        assert len(events) > 100


@pytest.mark.parametrize("content", [b"", b"\n\n", b"not json\n", gzip.compress(b"", mtime=0)])
def test_a_file_without_an_event_is_no_audit_log(world: World, tmp_path: Path, content: bytes) -> None:
    federated(world)
    path = tmp_path / "empty"
    path.write_bytes(content)
    with pytest.raises(KubeAuditError, match="no event"):
        join(world.log, [path], cluster="member-a")


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(KubeAuditError, match="cannot be read"):
            list(read_events(path))


def test_a_file_is_read_up_to_a_bound_also_when_it_is_one_line(tmp_path: Path, world: World) -> None:
    path = tmp_path / "long"
    for content in (b"\n".join(world.lines * 100), b"x" * (MAX_LINE + 1000), b"\n" * 1000):
        path.write_bytes(gzip.compress(content))
        with pytest.raises(KubeAuditError, match="too long"):
            list(read_events(path, limit=len(content) - 1))
        list(read_events(path, limit=len(content)))


def test_a_line_beyond_all_bounds_is_skipped_and_named(tmp_path: Path, world: World) -> None:
    path = tmp_path / "long"
    with path.open("wb") as file:
        file.write(world.lines[0] + b"\n" + b'{"a":"' + b"x" * (MAX_LINE + 3_000_000) + b'"}\n')
        file.write(b"y" * MAX_LINE + b"\n")  # just within: judged by its content
        file.write(world.lines[0])
    first, long, within, last = read_events(path)
    assert isinstance(first, KubeEvent)
    assert long == BadLine(Place(str(path), 2), f"longer than {MAX_LINE} bytes")
    assert isinstance(within, BadLine)
    assert "not JSON" in within.reason
    assert isinstance(last, KubeEvent)
    assert last == first
    assert last.place.line == 4


def a_line() -> bytes:
    event = {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": "a1",
        "stage": "ResponseComplete", "requestURI": "/api/v1/namespaces/shop/configmaps/a?dryRun=All",
        "verb": "patch", "user": {"username": "ann", "groups": ["g"]}, "impersonatedUser": {"username": "b"},
        "sourceIPs": ["192.0.2.7"], "userAgent": "kubectl", "requestObject": {"kind": "ConfigMap"},
        "objectRef": {"resource": "configmaps", "namespace": "shop", "name": "a", "apiGroup": ""},
        "responseStatus": {"code": 200}, "requestReceivedTimestamp": "2026-01-01T00:00:00.000000Z",
        "stageTimestamp": "2026-01-01T00:00:00.000000Z",
    }  # fmt: skip
    return json.dumps(event).encode()


LINE = a_line()
TOO_LONG = "x" * 4097
BAD_FIELDS: dict[str, Any] = {
    "verb": TOO_LONG, "user": {"username": TOO_LONG}, "objectRef": {"name": TOO_LONG},
    "sourceIPs": [TOO_LONG], "responseStatus": {"code": 1000}, "impersonatedUser": [],
    "stageTimestamp": "2026-01-01T00:00:00",
    "requestReceivedTimestamp": "yesterday", "apiVersion": "audit.k8s.io/v1beta1", "kind": "EventList",
}  # fmt: skip


@pytest.mark.parametrize("field", BAD_FIELDS)
def test_a_field_out_of_its_bounds_is_a_bad_line(field: str) -> None:
    line = json.dumps(json.loads(LINE) | {field: BAD_FIELDS[field]}).encode()
    assert isinstance(parse_line(line, Place("f", 1)), BadLine)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


def sound(item: KubeEvent | BadLine) -> None:
    """Whatever it was made from: every field has its type and its bound."""
    assert item.place == Place("f", 1)
    if isinstance(item, BadLine):
        assert item.reason
        assert len(item.reason) <= 200
        return
    texts = [item.audit_id, item.stage, item.verb, item.user, item.impersonated, item.agent, item.kind]
    assert all(isinstance(text, str) and len(text) <= 4096 for text in [*texts, *item.target])
    assert all(isinstance(text, str) for text in (*item.groups, *item.addresses))
    assert item.time.utcoffset() == item.ended.utcoffset() == timedelta(0)
    assert 0 <= item.code < 1000
    assert isinstance(item.is_write, bool)
    hash(item)


@UNHURRIED
@given(st.data())
def test_no_mutated_line_is_more_than_an_event_or_a_bad_line(data: st.DataObject) -> None:
    line = bytearray(LINE)
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(line) - 1))
        cut = data.draw(st.integers(0, 5))
        line[at : at + cut] = data.draw(st.binary(max_size=5))
        if not line:
            break
    sound(parse_line(bytes(line), Place("f", 1)))


@UNHURRIED
@given(st.data())
def test_no_value_in_a_field_is_more_than_an_event_or_a_bad_line(data: st.DataObject) -> None:
    value = json.loads(LINE)
    for _ in range(data.draw(st.integers(1, 3))):
        key = data.draw(st.sampled_from(sorted(value)))
        inner = value[key]
        if isinstance(inner, dict) and inner and data.draw(st.booleans()):
            inner[data.draw(st.sampled_from(sorted(inner)))] = data.draw(VALUES)
        else:
            value[key] = data.draw(VALUES)
    sound(parse_line(json.dumps(value).encode(), Place("f", 1)))


@given(st.binary(max_size=200))
def test_no_bytes_are_more_than_a_bad_line(data: bytes) -> None:
    assert isinstance(parse_line(data, Place("f", 1)), BadLine)


def test_the_unmutated_line_is_an_event() -> None:
    event = parse_line(LINE, Place("f", 1))
    assert isinstance(event, KubeEvent)
    assert (event.user, event.impersonated, event.dry_run, event.kind) == ("ann", "b", True, "ConfigMap")
