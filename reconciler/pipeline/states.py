"""The states of a member, and which one it is in: a pure function of what is known (docs/states.md).

Rules:
- The first of these that holds: kicked or left; pending; suspended; unreachable; failing; version-mismatch;
  joined; out-of-sync; synced. ``None`` is for a name that is no member, and for one that nothing is known of.
- A departure (kicked, left) is over once the cluster has joined, or a change set was meant for it, after it.
- ``since`` is the time that the log has, or else when the state was first seen unbroken (``Remembered``).
- Without a look (``cluster list``) the state last seen holds, as far as registration and log do not say more.
- Nothing here keeps the reconciler from anything: a version-mismatch is reconciled like any other member.

This is how a member stands. How it came out of one run is ``run.MemberState``.

>>> from datetime import UTC
>>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
>>> known = Facts(now=noon, registered=True, intended=noon, look=Look(changes=2), wanted_version="1.36")
>>> str(standing(known))
'out-of-sync: 2 changes to make'
>>> str(standing(replace(known, look=Look(changes=0, version="v1.35.1"))))
'version-mismatch: FW1731: Kubernetes v1.35.1, registered is 1.36'
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from reconciler.member.versions import OLDEST, minor

# An annotation. Not below fleetward.io/, where only those that every release knows are read.
SUSPEND_REASON: Final = "cluster.fleetward.io/suspend-reason"
_CODE: Final = re.compile(r"(FW[0-9]{4}): ")
_LONGEST: Final = 600  # characters of a reason


class MemberState(StrEnum):
    """A member in one word."""

    PENDING = "pending"
    JOINED = "joined"
    SYNCED = "synced"
    OUT_OF_SYNC = "out-of-sync"
    VERSION_MISMATCH = "version-mismatch"
    UNREACHABLE = "unreachable"
    FAILING = "failing"  # it answers, with a refusal
    SUSPENDED = "suspended"
    KICKED = "kicked"
    LEFT = "left"


_S = MemberState
SEEN: Final = (_S.SYNCED, _S.OUT_OF_SYNC, _S.VERSION_MISMATCH, _S.UNREACHABLE, _S.FAILING)  # by a look
NEEDS_NOBODY: Final = (_S.SYNCED, _S.SUSPENDED, _S.PENDING, _S.KICKED, _S.LEFT)
_LOOKED: Final = frozenset({*SEEN, _S.JOINED})
_GONE: Final = frozenset({_S.KICKED, _S.LEFT})

# From each state the ones that can come next, and what leads there.
TRANSITIONS: Final[dict[MemberState, dict[MemberState, str]]] = {
    _S.PENDING: dict.fromkeys(_LOOKED | {_S.SUSPENDED}, "the registration is merged and accepted"),
    _S.JOINED: dict.fromkeys(_LOOKED - {_S.JOINED}, "the first change set, or a look")
    | {_S.SUSPENDED: "spec.suspend"}
    | dict.fromkeys(_GONE, "leave, kick"),
    **{
        state: dict.fromkeys(_LOOKED - {state, _S.JOINED}, "a look")
        | ({_S.JOINED: "a look, before the first change set"} if state in SEEN[2:] else {})
        | {_S.SUSPENDED: "spec.suspend"}
        | dict.fromkeys(_GONE, "leave, kick")
        for state in SEEN
    },
    _S.SUSPENDED: dict.fromkeys(_LOOKED, "spec.suspend is taken away") | dict.fromkeys(_GONE, "leave, kick"),
    _S.KICKED: {_S.LEFT: "the kick has come to its end", _S.PENDING: "it joins again"}
    | dict.fromkeys(_LOOKED | {_S.SUSPENDED}, "it joins again"),
    _S.LEFT: {_S.PENDING: "it joins again"} | dict.fromkeys(_LOOKED | {_S.SUSPENDED}, "it joins again"),
}


@dataclass(frozen=True, slots=True)
class Proposed:
    """A join whose registration is not merged. ``branch`` "": the token is used, and nothing proposed yet."""

    cluster: str
    uid: str
    branch: str
    since: datetime | None  # the join; None while it has not ended


@dataclass(frozen=True, slots=True)
class Departed:
    """The end of a membership, as the log has it."""

    state: Literal[MemberState.KICKED, MemberState.LEFT]
    since: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the member came to; ``changes`` None: there is no plan, and ``error`` says why."""

    changes: int | None = None
    drift: int = 0
    reached: bool = True
    version: str = ""  # of its API server ("v1.36.3"), "" if it did not say
    error: str = ""


