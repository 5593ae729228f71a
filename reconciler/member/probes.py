"""Dry-run applies: what the API server would make of an object, without making it.

A conflict on an object that we wrote (same uid as recorded) with a field manager that *updated* it
(``kubectl edit``, ``kubectl scale``, a controller) is drift: the probe shows what taking the field back does.
A manager that *applies*, or that writes a subresource and is not kubectl (an autoscaler), claims the field
for itself: that stays a conflict, as on every object that is not ours yet, unless the document says
``conflict: take``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reconciler.member import errors
from reconciler.member.concurrent import pool
from reconciler.member.discovery import Resource
from reconciler.member.transport import APPLY, Request
from reconciler.model import FIELD_MANAGER, DesiredObject, Json, ObjectRef, Probe, Record

if TYPE_CHECKING:
    from reconciler.member.connection import Client

# What concerns this object alone; a webhook that is down answers 500.
_REFUSALS = (errors.InvalidError, errors.NotFoundError, errors.ForbiddenError, errors.ServerError)
_TRIES = 3
_WIDTH = 32  # probes at a time; the connections are limited anyway


async def probe(
    client: Client, items: Sequence[DesiredObject], record: Record | None
) -> dict[ObjectRef, Probe]:
    """A probe for each object. Raises only for what concerns the whole member (401, no connection)."""
    known = record.objects if record else {}
    found: dict[ObjectRef, Probe] = {}

    async def look(item: DesiredObject) -> None:
        mine = known.get(item.ref)
        found[item.ref] = await _probe(client, item, mine.uid if mine else "")

    await pool(items, look, min(_WIDTH, len(items)))
    return {item.ref: found[item.ref] for item in items}


async def _probe(client: Client, item: DesiredObject, known_uid: str) -> Probe:
    resource = await client.kinds.find((item.ref.group, item.ref.kind))
    for _ in range(_TRIES):
        before = await current(client, resource, item)
        ours = before is not None and before["metadata"].get("uid") == known_uid
        result = await _dry_run(client, resource, item, before, ours=ours)
        if _version(result.after) in ("", _version(before)):
            return result
        # Somebody wrote between the two answers: they would not fit together.
    return result


async def _dry_run(
    client: Client, resource: Resource, item: DesiredObject, before: Json | None, *, ours: bool
) -> Probe:
    try:
        return Probe(before, await _apply(client, resource, item, force=item.take_conflicts))
    except errors.ConflictError as error:
        if not (ours and is_drift(error)):
            return Probe(before, None, conflict=conflict_text(error))
    except _REFUSALS as error:
        return Probe(before, None, error=str(error))
    try:
        return Probe(before, await _apply(client, resource, item, force=True))
    except (*_REFUSALS, errors.ConflictError) as error:
        return Probe(before, None, error=str(error))


async def _apply(client: Client, resource: Resource, item: DesiredObject, *, force: bool) -> Json:
    path = apply_path(resource, item, force=force) + "&dryRun=All"
    answer = await client.transport.send(Request("PATCH", path, item.body, content_type=APPLY))
    return _without_managers(answer.json())


async def current(client: Client, resource: Resource, item: DesiredObject) -> Json | None:
    """The object as it is, None for none."""
    path = resource.path(item.ref.namespace, item.ref.name, item.version)
    try:
        return _without_managers((await client.transport.send(Request("GET", path))).json())
    except errors.NotFoundError:
        return None


def apply_path(resource: Resource, item: DesiredObject, *, force: bool) -> str:
    """The URL of a server-side apply of one object."""
    path = resource.path(item.ref.namespace, item.ref.name, item.version)
    query = f"?fieldManager={FIELD_MANAGER}&fieldValidation=Strict"
    return f"{path}{query}&force=true" if force else path + query


def is_drift(error: errors.ConflictError) -> bool:
    """Whether all managers in the way have updated, not applied, the object itself, or are a person's."""
    return bool(error.managers) and all(
        operation == "Update" and (not subresource or name.startswith("kubectl"))
        for name, operation, subresource, _ in error.managers
    )


def conflict_text(error: errors.ConflictError) -> str:
    """Managers and fields: ``kubectl-edit (Update): .spec.replicas``."""
    lines = [
        f"{name} ({operation}{f' of {subresource}' if subresource else ''}): {path}"
        for name, operation, subresource, path in error.managers
    ]
    return "; ".join(lines) or error.got or str(error)


def _without_managers(value: Json) -> Json:
    if not isinstance(value, dict) or not isinstance(value.get("metadata"), dict):
        raise errors.NotKubernetesError("not a Kubernetes object")
    value["metadata"].pop("managedFields", None)
    return value


def _version(body: Json | None) -> str:
    return str(body["metadata"].get("resourceVersion", "")) if body else ""
