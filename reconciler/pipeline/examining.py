"""``doctor``: what is wrong with the members, and with the ways to them.

- All members at once, each within its own time: one that is broken, slow or hostile hides nothing of the
  others, and what was seen of it until then is kept.
- Nothing is written, to no member and not to the log.
- Members are looked at as the accepted commit registers them, so that a commit nobody accepted sends no
  credentials anywhere; a caller who names another commit decides that.
- The member room says what it saw; guard and fields are judged here, where it is known how they should be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import orjson

from reconciler.documents import Cluster, Fleet
from reconciler.errors import FleetwardError
from reconciler.member.client import Member
from reconciler.member.diagnosis.member import Seen
from reconciler.member.diagnosis.results import (
    Bounds,
    Grade,
    MemberCheck,
    Result,
    failed,
    failed_by,
    ok,
    skipped,
    warning,
)
from reconciler.member.diagnosis.viewer import CHECKS
from reconciler.member.errors import CODES
from reconciler.member.guard import guard_objects
from reconciler.member.versions import minor
from reconciler.model import Clock, Desired, Json, ObjectRef
from reconciler.pipeline.check import Checked
from reconciler.pipeline.examining_host import HostCheck
from reconciler.pipeline.guarding import guarded
from reconciler.pipeline.likeness import unlike
from reconciler.pipeline.managed_fields import Contested, contested_fields

_MOST = 5  # objects that are named
_SUPPORTED = 3  # minor versions that the Kubernetes project supports at a time


@dataclass(frozen=True, slots=True)
class ExaminePorts:
    """How members are reached, by who writes and who only reads, and the time."""

    connect: Callable[[Cluster, Fleet], Member]
    connect_viewer: Callable[[Cluster, Fleet], Member]
    clock: Clock


@dataclass(frozen=True, slots=True)
class Examination:
    """One member's results, by URL and then for all of it; ``version`` is "" where nobody answered."""

    cluster: str
    results: tuple[Result, ...]
    version: str = ""

    def count(self, grade: Grade) -> int:
        """How many checks came out so."""
        return sum(result.grade is grade for result in self.results)


async def examine(
    checked: Checked, ports: ExaminePorts, bounds: Bounds, clusters: Collection[str] = (),
    kicked: Collection[str] = (),
) -> tuple[Examination, ...]:  # fmt: skip
    """Examine these members, all for none; suspended or kicked ones only by name. Raises SettingsError."""

    async def one(cluster: Cluster) -> Examination:
        if cluster.name not in clusters and (why := _left_alone(cluster, kicked)):
            reason = f"it {why}; name it with --cluster to examine it"
            return Examination(cluster.name, (skipped(MemberCheck.EXAMINED, reason),))
        return await _examine(checked, ports, bounds, cluster)

    return tuple(await asyncio.gather(*map(one, checked.select(tuple(clusters)))))


def _left_alone(cluster: Cluster, kicked: Collection[str]) -> str:
    if cluster.suspend:
        return "is suspended (spec.suspend)"
    return "was kicked" if cluster.name in kicked else ""


async def _examine(checked: Checked, ports: ExaminePorts, bounds: Bounds, cluster: Cluster) -> Examination:
    check = MemberCheck.EXAMINED
    expected = f"done within {bounds.timeout.total_seconds():g} s"
    desired = guarded(checked.compiled[cluster.name].desired, cluster)
    seen = Seen()
    try:
        async with (
            asyncio.timeout(bounds.timeout.total_seconds()),
            ports.connect(cluster, checked.read_fleet) as member,
        ):
            await member.examine(desired, seen, clock=ports.clock, bounds=bounds)
            await _examine_viewer(checked, ports, bounds, cluster, desired, seen)
        last = ok(check, expected, "done")
    except TimeoutError:
        hint = "give it more --timeout, or look at the last results: what follows them is slow"
        last = failed(check, expected, "what is shown, and no more", hint, code="FW1730")
    except FleetwardError as error:
        last = failed_by(check, error, expected)
    results = [*seen.all_results, *_judged(cluster, desired, seen)]
    reached = {result.check for result in results} | {check}
    results += [skipped(one, "it was not reached") for one in MemberCheck if one not in reached]
    return Examination(cluster.name, (*results, last), seen.version)


