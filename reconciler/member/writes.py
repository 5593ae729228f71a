"""The writes there are: a server-side apply of authorized bytes, a deletion, and a release.

- An update carries the resourceVersion of its plan, so nothing that came in between is overwritten, and may
  therefore force: the conflicts at that version were judged by the plan. A creation forces only where the
  document says ``conflict: take``.
- A version that moved while the content did not (a status, an owner) is no reason to fail: the content's
  digest is compared with the authorized ``before``, and the write is tried again at the new version.
- Every write has an Audit-ID of its own, which the member's audit log shows too.
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
from reconciler.member.probes import apply_path
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
            return _written(item, answer, audit_id)
        except errors.ConflictError as error:
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


def _written(item: DesiredObject, answer: Answer, audit_id: str) -> Written:
    body = answer.json()
    try:
        uid, version = body["metadata"]["uid"], body["metadata"]["resourceVersion"]
    except (KeyError, TypeError) as error:
        raise errors.NotKubernetesError("not a Kubernetes object", hint=errors.CODES["FW1707"][1]) from error
    result = ObjectResult.CREATED if answer.status == 201 else ObjectResult.UPDATED
    return Written(ObjectOutcome(item.ref, result, uid, version, item.digest, audit_id), body)


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
    metadata = (await client.transport.send(Request("GET", path))).metadata()
    digest = (metadata.get("annotations") or {}).get(ANNOTATION_DIGEST, "")
    if metadata["uid"] != uid or digest != change.before:
        raise moved(change.ref)
    return str(metadata["resourceVersion"])


def moved(ref: ObjectRef) -> MemberError:
    """The error for an object that is not any more what the plan saw."""
    return errors.MovedError(
        "the object changed since the plan was made", where=str(ref), hint=errors.CODES["FW1724"][1]
    )
