"""The status of the fleet's ClusterProfiles on the primary, after a run.

Rules kept here
- It is written only by a run in which the primary itself took part, was reached and may be written. It never
  fails a run: what went wrong is reported.
- It is read first, and written where it says something new.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from reconciler.compile.profiles import Mirror, fleet_mirror
from reconciler.documents import Cluster
from reconciler.errors import MemberError
from reconciler.pipeline.profile_status import Facts, due, status_of
from reconciler.pipeline.run import Deployment, MemberResult


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What became of the statuses: how many profiles there are, how many were written, what went wrong."""

    profiles: int
    written: int
    errors: tuple[str, ...] = ()


async def mirror(run: Deployment, results: Collection[MemberResult]) -> Mirrored | None:
    """Bring the statuses up to date; None where there is nothing to mirror in this run."""
    fleet = run.checked.read_fleet
    asked = fleet_mirror(fleet)
    primary = next((c for c in fleet.clusters if asked and c.name == asked.primary), None)
    if asked is None or primary is None or not _writable(primary, results):
        return None
    limit = run.checked.federation.limits.apply_timeout
    try:
        async with asyncio.timeout(limit.total_seconds()):
            return await _mirror(run, asked, primary, results)
    except MemberError as error:
        return Mirrored(0, 0, (str(error),))
    except TimeoutError:
        return Mirrored(0, 0, (f"the primary took longer than spec.limits.applyTimeout ({limit})",))


def _writable(primary: Cluster, results: Iterable[MemberResult]) -> bool:
    result = next((one for one in results if one.cluster == primary.name), None)
    return result is not None and result.plan is not None and primary.mode == "enforce"


async def _mirror(
    run: Deployment, asked: Mirror, primary: Cluster, results: Collection[MemberResult]
) -> Mirrored:
    uids = {one.cluster: one.plan.cluster_uid for one in results if one.plan}
    clusters = {str(cluster.name): cluster for cluster in run.checked.read_fleet.clusters}
    now = run.members.clock()
    async with run.members.connect(primary, run.checked.read_fleet) as member:
        ours = [one for one in await member.our_profiles(asked.namespace) if one.name in clusters]
        wanted = []
        for profile in ours:
            facts = _facts(run, clusters[profile.name], uids.get(profile.name, ""))
            status = status_of(facts, profile.status, now)
            if due(status, profile.status):
                wanted.append((profile, status))
        failed = await member.write_statuses(asked.namespace, wanted)
    said = tuple(str(failed[name]) for name in sorted(failed))
    return Mirrored(len(ours), len(wanted) - len(failed), said)


def _facts(run: Deployment, cluster: Cluster, uid: str) -> Facts:
    contact = run.members.contacts.get(cluster.name)
    intent = run.state.cluster(cluster.name).intent
    return Facts(
        cluster.api_servers, cluster.ca_bundle, cluster.tls_server_name, cluster.suspend, cluster.mode,
        uid or (intent.cluster_uid if intent else ""), contact.version, contact.seen,
        contact.error if contact.failures else "",
    )  # fmt: skip
