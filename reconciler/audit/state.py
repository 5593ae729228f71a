"""What the log says is so: a fold over its entries. Pure.

Rules (``problem`` names the one that is broken; ``Log.append`` refuses such an entry): a commit is
accepted only after the trust was initialized, on the pinned ref, after the commit accepted last; an
intent needs an accepted commit and a sequence above the last of its cluster; an outcome belongs to an
intent of its cluster that has none yet, so no outcome is lost or doubled.

>>> problem(LogState(), 0, Drift(actor="x", cluster="a", commit="0" * 40, objects=(), count=0))
''
>>> problem(LogState(), 0, Outcome(actor="x", cluster="a", intent=0, result=OutcomeResult.APPLIED))
'intent 0 of cluster a is not open'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated

from reconciler.audit import fields as f
from reconciler.audit.entry import (
    CommitAccepted,
    CommitRefused,
    Drift,
    Entry,
    Intent,
    Outcome,
    OutcomeResult,
    TrustInitialized,
)
from reconciler.model import Json

REFUSED_KEPT = 10
_Time = Annotated[datetime, f.TIME]


@dataclass(frozen=True, slots=True)
class AcceptedCommit:
    """The commit accepted last; ``tree`` is "" while it is the one that a person named."""

    index: f.Number
    commit: f.CommitId
    tree: f.MaybeCommit
    time: _Time


@dataclass(frozen=True, slots=True)
class RefusedCommit:
    """A commit that was refused; ``summary`` is its first finding."""

    index: f.Number
    commit: f.CommitId
    time: _Time
    count: f.Number
    summary: Annotated[str, f.text(1200, empty=True)]


@dataclass(frozen=True, slots=True)
class IntentState:
    """An intent; ``index`` is what an outcome and the member's record refer to."""

    index: f.Number
    cluster_uid: f.Name
    commit: f.CommitId
    change_set: f.Digest
    sequence: f.Number
    time: _Time


@dataclass(frozen=True, slots=True)
class OutcomeState:
    """The outcome of the intent at index ``intent``."""

    index: f.Number
    intent: f.Number
    result: Annotated[OutcomeResult, f.choice(OutcomeResult)]
    error: f.Message
    time: _Time


@dataclass(frozen=True, slots=True)
class DriftState:
    """The drift found last: ``count`` objects."""

    index: f.Number
    commit: f.CommitId
    count: f.Number
    time: _Time


def _optional(codec: f.Codec) -> f.Codec:
    return f.Codec(
        lambda value: None if value is None else codec.parse(value),
        lambda value: None if value is None else codec.dump(value),
    )


_INTENT = f.record(IntentState)


@dataclass(frozen=True, slots=True)
class ClusterState:
    """One member: its last intent, last outcome, last fully applied intent, and open intents."""

    intent: Annotated[IntentState | None, _optional(_INTENT)] = None
    outcome: Annotated[OutcomeState | None, _optional(f.record(OutcomeState))] = None
    applied: Annotated[IntentState | None, _optional(_INTENT)] = None
    pending: Annotated[tuple[IntentState, ...], f.listing(_INTENT, 10_000)] = ()
    drift: Annotated[DriftState | None, _optional(f.record(DriftState))] = None


def _read_clusters(value: Json) -> dict[str, ClusterState]:
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004  a codec raises ValueError for any bad input
    return {name: f.read_fields(ClusterState, one) for name, one in value.items()}


_CLUSTERS = f.Codec(_read_clusters, lambda value: {k: f.write_fields(v) for k, v in value.items()})
_Any = Annotated[str, f.text(2048, empty=True)]


@dataclass(frozen=True, slots=True)
class LogState:
    """The fold over the first ``size`` entries; ``repository`` is "" before the trust is initialized."""

    size: f.Number = 0
    repository: _Any = ""
    ref: _Any = ""
    public_key: _Any = ""
    accepted: Annotated[AcceptedCommit | None, _optional(f.record(AcceptedCommit))] = None
    refused: Annotated[tuple[RefusedCommit, ...], f.listing(f.record(RefusedCommit), REFUSED_KEPT)] = ()
    clusters: Annotated[Mapping[str, ClusterState], _CLUSTERS] = field(default_factory=dict)

    def cluster(self, name: str) -> ClusterState:
        """The member's state; an empty one if the log never spoke of it."""
        return self.clusters.get(name, ClusterState())


def problem(state: LogState, index: int, entry: Entry) -> str:
    """Why ``entry`` cannot come at ``index``, "" if it can."""
    if index != state.size:
        return f"expected the entry at index {state.size}"
    match entry:
        case CommitAccepted():
            return _accept_problem(state, entry)
        case Intent():
            last = state.cluster(entry.cluster).intent
            if state.accepted is None:
                return "no commit has been accepted"
            if last and last.cluster_uid == entry.cluster_uid and entry.sequence <= last.sequence:
                return f"sequence {entry.sequence} of cluster {entry.cluster} is not above {last.sequence}"
        case Outcome():
            if entry.intent not in {i.index for i in state.cluster(entry.cluster).pending}:
                return f"intent {entry.intent} of cluster {entry.cluster} is not open"
    return ""


def _accept_problem(state: LogState, entry: CommitAccepted) -> str:
    if state.accepted is None:
        return "the trust has not been initialized"
    if entry.previous != state.accepted.commit:
        return f"the commit accepted last is {state.accepted.commit}, not {entry.previous or 'none'}"
    return "" if entry.ref == state.ref else f"the pinned ref is {state.ref}, not {entry.ref}"


def advance(state: LogState, entry: Entry) -> LogState:
    """The state after ``entry`` at index ``state.size``; never raises for a decoded entry."""
    index, time = state.size, entry.time
    if time is None:
        raise ValueError("an entry without its time")
    state = replace(state, size=index + 1)
    match entry:
        case TrustInitialized():
            accepted = AcceptedCommit(index, entry.commit, "", time)
            return replace(
                state,
                repository=entry.repository,
                ref=entry.ref,
                public_key=entry.public_key,
                accepted=accepted,
            )
        case CommitAccepted():
            return replace(state, accepted=AcceptedCommit(index, entry.commit, entry.tree, time))
        case CommitRefused():
            refused = RefusedCommit(index, entry.commit, time, entry.count, _summary(entry))
            return replace(state, refused=(*state.refused, refused)[-REFUSED_KEPT:])
        case Intent() | Outcome() | Drift():
            member = _advance_member(state.cluster(entry.cluster), index, entry, time)
            return replace(state, clusters={**state.clusters, entry.cluster: member})
    return state


def _summary(entry: CommitRefused) -> str:
    return f.clip(f"{entry.findings[0].code}: {entry.findings[0].message}", 1200) if entry.findings else ""


def _advance_member(
    member: ClusterState, index: int, entry: Intent | Outcome | Drift, time: datetime
) -> ClusterState:
    match entry:
        case Intent():
            intent = IntentState(
                index, entry.cluster_uid, entry.commit, entry.change_set, entry.sequence, time
            )
            return replace(member, intent=intent, pending=(*member.pending, intent))
        case Outcome():
            outcome = OutcomeState(index, entry.intent, entry.result, entry.error, time)
            closed = [i for i in member.pending if i.index == entry.intent]
            applied = closed[0] if closed and entry.result is OutcomeResult.APPLIED else member.applied
            pending = tuple(i for i in member.pending if i.index != entry.intent)
            return replace(member, outcome=outcome, applied=applied, pending=pending)
        case Drift():
            return replace(member, drift=DriftState(index, entry.commit, entry.count, time))
