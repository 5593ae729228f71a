"""What would happen: plans without a write, from two commits alone or against the live members.

Members are asked side by side, and one that does not answer takes nothing from the others' plans.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

from reconciler.documents import Cluster
from reconciler.errors import FleetwardError
from reconciler.model import Finding
from reconciler.pipeline.check import Checked
from reconciler.pipeline.contact import unreachable
from reconciler.pipeline.guarding import guarded
from reconciler.pipeline.ports import MemberPorts
from reconciler.plan import Plan, build_plan, compare


@dataclass(frozen=True, slots=True)
class Proposal:
    """One member's plan, or why there is none."""

    cluster: str
    plan: Plan | None = field(repr=False)  # large, see ``check.Checked``
    findings: tuple[Finding, ...] = ()
    error: str = ""
    reached: bool = True


def propose_between(base: Checked, head: Checked, clusters: Collection[str] = ()) -> tuple[Proposal, ...]:
    """Plans from two commits alone; a cluster that the head no longer registers is not planned."""
    proposals = []
    for cluster in head.select(clusters):
        before = base.compiled.get(cluster.name)
        plan = compare(before.desired if before else None, head.compiled[cluster.name].desired)
        proposals.append(Proposal(cluster.name, plan))
    return tuple(proposals)


async def propose_live(
    checked: Checked, ports: MemberPorts, clusters: Collection[str] = (), *, deep: bool = False
) -> tuple[Proposal, ...]:
    """Plans against what the members have now; suspended members are left out."""
    chosen = [cluster for cluster in checked.select(clusters) if not cluster.suspend]
    return tuple(await asyncio.gather(*(_propose(checked, ports, cluster, deep) for cluster in chosen)))


async def _propose(checked: Checked, ports: MemberPorts, cluster: Cluster, deep: bool) -> Proposal:
    desired = guarded(checked.compiled[cluster.name].desired, cluster)
    limit = checked.federation.limits.apply_timeout
    try:
        async with (
            asyncio.timeout(limit.total_seconds()),
            ports.connect(cluster, checked.read_fleet) as member,
        ):
            seen = await member.observe(desired, deep=deep)
    except FleetwardError as error:
        return Proposal(cluster.name, None, error=str(error), reached=not unreachable(error))
    except TimeoutError:
        return Proposal(
            cluster.name, None, error=f"no answer within spec.limits.applyTimeout ({limit})", reached=False
        )
    return Proposal(cluster.name, build_plan(desired, seen))
