"""How every member stands: the log for what was accepted and applied, a look for what is there now.

A member that does not answer is shown as it was last seen, marked stale, with the age of that look. Nothing
is written, neither to a member nor to the log; what was seen, and since when, is kept in the contact memory.
Clusters that are about to join, and those that left lately, come after the members.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.audit.state import ClusterState, LogState
from reconciler.documents import Cluster
from reconciler.pipeline.check import Checked
from reconciler.pipeline.contact import Contact
from reconciler.pipeline.ports import MemberPorts
from reconciler.pipeline.propose import Proposal, propose_live
from reconciler.pipeline.standings import facts_of, noted, outside, suspend_reasons
from reconciler.pipeline.states import (
    NEEDS_NOBODY,
    Departed,
    Look,
    MemberState,
    Proposed,
    Standing,
    standing,
)
from reconciler.plan import Action, Plan


@dataclass(frozen=True, slots=True)
class MemberStatus:
    """One member. Counts are of the last look; ``stale`` says that this is not now.

    Of a cluster outside of the fleet (pending, kicked, left) only its standing is known; ``mode`` is "".
    """

    cluster: str
    state: MemberState
    mode: str
    accepted: str  # commit
    applied: str  # the commit whose state it has; when that is none: of the last whole change set, or ""
    last_result: str  # of the last outcome in the log, "" if there is none
    last_change: datetime | None
    objects: int
    changes: int  # what a reconcile would do now
    drift: int
    seen: datetime | None
    stale: bool
    error: str
    since: datetime | None = None  # when the state began, None if that is not known
    reason: str = ""  # of the state, in one line
    code: str = ""  # of the reason
    uid: str = ""  # of a cluster that is about to join
    branch: str = ""  # where its registration is proposed
    version: str = ""  # of the API server, as it was last seen
    failures: int = 0
    retry_at: datetime | None = None
    credential_expires: datetime | None = None  # of the reconciler's own credential there
    credential_error: str = ""  # why it was not renewed, the last time
    viewer_expires: datetime | None = None  # of the viewer's
    viewer_error: str = ""

    @property
    def good(self) -> bool:
        """Whether this member needs nobody's attention."""
        if self.mode == "observe" and self.state is MemberState.OUT_OF_SYNC:
            return True  # its plan waits for a person, not for the reconciler
        well = self.mode == "observe" or self.last_result in ("", "applied")
        return self.state in NEEDS_NOBODY and (well or not self.mode)


async def fleet_status(
    checked: Checked, state: LogState, ports: MemberPorts, clusters: tuple[str, ...] = (), *,
    proposed: Iterable[Proposed] = (), departed: Mapping[str, Departed] | None = None,
) -> tuple[MemberStatus, ...]:  # fmt: skip
    """Look at all members at once, by reading alone where a viewer is registered.

    ``proposed`` and ``departed`` (by name) are shown too; ``clusters`` may name them.
    """
    gone, joining = departed or {}, {one.cluster: one for one in proposed}
    members = checked.select(())
    strangers = outside(state, joining.values(), gone, [one.name for one in members], ports.clock())
    named = tuple(name for name in clusters if name not in strangers)
    chosen = checked.select(named) if named or not clusters else ()
    names = tuple(cluster.name for cluster in chosen)
    seen = await propose_live(checked, ports, names, dry_run=False, left_alone=gone.keys()) if names else ()
    reasons = suspend_reasons(checked.read_fleet)
    look = _Looked(state, {one.cluster: one for one in seen}, ports, reasons, gone)
    found = [look.status(cluster) for cluster in chosen]
    found += [_stranger(n, strangers[n], joining.get(n)) for n in strangers if n in (clusters or strangers)]
    return tuple(found)


def _stranger(name: str, found: Standing, joining: Proposed | None) -> MemberStatus:
    return MemberStatus(
        name, found.state, mode="", accepted="", applied="", last_result="", last_change=None, objects=0,
        changes=0, drift=0, seen=None, stale=False, error="", since=found.since, reason=found.reason,
        code=found.code, uid=joining.uid if joining else "", branch=joining.branch if joining else "",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Looked:
    """What the statuses of one look have in common."""

    log: LogState
    proposals: Mapping[str, Proposal]
    ports: MemberPorts
    suspend_reasons: Mapping[str, str]
    departed: Mapping[str, Departed]

    def status(self, cluster: Cluster) -> MemberStatus:
        """One member's; its standing is kept."""
        proposal, now = self.proposals.get(cluster.name), self.ports.clock()
        facts = facts_of(
            cluster, self.log, self.ports.contacts.get(cluster.name), now, look=_look(proposal),
            suspend_reason=self.suspend_reasons.get(cluster.name, ""),
            departed=self.departed.get(cluster.name),
        )  # fmt: skip
        found = standing(facts)
        assert found is not None  # noqa: S101  it is registered, and was looked at unless it is suspended
        self.ports.contacts.update(cluster.name, lambda last: _noted(last, found, proposal, now))
        return _status(cluster, self.log, found, proposal, self.ports)


def _look(proposal: Proposal | None) -> Look | None:
    if proposal is None:
        return None
    plan = proposal.plan
    if plan is None:
        return Look(None, reached=proposal.reached, error=proposal.error)
    return Look(len(plan.changes), len(plan.drift), version=proposal.version)


def _noted(last: Contact, found: Standing, proposal: Proposal | None, now: datetime) -> Contact:
    """With what was seen now; what the circuit breaker knows is the reconciler's."""
    plan = proposal.plan if proposal else None
    if proposal is None or plan is None:
        return noted(last, found)
    version = proposal.version or last.version
    seen = replace(last, seen=now, version=version, objects=_existing(plan), drift=len(plan.drift))
    return noted(seen, found)


def _status(
    cluster: Cluster, state: LogState, found: Standing, proposal: Proposal | None, ports: MemberPorts
) -> MemberStatus:
    last = ports.contacts.get(cluster.name)
    logged = state.cluster(cluster.name)
    plan = proposal.plan if proposal else None
    now = ports.clock()
    return MemberStatus(
        cluster=cluster.name,
        state=found.state,
        since=found.since,
        reason=found.reason,
        code=found.code,
        version=last.version,
        mode=cluster.mode,
        accepted=state.accepted.commit if state.accepted else "",
        applied=_applied(state, logged, plan),
        last_result=logged.outcome.result.value if logged.outcome else "",
        last_change=logged.outcome.time if logged.outcome else None,
        objects=_existing(plan) if plan else last.objects,
        changes=len(plan.changes) if plan else 0,
        drift=len(plan.drift) if plan else last.drift,
        seen=now if plan else last.seen,
        stale=plan is None,
        error=_error(proposal, logged, plan),
        failures=last.failures,
        retry_at=last.retry_at,
        credential_expires=last.credential_expires or logged.credential_expires,
        credential_error=last.credential_error,
        viewer_expires=last.viewer_expires,
        viewer_error=last.viewer_error,
    )


def _applied(state: LogState, logged: ClusterState, plan: Plan | None) -> str:
    if plan and not plan.changes and state.accepted:
        return state.accepted.commit
    return logged.applied.commit if logged.applied else ""


def _existing(plan: Plan) -> int:
    return plan.kept + len(plan.changes) - plan.count(Action.CREATE)


def _error(proposal: Proposal | None, logged: ClusterState, plan: Plan | None) -> str:
    if proposal and proposal.error:
        return proposal.error
    if logged.refused and not (plan and not plan.changes):  # a member that is in sync was refused before that
        return f"refused: {logged.refused.summary}"
    return logged.outcome.error if logged.outcome else ""
