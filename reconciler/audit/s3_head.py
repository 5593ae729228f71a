"""The object ``head`` of a log in a bucket: the newest checkpoint, and the files that belong to it.

Rules: it is written by one conditional put, so checkpoint and files become the log together or not at all;
``nonce`` tells one writer's head from another's, also if all else is equal. Files are tiles and entry
bundles only: a head that names any other object is malformed, whoever wrote it.

Form: a line ``fleetward-head/v1``, a line of JSON (nonce, length of the checkpoint, path and length of each
file), then the checkpoint and the files, one behind the other.

>>> head = Head("00" * 16, b"note", {"tile/0/000.p/1": bytes(32)})
>>> Head.parse(head.encode()) == head
True
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from reconciler.audit.codes import LogFormatError
from reconciler.audit.note import MAX_NOTE
from reconciler.audit.tiles import MAX_BUNDLE_BYTES

MAX_HEAD = 256 << 20  # bytes; an append whose bundles and tiles are larger is refused
MAX_FILES = 4096
_MAGIC = b"fleetward-head/v1\n"
_MAX_TABLE = 1 << 20  # bytes of the line of JSON
_PATH = re.compile(r"tile/(?:entries|[0-9]|[1-5][0-9]|6[0-3])/(?:x[0-9]{3}/){0,6}[0-9]{3}(?:\.p/[0-9]{1,3})?")
_NONCE = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Head:
    """A checkpoint (b"": none yet) with ``files``, path -> bytes. Raises LogFormatError for other paths."""

    nonce: str = "0" * 32
    checkpoint: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        wrong = [path for path in self.files if not _PATH.fullmatch(path)]
        if wrong or len(self.files) > MAX_FILES:
            raise LogFormatError(
                "a head with files that are no tiles", expected=f"at most {MAX_FILES} tiles and bundles",
                got=wrong[0][:200] if wrong else str(len(self.files)),
            )  # fmt: skip

    def encode(self) -> bytes:
        """The object's bytes."""
        sizes = [[path, len(data)] for path, data in self.files.items()]
        table = orjson.dumps({"nonce": self.nonce, "checkpoint": len(self.checkpoint), "files": sizes})
        return b"".join((_MAGIC, table, b"\n", self.checkpoint, *self.files.values()))

    @classmethod
    def parse(cls, data: bytes) -> Head:
        """The head of an object's bytes. Raises LogFormatError for anything but what ``encode`` writes."""
        end = data.find(b"\n", len(_MAGIC), len(_MAGIC) + _MAX_TABLE)
        if not data.startswith(_MAGIC) or end < 0:
            raise LogFormatError("not a log's head", expected=_MAGIC.decode().strip())
        nonce, sizes = _table(data[len(_MAGIC) : end])
        if sum(sizes.values()) != len(data) - end - 1:
            raise LogFormatError("a head is cut short or too long", got=f"{len(data)} bytes")
        at, parts = end + 1, {}
        for path, size in sizes.items():
            parts[path] = data[at : at + size]
            at += size
        return cls(nonce, parts.pop(""), parts)


def _table(line: bytes) -> tuple[str, dict[str, int]]:
    """The nonce, and the length of each part in its order; the checkpoint's path is ""."""
    try:
        table = orjson.loads(line)
        nonce, checkpoint, files = table["nonce"], table["checkpoint"], table["files"]
        sizes = {"": checkpoint} | dict(files)
        good = set(table) == {"nonce", "checkpoint", "files"} and len(sizes) == len(files) + 1
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        good = False
    if not good or not _is_nonce(nonce) or not all(_is_size(p, s) for p, s in sizes.items()):
        raise LogFormatError("a head's table is malformed", expected="nonce, checkpoint and files")
    return nonce, sizes


def _is_nonce(value: Any) -> bool:
    return isinstance(value, str) and _NONCE.fullmatch(value) is not None


def _is_size(path: Any, value: Any) -> bool:
    limit = MAX_BUNDLE_BYTES if path else MAX_NOTE
    return isinstance(path, str) and type(value) is int and 0 <= value <= limit
