"""What the log says is so: a fold over its entries. Pure.

Rules (``problem`` names the one that is broken; ``Log.append`` refuses such an entry): a commit is
accepted only after the trust was initialized, on the pinned ref, after the commit accepted last, and under
no older trust root; an intent needs an accepted commit and a sequence above the last of its cluster; an
outcome belongs to an intent of its cluster that has none yet, so no outcome is lost or doubled; a key is
replaced by the one that it signed for. What holds for members that join: ``membership``.

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
    CredentialRenewed,
    CredentialRole,
    Drift,
    Entry,
    FindingNote,
    Intent,
    KeyRotated,
    MemberRefused,
    Outcome,
    OutcomeResult,
    RotationReason,
    TrustInitialized,
)
from reconciler.audit.membership import ENTRIES as MEMBERSHIP_ENTRIES
from reconciler.audit.membership import Membership, advance_membership, membership_problem
from reconciler.audit.note import VerifierKey
from reconciler.audit.rotation import rotation_problem
from reconciler.model import Json

REFUSED_KEPT = 10
SEEN_KEPT = 1000
MAX_KEYS = 1000
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
class SeenCommit:
    """A head that was refused, and when that was first logged: later runs judge it as of then."""

    commit: f.CommitId
    time: _Time


@dataclass(frozen=True, slots=True)
class MemberRefusal:
    """A refusal of a member at ``commit``: ``count`` findings, the first as ``summary``."""

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


_INTENT = f.record(IntentState)


@dataclass(frozen=True, slots=True)
class ClusterState:
    """One member: its last intent, last outcome, last fully applied intent, and open intents.

    ``refused`` is the last refusal, None once an intent came after it. ``credential_expires`` is of the
    reconciler's own credential, as it was renewed last; None if it never was.
    """

    intent: Annotated[IntentState | None, f.optional(_INTENT)] = None
    outcome: Annotated[OutcomeState | None, f.optional(f.record(OutcomeState))] = None
    applied: Annotated[IntentState | None, f.optional(_INTENT)] = None
    pending: Annotated[tuple[IntentState, ...], f.listing(_INTENT, 10_000)] = ()
    drift: Annotated[DriftState | None, f.optional(f.record(DriftState))] = None
    refused: Annotated[MemberRefusal | None, f.optional(f.record(MemberRefusal))] = None
    credential_expires: Annotated[datetime | None, f.optional(f.TIME)] = None


def _read_clusters(value: Json) -> dict[str, ClusterState]:
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004  a codec raises ValueError for any bad input
    return {name: f.read_fields(ClusterState, one) for name, one in value.items()}


_CLUSTERS = f.Codec(_read_clusters, lambda value: {k: f.write_fields(v) for k, v in value.items()})
_Any = Annotated[str, f.text(2048, empty=True)]


@dataclass(frozen=True, slots=True)
class LogKey:
    """A key of the log: it signed entries from index ``since`` to the one before ``until``, None for still.

    ``believed``: whether members' records that it signed still are; a compromise ends that for it and for
    all keys before it.
    """

    vkey: f.Long
    since: f.Number
    until: Annotated[int | None, f.optional(f.Codec(f.number))] = None
    believed: Annotated[bool, f.FLAG] = True


@dataclass(frozen=True, slots=True)
class LogState:
    """The fold over the first ``size`` entries; ``repository`` is "" before the trust is initialized.

    ``root_version`` is that of the trust root in force; ``seen`` are the heads that were refused since the
    last acceptance, the earliest 1000.
    """

    size: f.Number = 0
    repository: _Any = ""
    ref: _Any = ""
    public_key: _Any = ""
    accepted: Annotated[AcceptedCommit | None, f.optional(f.record(AcceptedCommit))] = None
    refused: Annotated[tuple[RefusedCommit, ...], f.listing(f.record(RefusedCommit), REFUSED_KEPT)] = ()
    clusters: Annotated[Mapping[str, ClusterState], _CLUSTERS] = field(default_factory=dict)
    root_version: f.Number = 0
    seen: Annotated[tuple[SeenCommit, ...], f.listing(f.record(SeenCommit), SEEN_KEPT)] = ()
    keys: Annotated[tuple[LogKey, ...], f.listing(f.record(LogKey), MAX_KEYS)] = ()  # oldest first
    membership: Annotated[Membership, f.record(Membership)] = field(default_factory=Membership)

    def key_at(self, index: int) -> bytes:
        """The 32-byte public key that signed the change set of the intent at ``index``.

        Raises LogFormatError if the log names no key for it.
        """
        held = [
            key.vkey for key in self.keys if key.since <= index and (key.until is None or index < key.until)
        ]
        return VerifierKey.parse(held[0] if held else "").public_key

    def believed_keys(self) -> tuple[bytes, ...]:
        """The keys whose records on members are believed, the present one first; () if none is named.

        Raises LogFormatError.
        """
        return tuple(VerifierKey.parse(key.vkey).public_key for key in reversed(self.keys) if key.believed)

    def cluster(self, name: str) -> ClusterState:
        """The member's state; an empty one if the log never spoke of it."""
        return self.clusters.get(name, ClusterState())

    def first_seen(self, commit: str) -> datetime | None:
        """When ``commit`` was first refused since the last acceptance; None if it was not."""
        return next((head.time for head in self.seen if head.commit == commit), None)


