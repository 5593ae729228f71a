"""What all OCSF events of the export have in common: class, time, severity, metadata.

Names and numbers are those of OCSF 1.3.0: classes ``api_activity``, ``entity_management`` and
``compliance_finding``; ``type_uid`` is ``class_uid * 100 + activity_id``; ``time`` counts milliseconds from
1970-01-01T00:00:00Z.

>>> API.uid * 100 + CREATE
600301
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from reconciler import __version__
from reconciler.audit.entry import to_json
from reconciler.audit.export.rows import Row

VERSION = "1.3.0"
CREATE, UPDATE, DELETE, OTHER = 1, 3, 4, 99
INFORMATIONAL, MEDIUM, HIGH, CRITICAL = 1, 3, 4, 5
SUCCESS, FAILURE = 1, 2
_SEVERITIES = {INFORMATIONAL: "Informational", MEDIUM: "Medium", HIGH: "High", CRITICAL: "Critical"}
_STATUSES = {SUCCESS: "Success", FAILURE: "Failure"}
_NEW, _FAIL = 1, 3  # of a finding, of a compliance check
Event = dict[str, Any]


class Class(NamedTuple):
    """An OCSF class."""

    uid: int
    name: str
    category: str
    activities: dict[int, str]


ENTITY = Class(
    3004, "Entity Management", "Identity & Access Management", {CREATE: "Create", UPDATE: "Update"}
)
API = Class(
    6003, "API Activity", "Application Activity", {CREATE: "Create", UPDATE: "Update", DELETE: "Delete"}
)
COMPLIANCE = Class(2003, "Compliance Finding", "Findings", {CREATE: "Create"})


def base(
    row: Row, of: Class, activity: int, *, name: str = "", severity: int = INFORMATIONAL, message: str = "",
    correlation: str = "",
) -> Event:  # fmt: skip
    """Everything that every class asks for; ``name`` is that of an activity of our own (99).

    Only API Activity has a place for who did it; for the others the entry in ``unmapped`` says it.
    """
    event: Event = {
        "class_uid": of.uid,
        "class_name": of.name,
        "category_uid": of.uid // 1000,
        "category_name": of.category,
        "activity_id": activity,
        "activity_name": name or of.activities[activity],
        "type_uid": of.uid * 100 + activity,
        "time": int(row.time.timestamp() * 1000),
        "severity_id": severity,
        "severity": _SEVERITIES[severity],
        "metadata": _metadata(row, correlation),
        "unmapped": {"entry": to_json(row.entry), "leaf_hash": row.leaf.hex()},
    }
    return event | ({"message": message} if message else {})


def _metadata(row: Row, correlation: str) -> Event:
    metadata: Event = {
        "version": VERSION,
        "product": {"name": "fleetward", "vendor_name": "fleetward", "version": __version__},
        "uid": row.uid,
        "log_name": row.origin,
        "event_code": row.entry.kind,
        "sequence": row.index,
    }
    return metadata | ({"correlation_uid": correlation} if correlation else {})


def api(
    row: Row, activity: int, cluster: str, operation: str, request: str, *, cluster_uid: str = "",
    name: str = "", severity: int = INFORMATIONAL, message: str = "", correlation: str = "",
) -> Event:  # fmt: skip
    """An API Activity on a member; ``request`` names it there, the rest goes to ``base``."""
    event = base(row, API, activity, name=name, severity=severity, message=message, correlation=correlation)
    host = row.entry.actor.rpartition("@")[2]
    member = {"name": cluster, "type": "Cluster"} | ({"uid": cluster_uid} if cluster_uid else {})
    call: Event = {"operation": operation, "service": {"name": "kubernetes"}}
    return event | {
        "actor": {"user": {"name": row.entry.actor}},
        "api": call | ({"request": {"uid": request}} if request else {}),
        "src_endpoint": {"name": host},
        "dst_endpoint": {"svc_name": cluster},
        "resources": [member],
    }


def status(status_id: int, detail: str = "") -> Event:
    """How it ended."""
    ended: Event = {"status_id": status_id, "status": _STATUSES[status_id]}
    return ended | ({"status_detail": detail} if detail else {})


def finding(row: Row, title: str, control: str, resources: Sequence[Event]) -> Event:
    """What a Compliance Finding has besides: the control is the accepted commit, and it is not met."""
    check: Event = {"standards": ["fleetward desired state"], "status_id": _FAIL, "status": "Fail"}
    moment = int(row.time.timestamp() * 1000)
    return {
        "message": title,
        "status_id": _NEW,
        "status": "New",
        "compliance": check | ({"control": control} if control else {}),
        "finding_info": {"uid": row.uid, "title": title, "created_time": moment},
        "resources": list(resources),
    }
