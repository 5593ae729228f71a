"""The ApplySet parent (KEP-3659): the ConfigMap ``federation-system/fleetward`` and its record.

- ``contains-group-kinds`` and ``additional-namespaces`` name a kind or namespace before the first object of
  it is created, and stop naming it only after the last was deleted: whoever prunes never misses an object.
- Every write carries the resourceVersion that was read (a first one is a POST), so of two runs on one
  member the later is refused before it has written anything. It also has an id of its own (annotation
  ``fleetward.io/write``): a write whose answer was lost is known again by it, not taken for another run's.
- Parts of a large record are written before the head that names them and removed after it.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from reconciler import __version__
from reconciler.member import errors, record
from reconciler.member.discovery import Kind, Resource
from reconciler.member.envelope import seal, unseal
from reconciler.member.parts import (
    LABEL_RECORD,
    METADATA,
    config_map,
    delete_part,
    listed_parts,
    path_of,
    read_part,
    to_bytes,
    to_text,
    write_part,
)
from reconciler.member.refs import Refs
from reconciler.member.transport import Request, Transport
from reconciler.model import (
    APPLYSET_ID,
    FIELD_MANAGER,
    LABEL_MANAGED_BY,
    MEMBER_NAMESPACE,
    PARENT_NAME,
    Record,
    Signer,
)

LABEL_ID = "applyset.kubernetes.io/id"
ANNOTATION_KINDS = "applyset.kubernetes.io/contains-group-kinds"
ANNOTATION_NAMESPACES = "applyset.kubernetes.io/additional-namespaces"
ANNOTATION_TOOLING = "applyset.kubernetes.io/tooling"
ANNOTATION_CHANGE_SET = "fleetward.io/change-set"
ANNOTATION_LOG_INDEX = "fleetward.io/log-index"
ANNOTATION_WRITE = "fleetward.io/write"


@dataclass(frozen=True, slots=True)
class Parent:
    """The parent as it was read or written; ``version`` "" means that it does not exist."""

    version: str = ""
    kinds: frozenset[Kind] = frozenset()
    namespaces: frozenset[str] = frozenset()
    data: dict[str, str] = field(default_factory=dict)  # binaryData, base64: kept when only kinds change
    annotations: dict[str, str] = field(default_factory=dict)
    parts: tuple[str, ...] = ()  # SHA-256 of each part of the record
    record: Record | None = None
    resources: tuple[Resource, ...] = ()

    @property
    def sequence(self) -> int:
        """Of the last change set; 0 before the first."""
        return self.record.sequence if self.record else 0


async def read_parent(transport: Transport, public_keys: Sequence[bytes], refs: Refs | None = None) -> Parent:
    """The parent with its record verified. Raises RecordError."""
    try:
        answer = await transport.send(Request("GET", path_of(PARENT_NAME)))
    except errors.NotFoundError:
        return Parent()
    parent = _parse(answer.json())
    if "record" not in parent.data:
        return parent
    head = unseal(to_bytes(parent.data, "record"), public_keys)
    names = record.parts_of(head)
    bodies = [to_bytes(parent.data, "body")] + [await read_part(transport, name) for name in names[1:]]
    found, resources = record.decode(head, bodies, refs)
    kinds = parent.kinds | {(ref.group, ref.kind) for ref in found.objects}
    return replace(parent, parts=names, record=found, resources=resources, kinds=kinds)


async def declare(
    transport: Transport, parent: Parent, kinds: frozenset[Kind], namespaces: frozenset[str]
) -> Parent:
    """Names what is about to be created; writes only when something is new. Raises MovedError."""
    kinds, namespaces = kinds | parent.kinds, namespaces | parent.namespaces
    if parent.version and kinds == _kinds(parent.annotations) and namespaces == parent.namespaces:
        return parent
    return await _write(transport, replace(parent, kinds=kinds, namespaces=namespaces))


async def write_record(
    transport: Transport, parent: Parent, written: Record, resources: Sequence[Resource],
    signer: Signer, unsure: frozenset[Kind] = frozenset(),
) -> Parent:  # fmt: skip
    """Seals the record and writes it with exactly its kinds, and those where a write may have got through.

    Raises MovedError, RecordTooLargeError.
    """
    head, parts = record.encode(written, resources)
    if len(parts) > record.MOST_PARTS:
        raise errors.RecordTooLargeError("too many objects on one member")
    names = record.parts_of(head)
    stale = set(parent.parts[1:]) - set(names[1:])
    if len(names) > 1 or stale:
        stale |= await listed_parts(transport) - set(names[1:])
    for name, part in zip(names[1:], parts[1:], strict=True):
        await write_part(transport, name, part)
    data = {"record": to_text(seal(head, signer)), "body": to_text(parts[0])}
    kinds = unsure | {(ref.group, ref.kind) for ref in written.objects}
    spaces = frozenset(ref.namespace for ref in written.objects) - {"", MEMBER_NAMESPACE}
    named = {ANNOTATION_CHANGE_SET: written.change_set, ANNOTATION_LOG_INDEX: str(written.log_index)}
    new = replace(
        parent, data=data, kinds=kinds, namespaces=spaces, annotations=named, parts=names, record=written,
        resources=tuple(resources),
    )  # fmt: skip
    new = await _write(transport, new)
    for name in sorted(stale):
        await delete_part(transport, name)
    return new


async def _write(transport: Transport, parent: Parent) -> Parent:
    ours = str(uuid.uuid4())
    body = _body(parent, ours)
    method, path = ("PUT", path_of(PARENT_NAME)) if parent.version else ("POST", path_of(""))
    request = Request(method, f"{path}?fieldManager={FIELD_MANAGER}", orjson.dumps(body), accept=METADATA)
    try:
        metadata = (await transport.send(request)).metadata()
    except errors.ConflictError as error:
        metadata = await _written_before(transport, ours, error)
    except errors.NotFoundError as error:
        raise errors.NotPreparedError(
            "the member is not prepared", expected=f"namespace {MEMBER_NAMESPACE}", got="none",
        ) from error  # fmt: skip
    return replace(parent, version=metadata["resourceVersion"], annotations=body["metadata"]["annotations"])


async def _written_before(transport: Transport, ours: str, error: errors.ConflictError) -> dict[str, Any]:
    """The parent's metadata if an earlier try of this very write made it so. Raises MovedError."""
    try:
        found = (await transport.send(Request("GET", path_of(PARENT_NAME), accept=METADATA))).metadata()
    except errors.NotFoundError:
        found = {}
    if (found.get("annotations") or {}).get(ANNOTATION_WRITE) != ours:
        raise errors.MovedError("another run wrote the record") from error
    return found


