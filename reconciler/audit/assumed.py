"""Judging the entries after a remembered checkpoint without reading those before it.

Rules: the entries up to the checkpoint were verified when it was remembered. So what an entry refers to there
is taken as the entry says (the commit accepted last, the pinned ref, a cluster's last sequence, the log's
key), once, when it is first met; from then on it has to follow. The intent of an outcome is looked up, and
may be closed once. Only the verification of the whole log knows whether it was closed before, too.

Worked example: in a window that begins after the acceptance of commit A,

    commit-accepted B after A    passes: that A was accepted is assumed
    commit-accepted C after A    does not follow: the commit accepted last is B
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from reconciler.audit.entry import CommitAccepted, Entry, Intent, KeyRotated, Outcome
from reconciler.audit.membership import ENTRIES as MEMBERSHIP_ENTRIES
from reconciler.audit.membership import MembershipEntry, assume_before
from reconciler.audit.state import AcceptedCommit, IntentState, LogKey, LogState

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BEFORE = -1  # the index of what is assumed


@dataclass(slots=True)
class Past:
    """What lies before index ``start``; ``look`` reads an entry there, or gives None if it cannot be read."""

    start: int
    look: Callable[[int], Entry | None]
    _closed: set[int] = field(default_factory=set)

    def assume(self, state: LogState, entry: Entry) -> LogState:
        """``state`` with what ``entry`` needs from the past and the window has not shown."""
        if isinstance(entry, MEMBERSHIP_ENTRIES):
            return _membership(state, entry)
        match entry:
            case CommitAccepted():
                return _accepted(state, entry.previous, entry.ref)
            case Intent() if state.accepted is None:
                return _accepted(state, entry.commit, "")
            case KeyRotated() if not state.keys:
                return replace(state, public_key=entry.old_key, keys=(LogKey(entry.old_key, 0),))
            case Outcome() if entry.intent < self.start and entry.intent not in self._closed:
                self._closed.add(entry.intent)
                return _open(state, entry, self.look(entry.intent))
        return state


def _membership(state: LogState, entry: MembershipEntry) -> LogState:
    """The trust counts as initialized: nobody joins before."""
    keys = state.keys or (LogKey("-", 0),)
    membership = assume_before(state.membership, entry, entry.time or _EPOCH)
    return replace(state, keys=keys, membership=membership)


def _accepted(state: LogState, commit: str, ref: str) -> LogState:
    state = replace(state, ref=state.ref or ref)
    if state.accepted is None or state.accepted.index == _BEFORE:
        return replace(state, accepted=AcceptedCommit(_BEFORE, commit, "", _EPOCH))
    return state


def _open(state: LogState, outcome: Outcome, intent: Entry | None) -> LogState:
    """The intent as open, if it is one of the outcome's cluster."""
    if not isinstance(intent, Intent) or intent.cluster != outcome.cluster:
        return state
    opened = IntentState(
        outcome.intent, intent.cluster_uid, intent.commit, intent.change_set, intent.sequence, _EPOCH
    )
    member = state.cluster(outcome.cluster)
    member = replace(member, intent=member.intent or opened, pending=(*member.pending, opened))
    return replace(state, clusters={**state.clusters, outcome.cluster: member})
