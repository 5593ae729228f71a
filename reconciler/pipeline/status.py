"""How every member stands: the log for what was accepted and applied, a look for what is there now.

A member that does not answer is shown as it was last seen, marked stale, with the age of that look. Nothing
is written, neither to a member nor to the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from reconciler.audit.membership import Kicked
from reconciler.audit.state import ClusterState, LogState
from reconciler.documents import Cluster
from reconciler.pipeline.check import Checked
from reconciler.pipeline.ports import MemberPorts
from reconciler.pipeline.propose import Proposal, propose_live
from reconciler.plan import Action, Plan


class Health(StrEnum):
    """A member in one word."""

    SYNCED = "synced"
    OUT_OF_SYNC = "out-of-sync"
    UNREACHABLE = "unreachable"
    FAILING = "failing"  # it answers, with a refusal
    SUSPENDED = "suspended"
    KICKED = "kicked"  # and not all of it is done
    LEFT = "left"  # kicked, and its registration is still there


@dataclass(frozen=True, slots=True)
class MemberStatus:
    """One member. Counts are of the last look; ``stale`` says that this is not now."""

    cluster: str
    health: Health
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
    failures: int = 0
    retry_at: datetime | None = None
    credential_expires: datetime | None = None  # of the reconciler's own credential there
    credential_error: str = ""  # why it was not renewed, the last time
    viewer_expires: datetime | None = None  # of the viewer's
    viewer_error: str = ""

    @property
    def good(self) -> bool:
        """Whether this member needs nobody's attention."""
        if self.mode == "observe":  # its plan waits for a person, not for the reconciler
            return self.health in (Health.SYNCED, Health.OUT_OF_SYNC, Health.SUSPENDED)
        if self.health is Health.LEFT:
            return True
        return self.health in (Health.SYNCED, Health.SUSPENDED) and self.last_result in ("", "applied")


async def fleet_status(
    checked: Checked, state: LogState, ports: MemberPorts, clusters: tuple[str, ...] = (), *,
    kicked: Mapping[str, Kicked] | None = None,
) -> tuple[MemberStatus, ...]:  # fmt: skip
    """Look at all members at once, by reading alone where a viewer is registered; not at those ``kicked``."""
    gone = kicked or {}
    looked = await propose_live(checked, ports, clusters, dry_run=False, left_alone=gone.keys())
    proposals = {p.cluster: p for p in looked}
    found = []
    for cluster in checked.select(clusters):
        status = _status(cluster, state, proposals.get(cluster.name), ports)
        one = gone.get(cluster.name)
        found.append(_kicked(status, one, ports.clock()) if one else status)
    return tuple(found)


def _kicked(status: MemberStatus, kicked: Kicked, now: datetime) -> MemberStatus:
    """A member that was kicked: since when and why, and what is still to be done."""
    health = Health.KICKED if kicked.left is None else Health.LEFT
    because = f": {kicked.reason}" if kicked.reason else ""
    rest = (
        f"finish it: fleetward kick {status.cluster}" if kicked.left is None
        else f"its registration is still there: merge leave/{status.cluster}"
    )  # fmt: skip
    days = (now - kicked.time).total_seconds() / 86_400
    error = f"kicked {days:.1f} days ago by {kicked.actor}{because}; {rest}"
    return replace(status, health=health, error=error)


def _status(cluster: Cluster, state: LogState, proposal: Proposal | None, ports: MemberPorts) -> MemberStatus:
    last = ports.contacts.get(cluster.name)
    logged = state.cluster(cluster.name)
    plan = proposal.plan if proposal else None
    now = ports.clock()
    return MemberStatus(
        cluster=cluster.name,
        health=_health(cluster, proposal),
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


def _health(cluster: Cluster, proposal: Proposal | None) -> Health:
    if cluster.suspend or proposal is None:
        return Health.SUSPENDED
    if proposal.plan is None:
        return Health.FAILING if proposal.reached else Health.UNREACHABLE
    return Health.OUT_OF_SYNC if proposal.plan.changes else Health.SYNCED