def problem(state: LogState, index: int, entry: Entry) -> str:
    """Why ``entry`` cannot come at ``index``, "" if it can."""
    if index != state.size:
        return f"expected the entry at index {state.size}"
    if isinstance(entry, MEMBERSHIP_ENTRIES):
        return (
            "the trust has not been initialized"
            if not state.keys
            else membership_problem(state.membership, entry)
        )
    match entry:
        case TrustInitialized():
            if state.keys and entry.public_key != state.public_key:
                return f"the log's key is {state.public_key}, not {entry.public_key}"
        case KeyRotated():
            return _rotate_problem(state, index, entry)
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
    if entry.root_version < state.root_version:
        return f"the trust root's version is {state.root_version}, and {entry.root_version} is older"
    return "" if entry.ref == state.ref else f"the pinned ref is {state.ref}, not {entry.ref}"


def _rotate_problem(state: LogState, index: int, entry: KeyRotated) -> str:
    if not state.keys:
        return "the trust has not been initialized"
    if entry.old_key != state.public_key:
        return f"the log's key is {state.public_key}, not {entry.old_key}"
    if entry.new_key in {key.vkey for key in state.keys}:
        return f"the key {entry.new_key} was used before"
    return "the log has too many keys" if len(state.keys) >= MAX_KEYS else rotation_problem(entry, index)


def advance(state: LogState, entry: Entry) -> LogState:
    """The state after ``entry`` at index ``state.size``; never raises for a decoded entry."""
    index, time = state.size, entry.time
    if time is None:
        raise ValueError("an entry without its time")
    if isinstance(entry, MEMBERSHIP_ENTRIES):
        membership = advance_membership(state.membership, index, entry, time)
        return replace(state, size=index + 1, membership=membership)
    match entry:
        case Intent() | Outcome() | Drift() | MemberRefused() | CredentialRenewed():
            member = _advance_member(state.cluster(entry.cluster), index, entry, time)
            return replace(state, size=index + 1, clusters={**state.clusters, entry.cluster: member})
    return _advance_fleet(replace(state, size=index + 1), index, entry, time)


def _advance_fleet(state: LogState, index: int, entry: Entry, time: datetime) -> LogState:
    match entry:
        case TrustInitialized():
            accepted = AcceptedCommit(index, entry.commit, "", time)
            return replace(
                state,
                repository=entry.repository,
                ref=entry.ref,
                public_key=entry.public_key,
                accepted=accepted,
                keys=state.keys or (LogKey(entry.public_key, 0),),
                root_version=entry.root_version,
                seen=(),
            )
        case KeyRotated():
            return replace(state, public_key=entry.new_key, keys=_rotated(state.keys, index, entry))
        case CommitAccepted():
            accepted = AcceptedCommit(index, entry.commit, entry.tree, time)
            return replace(state, accepted=accepted, root_version=entry.root_version, seen=())
        case CommitRefused():
            refused = RefusedCommit(index, entry.commit, time, entry.count, _summary(entry.findings))
            seen = _see(state.seen, SeenCommit(entry.commit, time))
            return replace(state, refused=(*state.refused, refused)[-REFUSED_KEPT:], seen=seen)
    return state


def _rotated(keys: tuple[LogKey, ...], index: int, entry: KeyRotated) -> tuple[LogKey, ...]:
    keep = entry.reason is not RotationReason.COMPROMISE
    before = tuple(
        replace(key, until=index if key.until is None else key.until, believed=key.believed and keep)
        for key in keys[-MAX_KEYS + 1 :]
    )
    return (*before, LogKey(entry.new_key, index))


def _see(seen: tuple[SeenCommit, ...], head: SeenCommit) -> tuple[SeenCommit, ...]:
    known = len(seen) >= SEEN_KEPT or any(one.commit == head.commit for one in seen)
    return seen if known else (*seen, head)


def _summary(findings: tuple[FindingNote, ...]) -> str:
    return f.clip(f"{findings[0].code}: {findings[0].message}", 1200) if findings else ""


def _advance_member(
    member: ClusterState,
    index: int,
    entry: Intent | Outcome | Drift | MemberRefused | CredentialRenewed,
    time: datetime,
) -> ClusterState:
    match entry:
        case Intent():
            intent = IntentState(
                index, entry.cluster_uid, entry.commit, entry.change_set, entry.sequence, time
            )
            return replace(member, intent=intent, pending=(*member.pending, intent), refused=None)
        case Outcome():
            outcome = OutcomeState(index, entry.intent, entry.result, entry.error, time)
            closed = [i for i in member.pending if i.index == entry.intent]
            applied = closed[0] if closed and entry.result is OutcomeResult.APPLIED else member.applied
            pending = tuple(i for i in member.pending if i.index != entry.intent)
            return replace(member, outcome=outcome, applied=applied, pending=pending)
        case Drift():
            return replace(member, drift=DriftState(index, entry.commit, entry.count, time))
        case MemberRefused():
            refusal = MemberRefusal(index, entry.commit, time, entry.count, _summary(entry.findings))
            return replace(member, refused=refusal)
        case CredentialRenewed():
            writer = entry.role is CredentialRole.ADMIN
            return replace(member, credential_expires=entry.expires) if writer else member
