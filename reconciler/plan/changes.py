"""The values of a plan.

A ``Plan`` lists only what is to happen; what stays is counted. ``CONFLICT`` and ``REFUSED`` are changes
that cannot be made: another field manager owns the field, or the API server refuses the object.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reconciler.model import ClusterName, DesiredObject, Json, ObjectRef, SourceRef

SYSTEM_SOURCE = "fleetward:"  # sources that start so are ours (the guard), not the fleet's


class Action(StrEnum):
    """What happens to one object."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    RELEASE = "release"  # the object stays, our marks go: only where a member leaves
    CONFLICT = "conflict"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field: ``path`` as kubectl writes it (``.spec.ports[0].port``); ``None`` stands for absent."""

    path: str
    before: Json | None
    after: Json | None


@dataclass(frozen=True, slots=True)
class Change:
    """One object's step. ``before``/``after`` are "sha256:<hex>" or "" where there is nothing."""

    action: Action
    ref: ObjectRef
    before: str
    after: str
    reason: str
    desired: DesiredObject | None = None
    uid: str = ""  # of the live object
    resource_version: str = ""  # of the live object: apply refuses to write over anything newer
    fields: tuple[FieldChange, ...] = ()
    detail: str = ""  # for CONFLICT and REFUSED: what the API server said
    drift: bool = False  # someone else changed or deleted what we had written

    @property
    def source(self) -> SourceRef | None:
        """Where in the repository the object is defined; None for a deletion."""
        return self.desired.source if self.desired else None


@dataclass(frozen=True, slots=True)
class Plan:
    """What it takes to bring one member to its desired state; changes are sorted by object."""

    cluster: ClusterName
    cluster_uid: str  # "" when planned without a cluster
    desired_digest: str
    changes: tuple[Change, ...]
    kept: int
    wanted: int  # objects that the fleet itself (not our guard) wants on the member
    stale_record: bool = False  # nothing to write, but the record's resourceVersions are out of date

    def count(self, action: Action) -> int:
        """How many changes are of this action."""
        return sum(1 for change in self.changes if change.action is action)

    @property
    def counts(self) -> dict[str, int]:
        """Every action with its count, and ``keep``; ``release`` only where there is one."""
        found = {action.value: self.count(action) for action in Action} | {"keep": self.kept}
        return {name: count for name, count in found.items() if count or name != Action.RELEASE.value}

    @property
    def blocked(self) -> tuple[Change, ...]:
        """The changes that cannot be made."""
        return tuple(c for c in self.changes if c.action in (Action.CONFLICT, Action.REFUSED))

    @property
    def drift(self) -> tuple[Change, ...]:
        """The changes that undo somebody else's."""
        return tuple(change for change in self.changes if change.drift)
