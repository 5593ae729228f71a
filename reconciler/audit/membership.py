"""What the log says of primary, join tokens, joins and kicks: a fold over their entries. Pure.

Rules (``membership_problem`` names the one that is broken; ``Log.append`` refuses such an entry, so two
endpoints that race for one token are decided by the log's compare-and-swap):
- One primary at a time; tokens are made only while there is one, and end with it.
- A token is used once, before it expires, unless it was revoked, and only for the cluster that it names.
- A member joins with a token that this very cluster (name and uid) used.
- A kick ends once, and only the last one of its cluster; a join of that name ends what it did.
- Unused tokens are at most ``MAX_TOKENS``. A token is remembered until an hour after its end: from then on
  it is refused as one that the log does not know.

A join that was interrupted is finished by the one who began it: the token stays used, by ``claim``.

>>> membership_problem(Membership(), TokenRevoked(actor="ann", token="a" * 22))
'the log knows no such token, or it has expired'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

from reconciler.audit import fields as f
from reconciler.audit.entry_membership import (
    MAX_REASON,
    Demoted,
    JoinRefused,
    Labels,
    MaybeTokenId,
    MemberJoined,
    MemberKicked,
    MemberLeft,
    Promoted,
    TokenCreated,
    TokenRevoked,
    TokenUsed,
)
from reconciler.model import Json

MAX_TOKENS = 10_000
MAX_JOINED = 10_000
MAX_KICKED = 10_000
KEPT = timedelta(hours=1)  # after a token's end; a join takes no longer than that
_Time = Annotated[datetime, f.TIME]
MembershipEntry = (
    Promoted | Demoted | TokenCreated | TokenUsed | TokenRevoked | JoinRefused | MemberJoined | MemberKicked
    | MemberLeft
)  # fmt: skip
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)
_UNKNOWN = "-"
_NONE = f"sha256:{'0' * 64}"
ENTRIES = (
    Promoted, Demoted, TokenCreated, TokenUsed, TokenRevoked, JoinRefused, MemberJoined, MemberKicked,
    MemberLeft,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Primary:
    """The primary since the entry at ``index``; fields as in ``Promoted``."""

    index: f.Number
    cluster_uid: f.Name
    address: f.Name
    port: f.Number
    token_key: f.Digest
    ca_pin: f.Digest
    time: _Time


@dataclass(frozen=True, slots=True)
class JoinToken:
    """A token; ``used_by`` is the name of the cluster that used it, "" for none yet."""

    cluster: f.MaybeName
    labels: Labels
    created: _Time
    expires: _Time
    revoked: Annotated[bool, f.FLAG] = False
    used_by: f.MaybeName = ""
    used_uid: f.MaybeName = ""
    claim: f.MaybeDigest = ""
    auto_approve: Annotated[bool, f.FLAG] = False

    @property
    def is_open(self) -> bool:
        """Neither used nor revoked."""
        return not self.revoked and not self.used_by


@dataclass(frozen=True, slots=True)
class Joined:
    """The join of a name that came last."""

    index: f.Number
    cluster_uid: f.Name
    commit: f.CommitId
    branch: f.Long
    token: MaybeTokenId
    time: _Time


@dataclass(frozen=True, slots=True)
class Kicked:
    """The kick of a name that came last; fields as in ``MemberKicked``.

    ``left`` is the index of its end, None while it is not finished: the same command finishes it.
    """

    index: f.Number
    cluster_uid: f.MaybeName
    registration: f.MaybeDigest
    reason: Annotated[str, f.text(MAX_REASON, empty=True)]
    kept_objects: Annotated[bool, f.FLAG]
    contacted: Annotated[bool, f.FLAG]
    actor: f.Name
    time: _Time
    left: Annotated[int | None, f.optional(f.Codec(f.number))] = None

    def stands(self, registration: str) -> bool:
        """Whether the registration with this SHA-256 is the one that was kicked."""
        return bool(registration) and registration == self.registration


def _mapping(kind: type[Any], limit: int) -> f.Codec:
    def parse(value: Json) -> dict[str, Any]:
        if not isinstance(value, dict) or len(value) > limit:
            raise ValueError(f"not an object of at most {limit} fields")
        return {name: f.read_fields(kind, one) for name, one in value.items()}

    return f.Codec(parse, lambda value: {name: f.write_fields(one) for name, one in value.items()})


@dataclass(frozen=True, slots=True)
class Membership:
    """The fold. ``tokens`` by id; ``joined`` by the cluster's name, the last ``MAX_JOINED``.

    ``kicked`` by the cluster's name, those that did not join again since.
    """

    primary: Annotated[Primary | None, f.optional(f.record(Primary))] = None
    tokens: Annotated[Mapping[str, JoinToken], _mapping(JoinToken, 1 << 24)] = field(default_factory=dict)
    joined: Annotated[Mapping[str, Joined], _mapping(Joined, MAX_JOINED)] = field(default_factory=dict)
    kicked: Annotated[Mapping[str, Kicked], _mapping(Kicked, MAX_KICKED)] = field(default_factory=dict)

    def open_tokens(self, now: datetime) -> dict[str, JoinToken]:
        """Those that can still be used."""
        return {name: one for name, one in self.tokens.items() if one.is_open and one.expires > now}


def membership_problem(state: Membership, entry: MembershipEntry) -> str:
    """Why ``entry`` cannot come now, "" if it can."""
    match entry:
        case Promoted():
            primary = state.primary
            return f"the cluster {primary.cluster_uid} is primary already" if primary else ""
        case Demoted():
            found = state.primary.cluster_uid if state.primary else "none"
            return "" if found == entry.cluster_uid else f"the primary is {found}"
        case TokenCreated():
            return _create_problem(state, entry)
        case TokenUsed():
            return _use_problem(state.tokens.get(entry.token), entry)
        case TokenRevoked():
            token = state.tokens.get(entry.token)
            if token is None:
                return "the log knows no such token, or it has expired"
            return "" if token.is_open else f"the token was {'revoked' if token.revoked else 'used'} already"
        case MemberJoined():
            token = state.tokens.get(entry.token)
            used = token and (token.used_by, token.used_uid) == (entry.cluster, entry.cluster_uid)
            return "" if used else f"cluster {entry.cluster} used no such token"
        case MemberLeft():
            kicked = state.kicked.get(entry.cluster)
            is_open = kicked and kicked.index == entry.kick and kicked.left is None
            return "" if is_open else f"kick {entry.kick} of cluster {entry.cluster} is not open"
    return ""


def _create_problem(state: Membership, entry: TokenCreated) -> str:
    if state.primary is None:
        return "there is no primary"
    if entry.token in state.tokens:
        return "there is a token of that id"
    if entry.time and len(state.open_tokens(entry.time)) >= MAX_TOKENS:
        return f"there are {MAX_TOKENS} unused tokens"
    return ""


def _use_problem(token: JoinToken | None, entry: TokenUsed) -> str:
    if token is None:
        return "the log knows no such token, or it has expired"
    if token.revoked:
        return "the token was revoked"
    if token.used_by:
        return f"the token was used already, by cluster {token.used_by}"
    if entry.time is not None and entry.time >= token.expires:
        return "the token has expired"
    if token.cluster not in ("", entry.cluster):
        return f"the token is for cluster {token.cluster}"
    return ""


def advance_membership(state: Membership, index: int, entry: MembershipEntry, time: datetime) -> Membership:
    """The state after ``entry``; never raises for a decoded entry."""
    match entry:
        case Promoted():
            return replace(state, primary=_primary(entry, index, time))
        case Demoted():
            return replace(state, primary=None, tokens={})
        case TokenCreated():
            token = JoinToken(
                entry.cluster, entry.labels, time, entry.expires, auto_approve=entry.auto_approve
            )
            return replace(state, tokens=_kept(state.tokens, time) | {entry.token: token})
        case TokenUsed() | TokenRevoked():
            return replace(state, tokens=dict(state.tokens) | _changed(state.tokens, entry))
        case MemberJoined():
            made = Joined(index, entry.cluster_uid, entry.commit, entry.branch, entry.token, time)
            joined = {**state.joined, entry.cluster: made}
            kicked = {name: one for name, one in state.kicked.items() if name != entry.cluster}
            return replace(state, joined=_last(joined, MAX_JOINED), kicked=kicked)
        case MemberKicked():
            kicks = {**state.kicked, entry.cluster: _kicked(entry, index, time)}
            return replace(state, kicked=_last(kicks, MAX_KICKED))
        case MemberLeft():
            one = state.kicked.get(entry.cluster)
            done = {entry.cluster: replace(one, left=index)} if one else {}
            return replace(state, kicked={**state.kicked, **done})
    return state


def _primary(entry: Promoted, index: int, time: datetime) -> Primary:
    return Primary(index, entry.cluster_uid, entry.address, entry.port, entry.token_key, entry.ca_pin, time)


def _kicked(entry: MemberKicked, index: int, time: datetime) -> Kicked:
    return Kicked(
        index, entry.cluster_uid, entry.registration, entry.reason, entry.kept_objects, entry.contacted,
        entry.actor, time,
    )  # fmt: skip


_Named = TypeVar("_Named", Joined, Kicked)


def _last(found: dict[str, _Named], limit: int) -> dict[str, _Named]:
    """Without the oldest, if there are more than ``limit``."""
    if len(found) > limit:
        del found[min(found, key=lambda name: found[name].index)]
    return found


def _kept(tokens: Mapping[str, JoinToken], now: datetime) -> dict[str, JoinToken]:
    return {name: token for name, token in tokens.items() if token.expires + KEPT > now}


def _changed(tokens: Mapping[str, JoinToken], entry: TokenUsed | TokenRevoked) -> dict[str, JoinToken]:
    token = tokens.get(entry.token)
    if token is None:
        return {}
    if isinstance(entry, TokenRevoked):
        return {entry.token: replace(token, revoked=True)}
    used = replace(token, used_by=entry.cluster, used_uid=entry.cluster_uid, claim=entry.claim)
    return {entry.token: used}


def assume_before(state: Membership, entry: MembershipEntry, now: datetime) -> Membership:
    """``state`` with what ``entry`` needs, where earlier entries were not read (``assumed``).

    A token that is not known was made before; what happened to it there is not known.
    """
    if isinstance(entry, TokenUsed | TokenRevoked | MemberJoined) and entry.token not in state.tokens:
        token = JoinToken("", (), now, _NEVER)
        if isinstance(entry, MemberJoined):
            token = replace(token, used_by=entry.cluster, used_uid=entry.cluster_uid)
        return replace(state, tokens={**state.tokens, entry.token: token})
    if isinstance(entry, MemberLeft) and entry.cluster not in state.kicked:
        kicked = Kicked(entry.kick, entry.cluster_uid, "", "", False, False, _UNKNOWN, now)
        return replace(state, kicked={**state.kicked, entry.cluster: kicked})
    assumed = state.primary is None or state.primary.cluster_uid == _UNKNOWN
    if assumed and isinstance(entry, Demoted | TokenCreated):
        uid = entry.cluster_uid if isinstance(entry, Demoted) else _UNKNOWN
        return replace(state, primary=Primary(0, uid, _UNKNOWN, 0, _NONE, _NONE, now))
    return state
