"""The ConfigMaps of the record: the bodies of all, and those that carry only a part of a large record.

A part is named by the SHA-256 of its content, so writing it again is no change, and one that an
interrupted run left over is found by its label.

>>> config_map("a", {}, {}, {})["metadata"]
{'name': 'a', 'namespace': 'federation-system', 'labels': {}, 'annotations': {}}
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

from reconciler.member import errors
from reconciler.member.discovery import BUILT_IN
from reconciler.member.envelope import distrust
from reconciler.member.lists import LIST
from reconciler.member.transport import Request, Transport, expecting
from reconciler.model import FIELD_MANAGER, LABEL_MANAGED_BY, MEMBER_NAMESPACE, PARENT_NAME

LABEL_RECORD = "fleetward.io/record"  # on the parent and on every part: what the guard selects
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
_MAPS = BUILT_IN["", "ConfigMap"]


def config_map(
    name: str, labels: dict[str, str], annotations: dict[str, str], data: dict[str, str], version: str = ""
) -> dict[str, Any]:
    """A ConfigMap in our namespace; ``data`` is base64."""
    metadata: dict[str, Any] = {"name": name, "namespace": MEMBER_NAMESPACE, "labels": labels}
    metadata["annotations"] = annotations
    if version:
        metadata["resourceVersion"] = version
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "binaryData": data}


async def read_part(transport: Transport, digest: str) -> bytes:
    """A part's bytes. Raises RecordError."""
    try:
        answer = await transport.send(Request("GET", path_of(part_name(digest))))
    except errors.NotFoundError as error:
        raise distrust(f"its part {part_name(digest)} is missing") from error
    value = answer.json()
    return to_bytes(value.get("binaryData") or {}, "body")


async def write_part(transport: Transport, digest: str, part: bytes) -> None:
    """Creates the part, unless it is there."""
    labels = {LABEL_MANAGED_BY: "fleetward", LABEL_RECORD: "part"}
    body = config_map(part_name(digest), labels, {}, {"body": to_text(part)})
    path = f"{path_of('')}?fieldManager={FIELD_MANAGER}"
    try:
        await transport.send(Request("POST", path, orjson.dumps(body), accept=METADATA))
    except errors.ConflictError:
        return  # named by its content: it is there already


async def listed_parts(transport: Transport) -> set[str]:
    """The SHA-256 of every part there is."""
    path = f"{path_of('')}?labelSelector={LABEL_RECORD}%3Dpart"
    answer = await transport.send(Request("GET", path, accept=LIST))
    with expecting("a metadata list"):
        names = [item["metadata"]["name"] for item in answer.json()["items"] or ()]
        return {name.removeprefix(part_name("")) for name in names}


async def delete_part(transport: Transport, digest: str) -> None:
    """Deletes the part, if it is there."""
    try:
        await transport.send(Request("DELETE", path_of(part_name(digest))))
    except errors.NotFoundError:
        return


def part_name(digest: str) -> str:
    """The ConfigMap of a part."""
    return f"{PARENT_NAME}-record-{digest}"


def path_of(name: str) -> str:
    """The path of a ConfigMap in our namespace, or of all."""
    return _MAPS.path(MEMBER_NAMESPACE, name)


def to_text(data: bytes) -> str:
    """As ``binaryData`` has it."""
    return base64.b64encode(data).decode()


def to_bytes(data: dict[str, str], key: str) -> bytes:
    """The bytes of one key of ``binaryData``. Raises RecordError."""
    try:
        return base64.b64decode(data[key], validate=True)
    except (KeyError, binascii.Error, ValueError, TypeError) as error:
        raise distrust(f"its {key} is missing or not base64") from error
