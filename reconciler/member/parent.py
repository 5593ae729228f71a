"""The ApplySet parent (KEP-3659): the ConfigMap ``federation-system/fleetward`` and its record.

- ``contains-group-kinds`` and ``additional-namespaces`` name a kind or namespace before the first object of
  it is created, and stop naming it only after the last was deleted: whoever prunes never misses an object.
- Every write carries the resourceVersion that was read (a first one is a POST), so of two runs on one
  member the later is refused before it has written anything.
- Parts of a large record are written before the head that names them and removed after it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from reconciler import __version__
from reconciler.member import errors, record
from reconciler.member.discovery import BUILT_IN, Kind, Resource
from reconciler.member.envelope import distrust, seal, unseal
from reconciler.member.refs import Refs
from reconciler.member.transport import Request, Transport, expecting
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
LABEL_RECORD = "fleetward.io/record"  # on the parent and on every part: what the guard selects
ANNOTATION_KINDS = "applyset.kubernetes.io/contains-group-kinds"
ANNOTATION_NAMESPACES = "applyset.kubernetes.io/additional-namespaces"
ANNOTATION_TOOLING = "applyset.kubernetes.io/tooling"
ANNOTATION_CHANGE_SET = "fleetward.io/change-set"
ANNOTATION_LOG_INDEX = "fleetward.io/log-index"
_METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
_MAPS = BUILT_IN["", "ConfigMap"]


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
        answer = await transport.send(Request("GET", _path(PARENT_NAME)))
    except errors.NotFoundError:
        return Parent()
    parent = _parse(answer.json())
    if "record" not in parent.data:
        return parent
    head = unseal(_bytes(parent.data, "record"), public_keys)
    names = record.parts_of(head)
    bodies = [_bytes(parent.data, "body")] + [await _read_part(transport, name) for name in names[1:]]
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
        raise errors.RecordTooLargeError("too many objects on one member", hint=errors.CODES["FW1728"][1])
    names = record.parts_of(head)
    stale = set(parent.parts[1:]) - set(names[1:])
    if len(names) > 1 or stale:
        stale |= await _listed_parts(transport) - set(names[1:])
    for name, part in zip(names[1:], parts[1:], strict=True):
        await _write_part(transport, name, part)
    data = {"record": _text(seal(head, signer)), "body": _text(parts[0])}
    kinds = unsure | {(ref.group, ref.kind) for ref in written.objects}
    spaces = frozenset(ref.namespace for ref in written.objects) - {"", MEMBER_NAMESPACE}
    named = {ANNOTATION_CHANGE_SET: written.change_set, ANNOTATION_LOG_INDEX: str(written.log_index)}
    new = replace(
        parent, data=data, kinds=kinds, namespaces=spaces, annotations=named, parts=names, record=written,
        resources=tuple(resources),
    )  # fmt: skip
    new = await _write(transport, new)
    for name in sorted(stale):
        await _delete_part(transport, name)
    return new


async def _write(transport: Transport, parent: Parent) -> Parent:
    body = _body(parent)
    method, path = ("PUT", _path(PARENT_NAME)) if parent.version else ("POST", _path(""))
    request = Request(method, f"{path}?fieldManager={FIELD_MANAGER}", orjson.dumps(body), accept=_METADATA)
    try:
        answer = await transport.send(request)
    except errors.ConflictError as error:
        raise errors.MovedError("another run wrote the record", hint=errors.CODES["FW1724"][1]) from error
    except errors.NotFoundError as error:
        raise errors.NotPreparedError(
            "the member is not prepared", expected=f"namespace {MEMBER_NAMESPACE}", got="none",
            hint=errors.CODES["FW1722"][1],
        ) from error  # fmt: skip
    version = answer.metadata()["resourceVersion"]
    return replace(parent, version=version, annotations=body["metadata"]["annotations"])


def _body(parent: Parent) -> dict[str, Any]:
    ours = {key: value for key, value in parent.annotations.items() if key.startswith("fleetward.io/")}
    annotations = ours | {
        ANNOTATION_TOOLING: f"fleetward/v{__version__}",
        ANNOTATION_KINDS: ",".join(sorted(_name(kind) for kind in parent.kinds)),
        ANNOTATION_NAMESPACES: ",".join(sorted(parent.namespaces)),
    }
    labels = {LABEL_ID: APPLYSET_ID, LABEL_MANAGED_BY: "fleetward", LABEL_RECORD: "parent"}
    return _config_map(PARENT_NAME, labels, annotations, parent.data, parent.version)


def _config_map(
    name: str, labels: dict[str, str], annotations: dict[str, str], data: dict[str, str], version: str = ""
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": MEMBER_NAMESPACE, "labels": labels}
    metadata["annotations"] = annotations
    if version:
        metadata["resourceVersion"] = version
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "binaryData": data}


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
        raise errors.NotKubernetesError("not a ConfigMap", hint=errors.CODES["FW1707"][1]) from error


def _kinds(annotations: dict[str, str]) -> frozenset[Kind]:
    names = filter(None, annotations.get(ANNOTATION_KINDS, "").split(","))
    split = (name.strip().partition(".") for name in names)
    return frozenset((group, kind) for kind, _, group in split)


def _name(kind: Kind) -> str:
    return f"{kind[1]}.{kind[0]}" if kind[0] else kind[1]


async def _read_part(transport: Transport, digest: str) -> bytes:
    try:
        answer = await transport.send(Request("GET", _path(_part_name(digest))))
    except errors.NotFoundError as error:
        raise distrust(f"its part {_part_name(digest)} is missing") from error
    value = answer.json()
    return _bytes(value.get("binaryData") or {}, "body")


async def _write_part(transport: Transport, digest: str, part: bytes) -> None:
    labels = {LABEL_MANAGED_BY: "fleetward", LABEL_RECORD: "part"}
    body = _config_map(_part_name(digest), labels, {}, {"body": _text(part)})
    path = f"{_path('')}?fieldManager={FIELD_MANAGER}"
    try:
        await transport.send(Request("POST", path, orjson.dumps(body), accept=_METADATA))
    except errors.ConflictError:
        return  # named by its content: it is there already


async def _listed_parts(transport: Transport) -> set[str]:
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    path = f"{_path('')}?labelSelector={LABEL_RECORD}%3Dpart"
    answer = await transport.send(Request("GET", path, accept=accept))
    with expecting("a metadata list"):
        names = [item["metadata"]["name"] for item in answer.json()["items"] or ()]
        return {name.removeprefix(_part_name("")) for name in names}


async def _delete_part(transport: Transport, digest: str) -> None:
    try:
        await transport.send(Request("DELETE", _path(_part_name(digest))))
    except errors.NotFoundError:
        return


def _part_name(digest: str) -> str:
    return f"{PARENT_NAME}-record-{digest}"


def _path(name: str) -> str:
    return _MAPS.path(MEMBER_NAMESPACE, name)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(data: dict[str, str], key: str) -> bytes:
    try:
        return base64.b64decode(data[key], validate=True)
    except (KeyError, binascii.Error, ValueError, TypeError) as error:
        raise distrust(f"its {key} is missing or not base64") from error
