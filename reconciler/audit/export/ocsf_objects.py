"""One OCSF API Activity an object of an outcome: the request that the member got, with its Audit-ID.

>>> [VERBS[action] for action in ("create", "update", "delete")]
['patch', 'patch', 'delete']
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.audit.entry import Outcome
from reconciler.audit.export.ocsf_base import (
    CREATE,
    DELETE,
    FAILURE,
    HIGH,
    INFORMATIONAL,
    OTHER,
    SUCCESS,
    UPDATE,
    Event,
    api,
    status,
)
from reconciler.audit.export.rows import Row
from reconciler.audit.outcomes import ObjectRow
from reconciler.model import ObjectResult

_DONE = {
    ObjectResult.CREATED: "create",
    ObjectResult.UPDATED: "update",
    ObjectResult.DELETED: "delete",
}
_BAD = (ObjectResult.FAILED, ObjectResult.SKIPPED)
ACTIVITIES = {"create": CREATE, "update": UPDATE, "delete": DELETE}
VERBS = {"create": "patch", "update": "patch", "delete": "delete"}  # server-side apply is a patch


def object_events(row: Row, entry: Outcome) -> Iterator[Event]:
    """The events of all objects of an outcome, in its order."""
    for number, item in enumerate(row.objects, 1):
        event = _event(row, entry, item)
        event["metadata"]["uid"] = f"{row.uid}.{number}"
        event["metadata"]["event_code"] = "outcome.object"
        event["unmapped"] = {"result": item.result.value, "leaf_hash": row.leaf.hex()}
        yield event


def _event(row: Row, entry: Outcome, item: ObjectRow) -> Event:
    action = _DONE.get(item.result) or row.actions.get(item.object, "")
    bad = item.result in _BAD
    name = "" if action else item.result.value.capitalize()
    event = api(
        row, ACTIVITIES.get(action, OTHER), entry.cluster, VERBS.get(action, "get"), item.audit_id, name=name,
        message=f"{item.object}: {item.result.value}", correlation=f"{row.origin}#{entry.intent}",
        severity=HIGH if bad else INFORMATIONAL,
    )  # fmt: skip
    if item.error:
        event["api"]["response"] = {"error": item.error.partition(":")[0], "error_message": item.error}
    event["resources"] = [_resource(entry, item)]
    return event | status(FAILURE if bad else SUCCESS, item.error)


def _resource(entry: Outcome, item: ObjectRow) -> Event:
    kind, _, name = item.object.partition(" ")
    facts = {"uid": item.uid, "version": item.resource_version}
    resource: Event = {"name": name, "type": kind, "group": {"name": entry.cluster}}
    resource |= {key: value for key, value in facts.items() if value}
    return resource | ({"data": {"digest": item.digest}} if item.digest else {})
