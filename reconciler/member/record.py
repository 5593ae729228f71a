"""The signed record: what we wrote on a member, as bytes for the ApplySet parent.

- A DSSE-signed *head* (JSON) names the change set and the SHA-256 of the *body*; nothing of the body is
  read before both hold.
- The body is made for speed and size: 4 bytes length (big endian), zlib(JSON) with names and
  resourceVersions by kind and namespace, then 48 raw bytes an object: SHA-256 digest, uid. Hashes do not
  compress, so base64 and zlib would only cost time. 10,000 objects are about 0.55 MB.
- A body of more than ``PART`` bytes is cut; parts after the first go to ConfigMaps of their own, named by
  their content, written before the head that names them. A crash between leaves the old head with its
  old parts.

>>> record = Record("cluster", "c0ffee", "sha256:" + "0" * 64, "sha256:" + "1" * 64, 7, 1, {})
>>> head, parts = encode(record, ())
>>> decode(head, parts)[0] == record
True
"""

from __future__ import annotations

import gc
import hashlib
import uuid
import zlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import orjson

from reconciler.member.discovery import Resource
from reconciler.member.envelope import distrust
from reconciler.member.refs import Refs
from reconciler.model import ObjectRef, Record, Recorded

PART = 900_000  # bytes; a ConfigMap takes 1 MiB of data, etcd 1.5 MiB of everything
MOST_PARTS = 64
FORMAT = 1
_MAX_INDEX = 64 << 20  # bytes, unpacked
_ENTRY = 48  # bytes an object: digest, uid


def encode(record: Record, resources: Iterable[Resource]) -> tuple[bytes, tuple[bytes, ...]]:
    """The head's JSON (to be signed) and the body's parts."""
    refs = sorted(record.objects)
    entries = [record.objects[ref] for ref in refs]
    plurals = {(r.group, r.kind): [r.version, r.plural, r.namespaced] for r in resources}
    index = orjson.dumps(_index(refs, entries, plurals))
    packed = zlib.compress(index, 6)
    hashes = b"".join(bytes.fromhex(e.digest[7:]) + uuid.UUID(e.uid).bytes for e in entries)
    body = len(packed).to_bytes(4, "big") + packed + hashes
    parts = tuple(body[at : at + PART] for at in range(0, len(body), PART))
    head = {
        "format": FORMAT,
        "clusterUid": record.cluster_uid,
        "commit": record.commit,
        "desiredDigest": record.desired_digest,
        "changeSet": record.change_set,
        "logIndex": record.log_index,
        "sequence": record.sequence,
        "objects": len(refs),
        "body": hashlib.sha256(body).hexdigest(),
        "parts": [hashlib.sha256(part).hexdigest() for part in parts],
    }
    return orjson.dumps(head, option=orjson.OPT_SORT_KEYS), parts


def _index(
    refs: list[ObjectRef], entries: list[Recorded], plurals: Mapping[tuple[str, str], list[Any]]
) -> Any:
    versions = iter([entry.resource_version for entry in entries])
    index = []
    for kind, of_kind in groupby(refs, key=lambda ref: (ref.group, ref.kind)):
        spaces = []
        for namespace, members in groupby(of_kind, key=lambda ref: ref.namespace):
            names = [ref.name for ref in members]
            spaces.append([namespace, names, [next(versions) for _ in names]])
        index.append([*kind, plurals.get(kind), spaces])
    return index


def parts_of(head: bytes) -> tuple[str, ...]:
    """The SHA-256 of each part that a (verified) head names. Raises RecordError."""
    value = _head(head)
    parts = value.get("parts")
    if value.get("format") != FORMAT or not isinstance(parts, list) or not 1 <= len(parts) <= MOST_PARTS:
        raise distrust(f"its head is not of format {FORMAT}")
    return tuple(str(part) for part in parts)


def decode(
    head: bytes, parts: Sequence[bytes], refs: Refs | None = None
) -> tuple[Record, tuple[Resource, ...]]:
    """The record in a head whose signature was verified, with ``refs`` where it has them.

    Raises RecordError.
    """
    value = _head(head)
    body = b"".join(parts)
    if hashlib.sha256(body).hexdigest() != value.get("body"):
        raise distrust("its objects are not the signed ones")
    size = int.from_bytes(body[:4], "big")
    collecting = gc.isenabled()
    gc.disable()  # tens of thousands of small values and no cycles: collecting would double the time
    try:
        objects, resources = _objects(_unpack(body[4 : 4 + size]), body[4 + size :].hex(), refs or Refs())
        if len(objects) != value["objects"]:
            raise distrust("its number of objects is another one")
        return _record(value, objects), tuple(resources)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise distrust("its contents have another shape") from error
    finally:
        if collecting:
            gc.enable()


def _record(value: dict[str, Any], objects: Mapping[ObjectRef, Recorded]) -> Record:
    return Record(
        str(value["clusterUid"]), str(value["commit"]), str(value["desiredDigest"]), str(value["changeSet"]),
        int(value["logIndex"]), int(value["sequence"]), objects,
    )  # fmt: skip


def _objects(index: Any, hashes: str, refs: Refs) -> tuple[dict[ObjectRef, Recorded], list[Resource]]:
    objects: dict[ObjectRef, Recorded] = {}
    resources = []
    position = 0
    for group, kind, served, spaces in index:
        if served is not None:
            resources.append(Resource(group, kind, *served))
        known = refs.of(group, kind)
        for namespace, names, versions in spaces:
            for name, version in zip(names, versions, strict=True):
                uid = hashes[position + 64 : position + 96]
                ref = known.get((namespace, name)) or ObjectRef(group, kind, namespace, name)
                objects[ref] = Recorded(
                    "sha256:" + hashes[position : position + 64],
                    f"{uid[:8]}-{uid[8:12]}-{uid[12:16]}-{uid[16:20]}-{uid[20:]}",
                    version,
                )
                position += _ENTRY * 2
    if position != len(hashes):
        raise distrust("its hashes do not fit its names")
    return objects, resources


def _unpack(packed: bytes) -> Any:
    unpacker = zlib.decompressobj()
    try:
        index = unpacker.decompress(packed, _MAX_INDEX)
    except zlib.error as error:
        raise distrust("it cannot be unpacked") from error
    if not unpacker.eof:
        raise distrust(f"it unpacks to more than {_MAX_INDEX} bytes")
    return _json(index)


def _head(head: bytes) -> dict[str, Any]:
    value = _json(head)
    if not isinstance(value, dict):
        raise distrust("its head is not a JSON object")
    return value


def _json(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise distrust("it is not JSON") from error