@dataclass(frozen=True, slots=True)
class Remembered:
    """The state that was seen last, and since when it was so."""

    state: MemberState
    since: datetime | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that counts. Times are UTC; of the log, except ``now``."""

    now: datetime
    registered: bool = False  # by the accepted commit
    wanted_version: str = ""  # spec.kubernetesVersion
    observes: bool = False  # spec.mode: observe, never written
    suspended: bool = False
    suspend_reason: str = ""
    proposed: Proposed | None = None
    joined: datetime | None = None  # the last join by token
    intended: datetime | None = None  # the last change set meant for it
    knows_log: bool = True  # whether there is a log: without one "never" cannot be said
    departed: Departed | None = None
    look: Look | None = None  # None: not looked at now
    remembered: Remembered | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A state with its age and reason; ``code`` "" where there is none. ``since`` None: not known."""

    state: MemberState
    since: datetime | None
    reason: str = ""  # one line
    code: str = ""

    def __str__(self) -> str:
        return f"{self.state}: {self.reason}" if self.reason else self.state.value


def standing(facts: Facts) -> Standing | None:
    """Where a member stands; None for no member, and for one that was never seen. Never raises."""
    return next((found for rule in _RULES for found in rule(facts)), None)


def _departed(facts: Facts) -> Iterator[Standing]:
    gone = facts.departed
    if gone and not (facts.joined and facts.joined > gone.since):  # a kick has an intent of its own
        still = "its registration is still there: remove it" if facts.registered else ""
        yield Standing(gone.state, gone.since, _line("; ".join(filter(None, (gone.reason, still)))))


def _pending(facts: Facts) -> Iterator[Standing]:
    found = facts.proposed
    if found and not facts.registered:
        where = found.branch.removeprefix("refs/heads/")
        said = f"proposed on {where}: review and merge it" if where else "its join has begun and not ended"
        yield Standing(MemberState.PENDING, found.since, _line(said))


def _no_member(facts: Facts) -> Iterator[None]:
    if not facts.registered:
        yield None


def _suspended(facts: Facts) -> Iterator[Standing]:
    if facts.suspended:
        yield _kept(facts, MemberState.SUSPENDED, facts.suspend_reason)


def _silent(facts: Facts) -> Iterator[Standing]:
    look = facts.look
    if look and look.changes is None:
        state = MemberState.FAILING if look.reached else MemberState.UNREACHABLE
        yield _kept(facts, state, look.error)


def _other_version(facts: Facts) -> Iterator[Standing]:
    if facts.look and (said := version_problem(facts.look.version, facts.wanted_version)):
        yield _kept(facts, MemberState.VERSION_MISMATCH, said)


def _seen(facts: Facts) -> Iterator[Standing]:
    """Without a look what was seen last holds; nothing else can be said of such a member but by the log."""
    last = facts.remembered
    if facts.look is None and last and last.state in SEEN:
        yield _kept(facts, last.state, last.reason)


def _joined(facts: Facts) -> Iterator[Standing]:
    if facts.knows_log and facts.intended is None and not facts.observes:
        error = f": {facts.look.error}" if facts.look and facts.look.error else ""
        found = _kept(facts, MemberState.JOINED, f"no change set was applied yet{error}")
        yield replace(found, since=facts.joined or found.since)


def _compared(facts: Facts) -> Iterator[Standing]:
    look = facts.look
    if look and look.changes:
        drift = f", {look.drift} by drift" if look.drift else ""
        said = f"{look.changes} change{'s' if look.changes != 1 else ''} to make{drift}"
        said += f": {look.error}" if look.error else ""
        yield _kept(facts, MemberState.OUT_OF_SYNC, said)
    elif look:
        yield _kept(facts, MemberState.SYNCED, "")


_RULES: tuple[Callable[[Facts], Iterator[Standing | None]], ...] = (
    _departed, _pending, _no_member, _suspended, _silent, _other_version, _seen, _joined, _compared,
)  # fmt: skip


def version_problem(version: str, registered: str) -> str:
    """ "FW1731: ..." for another minor version than registered, or one too old; "" for none, or not known.

    >>> version_problem("v1.36.3", "1.36"), version_problem("", "1.36"), version_problem("x", "1.36")
    ('', '', '')
    >>> version_problem("v1.29.0", "1.29")
    'FW1731: Kubernetes v1.29.0, which fleetward does not support: 1.30 or newer'
    """
    if not minor(version):
        return ""
    shown = version[:40]
    if minor(version) < OLDEST:
        return f"FW1731: Kubernetes {shown}, which fleetward does not support: {_oldest()} or newer"
    if minor(registered) and minor(version) != minor(registered):
        return f"FW1731: Kubernetes {shown}, registered is {registered}"
    return ""


def _oldest() -> str:
    return ".".join(map(str, OLDEST))


def _kept(facts: Facts, state: MemberState, reason: str) -> Standing:
    """The state, since it was first seen unbroken; now if it was another."""
    last = facts.remembered
    said = _line(reason)
    code = _CODE.match(said)
    if last and last.state is state:
        since = min(last.since, facts.now) if last.since else facts.now
    else:
        since = facts.now
    return Standing(state, since, said, code[1] if code else "")


def _line(text: str) -> str:
    """One line, not too long."""
    said = " ".join(text[: 4 * _LONGEST].split())
    return said if len(said) <= _LONGEST else f"{said[: _LONGEST - 3]}..."
