"""What somebody else changed on a member, for the log's entry ``drift``.

- Objects that a plan repairs, because they are not what the last change set made of them.
- Objects that a plan deletes although no change set made them: they carry our labels, and log and record
  agree about everything that was applied, so that they cannot be left over from a run that broke off.
- The record itself, where it is gone or older than the change set that was applied last: the member was
  restored, or somebody put an old record back. The next apply writes a new one.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.audit.state import ClusterState
from reconciler.model import MEMBER_NAMESPACE, PARENT_NAME, ObjectRef, Observation
from reconciler.plan import Action, Plan

RECORD = ObjectRef("", "ConfigMap", MEMBER_NAMESPACE, PARENT_NAME)


def drifted(plan: Plan, seen: Observation, logged: ClusterState, *, agreed: bool) -> tuple[ObjectRef, ...]:
    """The objects, sorted; ``agreed``: log and record agree that the last change set was applied whole."""
    found = {change.ref for change in plan.drift}
    if agreed:
        found.update(_foreign(plan, seen))
    if _is_behind(seen, logged):
        found.add(RECORD)
    return tuple(sorted(found))


def _foreign(plan: Plan, seen: Observation) -> Iterator[ObjectRef]:
    for change in plan.changes:
        if change.action is Action.DELETE and seen.record and change.ref not in seen.record.objects:
            yield change.ref


def _is_behind(seen: Observation, logged: ClusterState) -> bool:
    applied = logged.applied
    if applied is None or applied.cluster_uid != seen.cluster_uid:  # a rebuilt cluster starts again
        return False
    return seen.record is None or seen.record.log_index < applied.index
