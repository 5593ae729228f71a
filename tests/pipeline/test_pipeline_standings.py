"""From a run to what is remembered of a member: state, since when, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.audit.state import ClusterState, IntentState, LogState
from reconciler.documents import Cluster, Credentials
from reconciler.model import ClusterName, ObjectOutcome, ObjectRef, ObjectResult, SourceRef
from reconciler.pipeline.contact import Contact
from reconciler.pipeline.run import MemberResult
from reconciler.pipeline.run import MemberState as Result
from reconciler.pipeline.standings import after_run, facts_of, noted, remembered
from reconciler.pipeline.states import MemberState, standing
from reconciler.plan import Plan

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CLUSTER = Cluster(
    ClusterName("a"), {}, ("https://a:1",), "", "", Credentials("tokenFile", path="t"), SourceRef("a.yaml")
)  # fmt: skip
PLAN = Plan(ClusterName("a"), "uid", "sha256:0", (), 1, 1)
INTENT = IntentState(1, "uid", "c" * 40, "sha256:0", 1, NOON)
LOG = LogState(clusters={"a": ClusterState(intent=INTENT)})
OUTCOME = ObjectOutcome(ObjectRef("", "ConfigMap", "d", "x"), ObjectResult.CREATED)


@pytest.mark.parametrize(
    ("result", "state"),
    [
        (MemberResult("a", Result.SYNCED, PLAN), "synced"),
        (MemberResult("a", Result.APPLIED, PLAN, (OUTCOME,)), "synced"),
        (MemberResult("a", Result.OBSERVED, PLAN), "synced"),
        (MemberResult("a", Result.UNREACHABLE, error="FW1701: no"), "unreachable"),
        (MemberResult("a", Result.FAILED, error="FW1711: no"), "failing"),
    ],
)
def test_a_run_leaves_its_state(result: MemberResult, state: str) -> None:
    found = after_run(CLUSTER, LOG, Contact(version="v1.36.3"), result, NOON)
    assert (found.state, found.since, found.reason) == (state, NOON, result.error)


def test_the_first_change_set_ends_joined_within_its_own_run() -> None:
    refused = after_run(CLUSTER, LogState(), Contact(), MemberResult("a", Result.REFUSED, PLAN), NOON)
    assert refused.state == "joined"
    done = MemberResult("a", Result.APPLIED, PLAN, (OUTCOME,))
    assert after_run(CLUSTER, LogState(), refused, done, NOON).state == "synced"


def test_an_unbroken_state_keeps_its_beginning_and_another_begins_now() -> None:
    gone = MemberResult("a", Result.UNREACHABLE, error="FW1701: no")
    first = after_run(CLUSTER, LOG, Contact(), gone, NOON)
    later = NOON + timedelta(hours=1)
    again = after_run(CLUSTER, LOG, first, replace(gone, error="FW1702: slow"), later)
    assert (again.since, again.reason) == (NOON, "FW1702: slow")
    waiting = after_run(CLUSTER, LOG, again, MemberResult("a", Result.WAITING), later)
    assert waiting == again, "nobody looked"
    back = after_run(CLUSTER, LOG, again, MemberResult("a", Result.SYNCED, PLAN), later)
    assert (back.state, back.since) == ("synced", later)


def test_a_version_of_another_minor_is_remembered_and_reconciled_all_the_same() -> None:
    found = after_run(
        CLUSTER, LOG, Contact(version="v1.35.0"), MemberResult("a", Result.APPLIED, PLAN, (OUTCOME,)), NOON
    )
    assert found.state == "version-mismatch"
    assert found.reason.startswith("FW1731: Kubernetes v1.35.0, registered is 1.36")


def test_a_suspended_member_keeps_its_reason_and_nonsense_is_no_state() -> None:
    facts = facts_of(replace(CLUSTER, suspend=True), LOG, Contact(), NOON, suspend_reason="racks")
    contact = noted(Contact(), standing(facts))
    assert (contact.state, contact.since, contact.reason) == (MemberState.SUSPENDED, NOON, "racks")
    assert remembered(Contact(state="nonsense")) is None
    assert noted(contact, None) == Contact()