async def _examine_viewer(
    checked: Checked, ports: ExaminePorts, bounds: Bounds, cluster: Cluster, desired: Desired, seen: Seen
) -> None:  # fmt: skip
    if cluster.viewer_credentials is None:
        reason = "no viewerCredentials are registered: the writer's are used to read"
        seen.results.extend(skipped(check, reason) for check in CHECKS)
        return
    try:
        async with ports.connect_viewer(cluster, checked.read_fleet) as viewer:
            await viewer.examine_viewer(desired, seen, clock=ports.clock, bounds=bounds)
    except FleetwardError as error:
        seen.results.append(failed_by(MemberCheck.VIEWER, error, "credentials of its own"))


def _judged(cluster: Cluster, desired: Desired, seen: Seen) -> list[Result]:
    if seen.bodies is None:
        return []
    bodies = {item.ref: orjson.loads(item.body) for item in desired.objects if item.ref in seen.bodies}
    return [_guard(cluster, desired, seen.bodies), _managers(bodies, seen)]


def _guard(cluster: Cluster, desired: Desired, live: Mapping[ObjectRef, Json]) -> Result:
    check, expected = MemberCheck.GUARD, f"the guard, for {cluster.username}"
    if cluster.mode == "observe":
        return skipped(check, "a member in mode observe has none")
    names = {(item["kind"], item["metadata"]["name"]) for item in guard_objects(cluster.username)}
    wrong = []
    for item in desired.objects:
        if (item.ref.kind, item.ref.name) in names:
            body = live.get(item.ref)
            differences = unlike(orjson.loads(item.body), body) if body else ("is missing",)
            wrong += [f"{item.ref}: {'; '.join(differences[:_MOST])}"] if differences else []
    if wrong:
        return failed(check, expected, "; ".join(wrong), CODES["FW1733"][1], code="FW1733")
    return ok(check, expected, f"{len(names)} objects, as compiled")


def _managers(applied: Mapping[ObjectRef, Json], seen: Seen) -> Result:
    """A field that was taken from us is fought over; a shared one will be, once either changes it."""
    check, expected = MemberCheck.MANAGERS, "nobody else owns fields that are applied"
    bodies = seen.bodies or {}
    looked = [ref for ref in seen.sample if ref in bodies and ref in applied]
    if not looked:
        return skipped(check, "there is no object of ours to look at")
    of = f"{len(looked)} of {seen.total} objects looked at"
    found = {ref: list(contested_fields(applied[ref], bodies[ref])) for ref in looked}
    taken = {ref: fields for ref, fields in found.items() if any(field.taken for field in fields)}
    hint = f"{CODES['FW1713'][1]}; or find the other manager and stop it"
    if taken:
        return failed(check, expected, f"{_contested(taken)} ({of})", hint, code="FW1713")
    shared = {ref: fields for ref, fields in found.items() if fields}
    if shared:
        return warning(check, expected, f"{_contested(shared)} ({of})", hint, code="FW1713")
    return ok(check, expected, of)


def _contested(found: Mapping[ObjectRef, Sequence[Contested]]) -> str:
    rows = [
        f"{ref}: {', '.join(map(str, sorted(fields, key=lambda field: not field.taken)[:_MOST]))}"
        for ref, fields in found.items()
    ]
    return "; ".join([*rows[:_MOST], *([f"and {len(rows) - _MOST} more"] if len(rows) > _MOST else [])])


def fleet_versions(examinations: Sequence[Examination]) -> Result:
    """How far the members' versions are apart; more than what is supported at a time is a warning."""
    check = HostCheck.FLEET_VERSIONS
    versions = {one.cluster: one.version for one in examinations if one.version}
    if len(versions) < 2:
        return skipped(check, "fewer than two members say their version")
    expected = f"at most {_SUPPORTED} minor versions, as the Kubernetes project supports"
    by_minor = sorted(versions, key=lambda name: minor(versions[name]))
    oldest, newest = by_minor[0], by_minor[-1]
    found = f"{versions[oldest]} ({oldest}) to {versions[newest]} ({newest})"
    low, high = minor(versions[oldest]), minor(versions[newest])
    if high[0] != low[0] or high[1] - low[1] >= _SUPPORTED:
        return warning(check, expected, found, f"upgrade {oldest}")
    return ok(check, expected, found)
