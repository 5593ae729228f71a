"""The writes there are: a server-side apply of authorized bytes, a deletion, and a release.

- An update carries the resourceVersion of its plan, so nothing that came in between is overwritten, and may
  therefore force: the conflicts at that version were judged by the plan. A creation forces only where the
  document says ``conflict: take``.
- A version that moved while the content did not (a status, an owner) is no reason to fail: the content's
  digest is compared with the authorized ``before``, and the write is tried again at the new version.
- Every write has an Audit-ID of its own, which the member's audit log shows too. A write that is sent again,
  since its answer was lost, keeps it.
- A write whose first try got through and whose answer was lost is not done twice, and not taken for somebody
  else's: a creation's repetition changes nothing; an update's meets its own new version, and a dry run proves
  that the object is as it should be; a deletion's finds nothing, or an object that is being deleted.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass

import orjson

from reconciler.errors import MemberError
from reconciler.member import errors
from reconciler.member.authorization import AuthorizedChange
from reconciler.member.connection import Client
from reconciler.member.discovery import Resource
from reconciler.member.probes import apply_path, probe
from reconciler.member.releasing import MERGE, release_patch
from reconciler.member.transport import APPLY, Answer, Request
from reconciler.model import (
    ANNOTATION_DIGEST,
    FIELD_MANAGER,
    DesiredObject,
    Json,
    ObjectOutcome,
    ObjectRef,
    ObjectResult,
)
from reconciler.plan.build import body_digest
from reconciler.plan.diff import comparable

ONE = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
_MOVES = 3  # how often a version may move under us without its content


@dataclass(frozen=True, slots=True)
class Written:
    """An outcome, and the object as the API server has it now (None after a deletion)."""

    outcome: ObjectOutcome
    body: Json | None


async def write(client: Client, item: DesiredObject, change: AuthorizedChange, *, patience: float) -> Written:
    """Applies one object. ``patience``: seconds that a just established kind may still be unknown.

    Raises MemberError.
    """
    resource = await client.kinds.find((item.ref.group, item.ref.kind))
    version = change.resource_version if change.action == "update" else ""
    until = asyncio.get_running_loop().time() + patience
    moves = 0
    while True:
        audit_id = str(uuid.uuid4())
        try:
            answer = await _apply(client, resource, item, version, audit_id)
            return _written(item, answer, audit_id, updates=bool(version))
        except errors.ConflictError as error:
            if error.repeated and (done := await _got_through(client, item, audit_id)):
                return done
            moves += 1
            if not version or error.managers or moves > _MOVES:
                raise
            version = await _same_content(client, resource, item, change)
        except errors.NotFoundError:
            if asyncio.get_running_loop().time() >= until:
                raise
            await asyncio.sleep(0.1)


async def _apply(
    client: Client, resource: Resource, item: DesiredObject, version: str, audit_id: str
) -> Answer:
    body = _at_version(item.body, version) if version else item.body
    path = apply_path(resource, item, force=bool(version) or item.take_conflicts)
    return await client.transport.send(Request("PATCH", path, body, content_type=APPLY, audit_id=audit_id))


def _at_version(body: bytes, version: str) -> bytes:
    value = orjson.loads(body)
    value["metadata"]["resourceVersion"] = version
    return orjson.dumps(value)


def _written(item: DesiredObject, answer: Answer, audit_id: str, *, updates: bool) -> Written:
    body = answer.json()
    try:
        uid, version = body["metadata"]["uid"], body["metadata"]["resourceVersion"]
    except (KeyError, TypeError) as error:
        raise errors.NotKubernetesError("not a Kubernetes object") from error
    made = answer.status == 201 or (answer.repeated and _only_ours(body))
    result = ObjectResult.CREATED if made and not updates else ObjectResult.UPDATED
    return Written(ObjectOutcome(item.ref, result, uid, version, item.digest, audit_id), body)


def _only_ours(body: Json) -> bool:
    """Whether nobody else has written the object itself: then an earlier try of ours has made it."""
    managers = body["metadata"].get("managedFields")
    entries = [entry for entry in managers if isinstance(entry, dict)] if isinstance(managers, list) else []
    return bool(entries) and all(e.get("manager") == FIELD_MANAGER or e.get("subresource") for e in entries)


async def _got_through(client: Client, item: DesiredObject, audit_id: str) -> Written | None:
    """The write of ``audit_id``, if the object is what it should have made of it; None if it is not."""
    found = (await probe(client, [item], None))[item.ref]
    before, after = found.before, found.after
    if before is None or after is None or comparable(before) != comparable(after):
        return None
    uid, version = str(before["metadata"]["uid"]), str(before["metadata"]["resourceVersion"])
    return Written(ObjectOutcome(item.ref, ObjectResult.UPDATED, uid, version, item.digest, audit_id), before)


async def _same_content(
    client: Client, resource: Resource, item: DesiredObject, change: AuthorizedChange
) -> str:
    path = resource.path(item.ref.namespace, item.ref.name, item.version)
    try:
        answer = await client.transport.send(Request("GET", path))
    except errors.NotFoundError as error:
        raise moved(item.ref) from error
    if body_digest(answer.json()) != change.before:
        raise moved(item.ref)
    return str(answer.metadata()["resourceVersion"])


async def delete(client: Client, change: AuthorizedChange, uid: str) -> Written:
    """Deletes one object as it was planned. Absent already counts as deleted."""
    ref = change.ref
    resource = await client.kinds.find((ref.group, ref.kind))
    path = resource.path(ref.namespace, ref.name)
    version = change.resource_version
    for attempt in range(_MOVES + 1):
        audit_id = str(uuid.uuid4())
        try:
            body = _delete_options(uid, version)
            await client.transport.send(Request("DELETE", path, body, audit_id=audit_id))
        except errors.NotFoundError:
            pass
        except errors.ConflictError:
            if attempt == _MOVES:
                raise
            version = await _same_object(client, path, change, uid)
            if version:
                continue
        break
    return Written(ObjectOutcome(ref, ObjectResult.DELETED, uid, audit_id=audit_id), None)


async def release(client: Client, change: AuthorizedChange, uid: str) -> Written:
    """Takes our marks off one object, as it was planned. Absent, or without a mark, counts as released."""
    ref = change.ref
    resource = await client.kinds.find((ref.group, ref.kind))
    path = resource.path(ref.namespace, ref.name)
    for attempt in range(_MOVES + 1):
        try:
            metadata = (await client.transport.send(Request("GET", path, accept=ONE))).metadata()
        except errors.NotFoundError:
            return Written(ObjectOutcome(ref, ObjectResult.DELETED, uid), None)
        patch = release_patch(metadata)
        version = str(metadata["resourceVersion"])
        if patch is None:
            return Written(ObjectOutcome(ref, ObjectResult.UNCHANGED, uid, version), None)
        digest = (metadata.get("annotations") or {}).get(ANNOTATION_DIGEST, "")
        if metadata["uid"] != uid or (version != change.resource_version and digest != change.before):
            raise moved(ref)
        audit_id = str(uuid.uuid4())
        request = Request(
            "PATCH", f"{path}?fieldManager={FIELD_MANAGER}", orjson.dumps(patch), accept=ONE,
            content_type=MERGE, audit_id=audit_id,
        )  # fmt: skip
        try:
            version = str((await client.transport.send(request)).metadata()["resourceVersion"])
        except errors.ConflictError:
            if attempt == _MOVES:
                raise
            continue
        break
    return Written(ObjectOutcome(ref, ObjectResult.UPDATED, uid, version, audit_id=audit_id), None)


def _delete_options(uid: str, version: str) -> bytes:
    return orjson.dumps(
        {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid, "resourceVersion": version},
            "propagationPolicy": "Background",
        }
    )


async def _same_object(client: Client, path: str, change: AuthorizedChange, uid: str) -> str:
    """The version that it has now; "" when it is gone, or being deleted."""
    try:
        metadata = (await client.transport.send(Request("GET", path))).metadata()
    except errors.NotFoundError:
        return ""
    if metadata["uid"] == uid and metadata.get("deletionTimestamp"):
        return ""
    digest = (metadata.get("annotations") or {}).get(ANNOTATION_DIGEST, "")
    if metadata["uid"] != uid or digest != change.before:
        raise moved(change.ref)
    return str(metadata["resourceVersion"])


def moved(ref: ObjectRef) -> MemberError:
    """The error for an object that is not any more what the plan saw."""
    return errors.MovedError("the object changed since the plan was made", where=str(ref))