def _body(parent: Parent, write: str) -> dict[str, Any]:
    ours = {key: value for key, value in parent.annotations.items() if key.startswith("fleetward.io/")}
    annotations = ours | {
        ANNOTATION_TOOLING: f"fleetward/v{__version__}",
        ANNOTATION_KINDS: ",".join(sorted(_name(kind) for kind in parent.kinds)),
        ANNOTATION_NAMESPACES: ",".join(sorted(parent.namespaces)),
        ANNOTATION_WRITE: write,
    }
    labels = {LABEL_ID: APPLYSET_ID, LABEL_MANAGED_BY: "fleetward", LABEL_RECORD: "parent"}
    return config_map(PARENT_NAME, labels, annotations, parent.data, parent.version)


def _parse(value: Any) -> Parent:
    try:
        metadata = value["metadata"]
        annotations = dict(metadata.get("annotations") or {})
        data = dict(value.get("binaryData") or {})
        spaces = annotations.get(ANNOTATION_NAMESPACES, "").split(",")
        return Parent(
            metadata["resourceVersion"],
            _kinds(annotations),
            frozenset(filter(None, spaces)),
            data,
            annotations,
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise errors.NotKubernetesError("not a ConfigMap") from error


def _kinds(annotations: dict[str, str]) -> frozenset[Kind]:
    names = filter(None, annotations.get(ANNOTATION_KINDS, "").split(","))
    split = (name.strip().partition(".") for name in names)
    return frozenset((group, kind) for kind, _, group in split)


def _name(kind: Kind) -> str:
    return f"{kind[1]}.{kind[0]}" if kind[0] else kind[1]
