"""Who belongs to the fleet, in the formats of the export: cells for CSV, events for OCSF.

>>> sorted(CELLS) == sorted(EVENTS)
True
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reconciler.audit.entry_membership import (
    Demoted,
    JoinRefused,
    MemberJoined,
    MemberKicked,
    MemberLeft,
    Promoted,
    TokenCreated,
    TokenRevoked,
    TokenUsed,
)
from reconciler.audit.export.ocsf_base import (
    CREATE,
    ENTITY,
    FAILURE,
    HIGH,
    MEDIUM,
    OTHER,
    SUCCESS,
    UPDATE,
    Event,
    base,
    status,
)
from reconciler.audit.export.rows import Row
from reconciler.audit.fields import write_time

Cells = dict[str, str | int]


def _promoted_cells(entry: Promoted) -> Cells:
    where = f"{entry.address}:{entry.port}"
    return {"subject": entry.cluster_uid, "digest": entry.ca_pin, "message": f"members join at {where}"}


def _demoted_cells(entry: Demoted) -> Cells:
    return {"subject": entry.cluster_uid, "count": entry.members, "message": "no primary any more"}


def _created_cells(entry: TokenCreated) -> Cells:
    said = (*(["auto-approved"] if entry.auto_approve else []), *entry.labels)
    message = f"until {write_time(entry.expires)} {', '.join(said)}".rstrip()
    return {"subject": entry.token, "message": message}


def _used_cells(entry: TokenUsed) -> Cells:
    return {"subject": entry.token, "object_uid": entry.cluster_uid, "digest": entry.claim}


def _revoked_cells(entry: TokenRevoked) -> Cells:
    return {"subject": entry.token, "result": "revoked"}


def _refused_cells(entry: JoinRefused) -> Cells:
    message = f"{entry.code} from {entry.address}" if entry.address else entry.code
    return {"subject": entry.token, "result": "refused", "count": entry.count, "message": message}


def _joined_cells(entry: MemberJoined) -> Cells:
    return {"subject": entry.branch, "object_uid": entry.cluster_uid}


def _kicked_cells(entry: MemberKicked) -> Cells:
    return {"subject": entry.reason, "object_uid": entry.cluster_uid, "message": _intention(entry)}


def _left_cells(entry: MemberLeft) -> Cells:
    message = f"kick {entry.kick} done, {entry.credentials} credentials removed"
    return {"subject": entry.branch, "object_uid": entry.cluster_uid, "message": message}


def _intention(entry: MemberKicked) -> str:
    if not entry.contacted:
        return "to leave without being asked: it is gone"
    return "to leave and keep its objects" if entry.kept_objects else "to leave without its objects"


CELLS: Mapping[str, Callable[[Any], Cells]] = {
    Promoted.kind: _promoted_cells,
    Demoted.kind: _demoted_cells,
    TokenCreated.kind: _created_cells,
    TokenUsed.kind: _used_cells,
    TokenRevoked.kind: _revoked_cells,
    JoinRefused.kind: _refused_cells,
    MemberJoined.kind: _joined_cells,
    MemberKicked.kind: _kicked_cells,
    MemberLeft.kind: _left_cells,
}


def _entity(kind: str, uid: str, name: str) -> Event:
    return {"type": kind, "type_id": OTHER, "uid": uid or "-", "name": name or "-"}


def _event(row: Row, activity: int, entity: Event, *, severity: int = MEDIUM, message: str = "") -> Event:
    return base(row, ENTITY, activity, severity=severity, message=message) | {"entity": entity}


def _promoted(row: Row, entry: Promoted) -> Event:
    primary = _entity("primary", entry.cluster_uid, f"{entry.address}:{entry.port}")
    return _event(row, CREATE, primary, message="a cluster became the primary") | status(SUCCESS)


def _demoted(row: Row, entry: Demoted) -> Event:
    primary = _entity("primary", entry.cluster_uid, entry.cluster_uid)
    message = f"the primary was given up with {entry.members} members registered"
    return _event(row, UPDATE, primary, severity=HIGH, message=message) | status(SUCCESS)


def _created(row: Row, entry: TokenCreated) -> Event:
    token = _entity("join token", entry.token, entry.cluster or "any cluster")
    message = f"{'an auto-approved' if entry.auto_approve else 'a'} join token was made"
    return _event(row, CREATE, token, message=message) | status(SUCCESS)


def _used(row: Row, entry: TokenUsed) -> Event:
    token = _entity("join token", entry.token, entry.cluster)
    return _event(row, UPDATE, token, message=f"used by cluster {entry.cluster}") | status(SUCCESS)


def _revoked(row: Row, entry: TokenRevoked) -> Event:
    token = _entity("join token", entry.token, entry.token)
    return _event(row, UPDATE, token, message="a join token was revoked") | status(SUCCESS)


def _refused(row: Row, entry: JoinRefused) -> Event:
    cluster = _entity("cluster", entry.token, entry.cluster)
    message = f"{entry.count} requests to join were refused"
    return _event(row, CREATE, cluster, message=message) | status(FAILURE, entry.code)


def _joined(row: Row, entry: MemberJoined) -> Event:
    cluster = _entity("cluster", entry.cluster_uid, entry.cluster)
    message = f"the registration is on {entry.branch}"
    return _event(row, CREATE, cluster, message=message) | status(SUCCESS)


def _kicked(row: Row, entry: MemberKicked) -> Event:
    cluster = _entity("cluster", entry.cluster_uid, entry.cluster)
    message = f"{_intention(entry)}: {entry.reason}".removesuffix(": ")
    return _event(row, UPDATE, cluster, severity=HIGH, message=message) | status(SUCCESS)


def _left(row: Row, entry: MemberLeft) -> Event:
    cluster = _entity("cluster", entry.cluster_uid, entry.cluster)
    message = f"left the fleet by the kick at {entry.kick}"
    return _event(row, UPDATE, cluster, severity=HIGH, message=message) | status(SUCCESS)


EVENTS: Mapping[str, Callable[[Row, Any], Event]] = {
    Promoted.kind: _promoted,
    Demoted.kind: _demoted,
    TokenCreated.kind: _created,
    TokenUsed.kind: _used,
    TokenRevoked.kind: _revoked,
    JoinRefused.kind: _refused,
    MemberJoined.kind: _joined,
    MemberKicked.kind: _kicked,
    MemberLeft.kind: _left,
}
