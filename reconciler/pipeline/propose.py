"""What would happen: plans without a write, from two commits alone or against the live members.

Members are asked side by side, and one that does not answer takes nothing from the others' plans.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.documents import Cluster
from reconciler.errors import FleetwardError
from reconciler.model import Desired, Finding, Observation
from reconciler.pipeline.check import Checked
from reconciler.pipeline.contact import unreachable
from reconciler.pipeline.guarding import guarded
from reconciler.pipeline.ports import MemberPorts
from reconciler.pipeline.profile_kinds import unprepared
from reconciler.plan import Plan, build_plan, compare

if TYPE_CHECKING:
    from reconciler.member.client import Member


@dataclass(frozen=True, slots=True)
class Proposal:
    """One member's plan, or why there is none."""

    cluster: str
    plan: Plan | None = field(repr=False)  # large, see ``check.Checked``
    findings: tuple[Finding, ...] = ()
    error: str = ""
    reached: bool = True
    version: str = ""  # of the API server, "" if it was not asked


def propose_between(base: Checked, head: Checked, clusters: Collection[str] = ()) -> tuple[Proposal, ...]:
    """Plans from two commits alone; a cluster that the head no longer registers is not planned."""
    proposals = []
    for cluster in head.select(clusters):
        before = base.compiled.get(cluster.name)
        plan = compare(before.desired if before else None, head.compiled[cluster.name].desired)
        proposals.append(Proposal(cluster.name, plan))
    return tuple(proposals)


async def propose_live(
    checked: Checked, ports: MemberPorts, clusters: Collection[str] = (), *, deep: bool = False,
    dry_run: bool = True, left_alone: Collection[str] = (),
) -> tuple[Proposal, ...]:  # fmt: skip
    """Plans against what the members have now; suspended members are left out, and those of ``left_alone``.

    Where a viewer is registered, it does the reading. Objects in doubt then need a dry run by the writer;
    without ``dry_run`` they are only read too, and the plan says what reading can tell.
    """
    selected = checked.select(clusters)
    chosen = [one for one in selected if not one.suspend and one.name not in left_alone]
    return tuple(
        await asyncio.gather(*(_propose(checked, ports, cluster, deep, dry_run) for cluster in chosen))
    )


async def _propose(
    checked: Checked, ports: MemberPorts, cluster: Cluster, deep: bool, dry_run: bool
) -> Proposal:
    desired = guarded(checked.compiled[cluster.name].desired, cluster)
    limit = checked.federation.limits.apply_timeout
    try:
        async with asyncio.timeout(limit.total_seconds()):
            plan, missing, version = await _plan(checked, ports, cluster, desired, deep, dry_run)
    except FleetwardError as error:
        return Proposal(cluster.name, None, error=str(error), reached=not unreachable(error))
    except TimeoutError:
        return Proposal(
            cluster.name, None, error=f"no answer within spec.limits.applyTimeout ({limit})", reached=False
        )
    return Proposal(cluster.name, plan, error=str(missing) if missing else "", version=version)


async def _plan(
    checked: Checked, ports: MemberPorts, cluster: Cluster, desired: Desired, deep: bool, dry_run: bool
) -> tuple[Plan, FleetwardError | None, str]:
    """The plan, why it could not be carried out as far as that is known already, and, without ``dry_run``,
    for a status, the API server's version."""
    async with ports.view(cluster, checked.read_fleet) as member:
        version = "" if dry_run else await member.version()
        plan = build_plan(desired, await _look(checked, ports, cluster, member, desired, deep, dry_run))
        return plan, await unprepared(member, desired, plan), version


async def _look(
    checked: Checked, ports: MemberPorts, cluster: Cluster, member: Member, desired: Desired, deep: bool,
    dry_run: bool,
) -> Observation:  # fmt: skip
    if cluster.viewer_credentials is None:
        return await member.observe(desired, deep=deep)
    if not dry_run:
        return await member.observe(desired, deep=deep, prober=member.estimate)
    async with ports.connect(cluster, checked.read_fleet) as writer:  # which connects if anything is in doubt
        return await member.observe(desired, deep=deep, prober=writer.probe)
