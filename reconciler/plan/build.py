"""Desired x observation -> plan, and desired x desired -> plan.

What carries our ApplySet label and is no longer desired is deleted (KEP-3659: the label is membership).
A dry-run apply that would change nothing is a keep, whatever the resourceVersion says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import orjson

from reconciler.model import Desired, DesiredObject, Json, LiveMeta, ObjectRef, Observation, Probe, Recorded
from reconciler.plan.changes import SYSTEM_SOURCE, Action, Change, Plan
from reconciler.plan.diff import comparable, diff_objects


def build_plan(desired: Desired, seen: Observation) -> Plan:
    """The changes that bring the observed member to its desired state."""
    recorded = seen.record.objects if seen.record else {}
    wanted = {item.ref: item for item in desired.objects}
    changes = []
    looked_at = False
    for ref, item in wanted.items():
        probe = seen.probes.get(ref)
        if probe is not None:
            looked_at = True
            change = _probed(item, seen.live.get(ref), recorded.get(ref), probe)
        elif ref not in seen.live:
            change = _create(item, recorded.get(ref))
        else:
            continue
        if change is not None:
            changes.append(change)
    kept = len(wanted) - len(changes)
    changes.extend(_deletions(wanted, seen))
    changes.sort(key=lambda change: change.ref)
    stale = (
        seen.record is None
        or looked_at
        or seen.record.desired_digest != desired.digest
        or len(recorded) != len(wanted)
    )
    return Plan(
        desired.cluster,
        seen.cluster_uid,
        desired.digest,
        tuple(changes),
        kept,
        _wanted(desired),
        stale_record=stale and not changes,
    )


def compare(old: Desired | None, new: Desired) -> Plan:
    """The changes between two commits for one member, from the repository alone."""
    before = {item.ref: item for item in old.objects} if old else {}
    after = {item.ref: item for item in new.objects}
    changes = [_compared(before.get(ref), after.get(ref)) for ref in sorted(before.keys() | after.keys())]
    made = tuple(change for change in changes if change is not None)
    kept = sum(1 for change in made if change.action is not Action.DELETE)
    return Plan(new.cluster, "", new.digest, made, len(after) - kept, _wanted(new))


def _wanted(desired: Desired) -> int:
    return sum(1 for item in desired.objects if not item.source.path.startswith(SYSTEM_SOURCE))


def _compared(old: DesiredObject | None, new: DesiredObject | None) -> Change | None:
    if old is not None and new is not None:
        if old.digest == new.digest:
            return None
        fields = diff_objects(orjson.loads(old.body), orjson.loads(new.body))
        return Change(Action.UPDATE, new.ref, old.digest, new.digest, "changed", new, fields=fields)
    if new is not None:
        return _create(new, None)
    assert old is not None  # noqa: S101  one of the two exists
    return Change(Action.DELETE, old.ref, old.digest, "", "no longer desired")


def _create(item: DesiredObject, known: Recorded | None) -> Change:
    reason = "deleted by someone else" if known else "new"
    # No fields: all of them are new, and a first apply has thousands of objects.
    return Change(Action.CREATE, item.ref, "", item.digest, reason, item, drift=known is not None)


def _probed(
    item: DesiredObject, meta: LiveMeta | None, known: Recorded | None, probe: Probe
) -> Change | None:
    if probe.before is None and not (probe.conflict or probe.error):
        return _create(item, known)
    drift = known is not None and known.digest == item.digest
    before = body_digest(probe.before) if probe.before is not None else ""
    uid, version = _identity(meta, probe.before)
    if probe.conflict or probe.error:
        action = Action.CONFLICT if probe.conflict else Action.REFUSED
        reason = "owned by another field manager" if probe.conflict else "refused by the API server"
        detail = probe.conflict or probe.error
        return Change(action, item.ref, before, item.digest, reason, item, uid, version, detail=detail)
    fields = diff_objects(probe.before, probe.after)
    if not fields and comparable(probe.before) == comparable(probe.after):
        return None
    reason = "changed by someone else" if drift else "changed" if meta else "exists, taken over"
    return Change(
        Action.UPDATE, item.ref, before, item.digest, reason, item, uid, version, fields, drift=drift
    )


def _identity(meta: LiveMeta | None, before: Json | None) -> tuple[str, str]:
    # The probe's own look is newer than the list's.
    found = (before or {}).get("metadata") or {}
    uid = found.get("uid") or (meta.uid if meta else "")
    return uid, found.get("resourceVersion") or (meta.resource_version if meta else "")


def _deletions(wanted: dict[ObjectRef, DesiredObject], seen: Observation) -> Iterator[Change]:
    for ref, meta in seen.live.items():
        if ref not in wanted:
            yield Change(
                Action.DELETE,
                ref,
                meta.digest,
                "",
                "no longer desired",
                uid=meta.uid,
                resource_version=meta.resource_version,
            )


def body_digest(body: Json) -> str:
    """ "sha256:<hex>" of a live object's comparable content."""
    return "sha256:" + hashlib.sha256(orjson.dumps(comparable(body), option=orjson.OPT_SORT_KEYS)).hexdigest()
