"""What the record says after a change set, or after a look that found nothing to change. Pure.

- Written: as the API server answered. Kept: as the probe or the list showed it. Failed: as it was recorded
  before, so that the next run looks at it again; a failed deletion stays ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from reconciler.member.authorization import ChangeSetView
from reconciler.member.discovery import Kind, Kinds, Resource
from reconciler.model import (
    MEMBER_NAMESPACE,
    Desired,
    DesiredObject,
    ObjectOutcome,
    ObjectRef,
    ObjectResult,
    Observation,
    Record,
    Recorded,
)

_GOOD = (ObjectResult.CREATED, ObjectResult.UPDATED, ObjectResult.UNCHANGED)
_BAD = (ObjectResult.FAILED, ObjectResult.SKIPPED)


def scope(desired: Desired) -> tuple[frozenset[Kind], frozenset[str]]:
    """Kinds and namespaces that the ApplySet parent has to name; its own namespace is implied."""
    kinds = frozenset((item.ref.group, item.ref.kind) for item in desired.objects)
    spaces = frozenset(item.ref.namespace for item in desired.objects)
    return kinds, spaces - {"", MEMBER_NAMESPACE}


def record_after(
    view: ChangeSetView, change_set: str, log_index: int, desired: Desired, seen: Observation,
    previous: Record | None, outcomes: Mapping[ObjectRef, ObjectOutcome],
) -> Record:  # fmt: skip
    """The record of a change set that was applied, with all its failures."""
    known = previous.objects if previous else {}
    objects: dict[ObjectRef, Recorded] = {}
    for item in desired.objects:
        outcome = outcomes.get(item.ref)
        entry = _kept(item, seen) if outcome is None else _after(outcome, known.get(item.ref))
        if entry:
            objects[item.ref] = entry
    for ref, outcome in outcomes.items():
        if ref not in objects and outcome.result in _BAD and ref in known:
            objects[ref] = known[ref]
    return Record(
        view.cluster_uid, view.commit, desired.digest, change_set, log_index, view.sequence, objects
    )


def refreshed(desired: Desired, seen: Observation) -> Record | None:
    """The record with today's resourceVersions; None when there is none or it says them already.

    Only what a probe found unchanged, or what is as recorded, gets a new version.
    """
    if seen.record is None:
        return None
    objects = {}
    for item in desired.objects:
        probe = seen.probes.get(item.ref)
        settled = probe is None or (probe.before is not None and probe.before == probe.after)
        entry = _kept(item, seen) if settled else seen.record.objects.get(item.ref)
        if entry:
            objects[item.ref] = entry
    record = replace(seen.record, desired_digest=desired.digest, objects=objects)
    return None if record == seen.record else record


def unsure(outcomes: Mapping[ObjectRef, ObjectOutcome]) -> frozenset[Kind]:
    """Kinds of failed objects: a write whose answer was lost may have got through."""
    return frozenset((ref.group, ref.kind) for ref, o in outcomes.items() if o.result is ObjectResult.FAILED)


async def resources_of(kinds: Kinds, record: Record) -> list[Resource]:
    """The resources of all recorded kinds, so that the next run needs no discovery."""
    wanted = sorted({(ref.group, ref.kind) for ref in record.objects})
    return [await kinds.find(kind) for kind in wanted]


def _kept(item: DesiredObject, seen: Observation) -> Recorded | None:
    probe, meta = seen.probes.get(item.ref), seen.live.get(item.ref)
    if probe is not None and probe.before is not None:
        metadata = probe.before["metadata"]
        return Recorded(item.digest, metadata["uid"], metadata["resourceVersion"])
    return Recorded(item.digest, meta.uid, meta.resource_version) if meta else None


def _after(outcome: ObjectOutcome, known: Recorded | None) -> Recorded | None:
    if outcome.result in _GOOD:
        return Recorded(outcome.digest, outcome.uid, outcome.resource_version)
    return known
