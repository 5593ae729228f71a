"""The entries that a fleet's life writes: a commit accepted, then intent, outcome and drift of a member.

Of every four entries two have a body. Bodies are shared by many entries, so that a log of a million entries
is written in a minute or two and still every body is read where an entry names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice

from reconciler.audit.entry import (
    CommitAccepted,
    Drift,
    Entry,
    GateSummary,
    Intent,
    Outcome,
    OutcomeResult,
    PlanCounts,
    TrustInitialized,
    digest_of,
)
from reconciler.audit.log import Log
from reconciler.model import ObjectOutcome, ObjectRef, ObjectResult

MEMBERS = 20
BODIES = 100
REF = "refs/heads/main"
ACTOR = "bench@fleet.example"
GATE = GateSummary("sha256:" + "5" * 64, 12)
_OBJECTS = tuple(ObjectRef("rbac.authorization.k8s.io", "Role", "shop", f"reader-{n}") for n in range(3))
Logged = tuple[Entry, dict[str, bytes]]


def life(vkey: str) -> Iterator[Logged]:
    """Entries that may follow one another from index 0 on, each with its bodies; endless."""
    first = TrustInitialized(
        actor=ACTOR, commit=_commit(0), repository="https://forge.example/fleet.git", ref=REF, public_key=vkey
    )
    yield first, {}
    for run in count(1):
        yield from _run(run, 4 * run - 3)


def drifts() -> Iterator[Logged]:
    """Entries without bodies, all of one kind; endless."""
    for run in count():
        yield _drift(run, f"member-{run % MEMBERS:02}"), {}


def _run(run: int, index: int) -> Iterator[Logged]:
    member = f"member-{run % MEMBERS:02}"
    yield _accepted(run), {}
    change_set = f"change set {run % BODIES} ".encode() * 64
    yield _intent(run, member, change_set), {digest_of(change_set): change_set}
    rows = [ObjectOutcome(ref, ObjectResult.UPDATED, audit_id=f"{run % BODIES:032x}") for ref in _OBJECTS]
    yield Outcome.of(
        actor=ACTOR, cluster=member, intent=index + 1, result=OutcomeResult.APPLIED, outcomes=rows
    )
    yield _drift(run, member), {}


def _drift(run: int, member: str) -> Drift:
    return Drift.of(actor=ACTOR, cluster=member, commit=_commit(run), objects=_OBJECTS)


def _accepted(run: int) -> CommitAccepted:
    return CommitAccepted(
        actor=ACTOR, commit=_commit(run), tree=_commit(run + 1), previous=_commit(run - 1), ref=REF,
        commits=1, signers=("alice", "bob"), gate=GATE,
    )  # fmt: skip


def _intent(run: int, member: str, change_set: bytes) -> Intent:
    return Intent(
        actor=ACTOR, cluster=member, cluster_uid=f"uid-of-{member}", commit=_commit(run),
        change_set=digest_of(change_set), sequence=run, counts=PlanCounts(update=3), gate=GATE,
    )  # fmt: skip


def _commit(n: int) -> str:
    return f"{n:040x}"


def grow(log: Log, source: Iterator[Logged], size: int, batch: int) -> None:
    """Append from ``source`` in batches until the log has ``size`` entries."""
    while log.size < size:
        pairs = list(islice(source, min(batch, size - log.size)))
        log.append([entry for entry, _ in pairs], {k: v for _, bodies in pairs for k, v in bodies.items()})
