"""A small fleet's log with real bodies: signed change sets, outcomes, provenance. One entry an hour.

0 trust-initialized   1 commit-accepted (a range of two commits)
2 intent, 3 outcome of member-a: Role shop/reader and ConfigMap shop/settings created
4 intent, 5 outcome of member-b: ConfigMap shop/settings updated, Role shop/reader failed
6 drift of member-a   7 commit-refused   8 member-refused of member-b
9 intent, 10 outcome of member-a: interrupted, one deletion planned
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from reconciler.audit.entry import (
    CommitAccepted,
    CommitRefused,
    Drift,
    Entry,
    GateSummary,
    Intent,
    MemberRefused,
    Outcome,
    OutcomeResult,
    PlanCounts,
    TrustInitialized,
    digest_of,
)
from reconciler.audit.log import Log
from reconciler.audit.note import VerifierKey
from reconciler.audit.provenance import ApprovalProvenance, CommitProvenance, provenance_body
from reconciler.audit.store_directory import DirectoryStore
from reconciler.model import Finding, ObjectOutcome, ObjectRef, ObjectResult, Signer
from reconciler.trust import Change, ChangeAction, ChangeSet, sign_change_set

ORIGIN = "fleetward.io/log"
START = datetime(2026, 1, 1, tzinfo=UTC)
REPOSITORY, REF = "https://forge.example/fleet.git", "refs/heads/main"
FIRST, MIDDLE, HEAD, BAD = "a1" * 20, "c2" * 20, "b3" * 20, "d4" * 20
ROLE = ObjectRef("rbac.authorization.k8s.io", "Role", "shop", "reader")
SETTINGS = ObjectRef("", "ConfigMap", "shop", "settings")
GATE = GateSummary("sha256:" + "9" * 64, 12)
_SHA = "sha256:" + "7" * 64
_CREATE, _UPDATE, _DELETE = ChangeAction.CREATE, ChangeAction.UPDATE, ChangeAction.DELETE


def provenance() -> bytes:
    """Two commits by alice; bob approved the first."""
    approval = ApprovalProvenance("bob", "SHA256:Ym9i", "sha256:" + "5" * 64)
    common = {"signer": "alice", "method": "ssh", "fingerprint": "SHA256:YWxpY2U", "first_seen": START}
    return provenance_body(
        [
            CommitProvenance(commit=MIDDLE, rules=("policies/rbac/**",), approvals=(approval,), **common),
            CommitProvenance(commit=HEAD, **common),
        ]
    )


def change_set(cluster: str, sequence: int, previous: str, signer: Signer, *changes: Change) -> bytes:
    """A signed change set's envelope."""
    unsigned = ChangeSet(
        cluster=cluster, cluster_uid=f"uid-{cluster}", repository=REPOSITORY, ref=REF, commit=HEAD,
        tree="e5" * 20, gate_digest=GATE.digest, gate_rules=GATE.rules, gate_allowed=True, sequence=sequence,
        previous=previous, created="2026-01-01T00:00:00Z", desired_digest=_SHA, base=_SHA, changes=changes,
    )  # fmt: skip
    return sign_change_set(unsigned, signer).envelope


def change(ref: ObjectRef, action: ChangeAction) -> Change:
    before = "" if action is _CREATE else _SHA
    return Change(ref, action, before, "" if action is _DELETE else _SHA, "")


def _intent(cluster: str, sequence: int, envelope: bytes, **counts: int) -> tuple[Entry, dict[str, bytes]]:
    entry = Intent(
        actor="ci@runner", cluster=cluster, cluster_uid=f"uid-{cluster}", commit=HEAD,
        change_set=digest_of(envelope), sequence=sequence, counts=PlanCounts(**counts), gate=GATE,
    )  # fmt: skip
    return entry, {entry.change_set: envelope}


def _outcome(
    cluster: str, intent: int, result: OutcomeResult, *outcomes: ObjectOutcome, error: str = ""
) -> tuple[Entry, dict[str, bytes]]:
    return Outcome.of(
        actor="ci@runner", cluster=cluster, intent=intent, result=result, outcomes=outcomes, error=error
    )


def entries(signer: Signer) -> Iterator[tuple[Entry, dict[str, bytes]]]:
    """The entries of the module's docstring, with their bodies."""
    vkey = str(VerifierKey(ORIGIN, signer.public_key))
    yield (
        TrustInitialized(
            actor="ann@laptop", commit=FIRST, repository=REPOSITORY, ref=REF, public_key=vkey, root_version=1
        ),
        {},
    )
    body = provenance()
    yield CommitAccepted(
        actor="ci@runner", commit=HEAD, tree="e5" * 20, previous=FIRST, ref=REF, commits=2,
        signers=("alice",), gate=GATE, root_version=2, provenance=digest_of(body),
    ), {digest_of(body): body}  # fmt: skip
    first = change_set("member-a", 1, "", signer, change(ROLE, _CREATE), change(SETTINGS, _CREATE))
    yield _intent("member-a", 1, first, create=2)
    created = [ObjectOutcome(ref, ObjectResult.CREATED, "u", "7", _SHA, f"audit-{n}")
               for n, ref in enumerate((ROLE, SETTINGS))]  # fmt: skip
    yield _outcome("member-a", 2, OutcomeResult.APPLIED, *created)
    other = change_set("member-b", 1, "", signer, change(ROLE, _CREATE), change(SETTINGS, _UPDATE))
    yield _intent("member-b", 1, other, create=1, update=1)
    updated = ObjectOutcome(SETTINGS, ObjectResult.UPDATED, "u", "8", _SHA, "audit-2")
    failed = ObjectOutcome(ROLE, ObjectResult.FAILED, error="FW1721: forbidden")
    yield _outcome("member-b", 4, OutcomeResult.FAILED, updated, failed, error="1 of 2 objects failed")
    yield Drift.of(actor="ci@runner", cluster="member-a", commit=HEAD, objects=[ROLE]), {}
    findings = [Finding("FW1203", "unsigned commit", subject=BAD)]
    yield CommitRefused.of(actor="ci@runner", commit=BAD, previous=HEAD, findings=findings), {}
    findings = [Finding("FW1601", "the plan deletes 9 of 10 objects", subject="member-b")]
    yield MemberRefused.of(
        actor="ci@runner", cluster="member-b", commit=HEAD, findings=findings, cluster_uid="uid-member-b",
        gate=GATE,
    ), {}  # fmt: skip
    last = change_set("member-a", 2, digest_of(first), signer, change(SETTINGS, _DELETE))
    yield _intent("member-a", 2, last, delete=1)
    yield _outcome("member-a", 9, OutcomeResult.INTERRUPTED, error="the run ended before its outcome")


def open_log(path: Path, signer: Signer, start: datetime = START) -> Log:
    """The log below ``path``, whose clock goes on by an hour at every append."""
    hours = count()
    return Log.open(
        DirectoryStore(path), signer, origin=ORIGIN, clock=lambda: start + timedelta(hours=next(hours))
    )


def fill(log: Log, signer: Signer) -> Log:
    """All entries, each under a checkpoint of its own."""
    for entry, bodies in entries(signer):
        log.append([entry], bodies)
    return log
