"""One scheduled run: fetch, verify, check, accept, then every member at once.

Fail closed: whatever is wrong with the commit stops the run before any member is contacted for writing;
whatever is wrong with one member stops that member only. A run that is stopped so writes to no member, but
renews the reconciler's own credentials there: else a day with a bad commit, or without the forge, ends them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from reconciler.audit.membership import Kicked
from reconciler.audit.state import LogState
from reconciler.audit.witnessed import WitnessReport
from reconciler.documents import Cluster
from reconciler.errors import AuditError, FleetwardError, RepositoryError, TrustError
from reconciler.pipeline.accepting import (
    TeleportError,
    accept,
    as_finding,
    judge_head,
    refuse,
    require_initialized,
)
from reconciler.pipeline.check import Checked
from reconciler.pipeline.deploy import deploy
from reconciler.pipeline.journal import Journal
from reconciler.pipeline.looking import Looks
from reconciler.pipeline.membership.standing import kicked_of
from reconciler.pipeline.mirroring import Mirrored, mirror
from reconciler.pipeline.origins import fleet_of
from reconciler.pipeline.ports import CheckPorts, MemberPorts, WritePorts
from reconciler.pipeline.renewing import renewed_apart
from reconciler.pipeline.run import Deployment, MemberResult, MemberState
from reconciler.pipeline.witnessing import ask_witnesses
from reconciler.plan import NOTHING_ALLOWED, Allowances

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Run:
    """What one run did."""

    commit: str
    accepted_now: bool
    checked: Checked
    members: tuple[MemberResult, ...]
    witnesses: WitnessReport | None = None  # None: the trust root names none
    profiles: Mirrored | None = None  # None: this run mirrored nothing

    @property
    def converged(self) -> bool:
        """True when every member that is to be in its desired state is."""
        return all(member.good for member in self.members)


async def reconcile(
    checks: CheckPorts,
    members: MemberPorts,
    writes: WritePorts,
    *,
    clusters: Collection[str] = (),
    deep: bool = False,
    allow: Allowances = NOTHING_ALLOWED,
) -> Run:
    """The whole flow once; ``clusters`` empty means all. Raises RefusedError with nothing applied."""
    state = writes.log.state()
    journal = Journal(writes.log)
    accepted = await _accepted(checks, writes, journal, state)
    try:
        checks.repository.fetch()
        head = await _head(checks, writes, journal, state.ref, accepted)
        checks.report(f"checking {head[:12]}")
        checked = await judge_head(checks, writes, journal, head, accepted)
    except AuditError:
        raise  # what cannot be logged is not renewed
    except FleetwardError:
        await _renew(checks, members, writes, journal, accepted, clusters)
        raise

    async def accept_once() -> None:
        if head != accepted:
            await accept(writes, journal, checked, state.ref)

    kicked = kicked_of(state, checked.read_fleet, checks.repository.blobs)
    selected = checked.select(clusters)
    chosen = [cluster for cluster in selected if cluster.name not in kicked]
    looks = Looks((cluster.name for cluster in chosen), accept_once)
    run = Deployment(checked, members, writes, journal, writes.log.state(), looks, deep, allow)
    results = await _deploy_all(run, chosen)
    results += tuple(
        _left_alone(cluster, kicked[cluster.name]) for cluster in selected if cluster.name in kicked
    )
    await looks.accept()
    mirrored = await mirror(run, results)
    root = checked.judgement.root if checked.judgement else checked.federation.root
    witnesses = await ask_witnesses(writes.log, root, checks.clock)
    return Run(head, head != accepted, checked, results, witnesses, mirrored)


def _left_alone(cluster: Cluster, kicked: Kicked) -> MemberResult:
    because = f": {kicked.reason}" if kicked.reason else ""
    error = f"kicked at entry {kicked.index}{because}; left alone until its registration changes or goes"
    return MemberResult(cluster.name, MemberState.KICKED, error=error)


async def _accepted(checks: CheckPorts, writes: WritePorts, journal: Journal, state: LogState) -> str:
    try:
        return require_initialized(state, checks.repository)
    except TeleportError as error:
        commit = state.accepted.commit if state.accepted else ""
        await refuse(journal, writes, commit, commit, (as_finding(error, checks.repository.location),))
        raise


async def _head(checks: CheckPorts, writes: WritePorts, journal: Journal, ref: str, accepted: str) -> str:
    """The commit of the pinned ref. That it is gone, or is no commit, is logged as a refusal."""
    try:
        return checks.repository.resolve(ref)
    except RepositoryError as error:
        await refuse(journal, writes, accepted, accepted, (as_finding(error, ref),))
        raise


async def _renew(
    checks: CheckPorts, members: MemberPorts, writes: WritePorts, journal: Journal, accepted: str,
    clusters: Collection[str],
) -> None:  # fmt: skip
    """Renew what is due of the members of the last accepted commit, if it is here. Raises AuditError."""
    state = writes.log.state()
    try:
        fleet = fleet_of(checks.repository, accepted, checks.cache)
        kicked = kicked_of(state, fleet, checks.repository.blobs)
    except (RepositoryError, TrustError) as error:
        checks.report(f"no credential was renewed: {error}")
        return
    looks = Looks((), _nothing)
    known = Checked(accepted, "", "", fleet)
    run = Deployment(known, members, writes, journal, state, looks, deep=False, allow=NOTHING_ALLOWED)
    names = clusters or {cluster.name for cluster in fleet.clusters}
    chosen = [cluster for cluster in fleet.clusters if cluster.name in names and cluster.name not in kicked]
    await _together(renewed_apart(run, cluster) for cluster in chosen)


async def _nothing() -> None:
    """No commit is accepted where none is applied."""


async def _deploy_all(run: Deployment, clusters: Sequence[Cluster]) -> tuple[MemberResult, ...]:
    """Every member at once. A log that fails stops what has not begun; what has begun ends in order."""
    return await _together(deploy(run, cluster) for cluster in clusters)


async def _together(members: Iterable[Awaitable[T]]) -> tuple[T, ...]:
    """All of them, each to its end; then the first error is raised."""
    results = await asyncio.gather(*members, return_exceptions=True)
    done = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        done.append(result)
    return tuple(done)
