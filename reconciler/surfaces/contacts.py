"""Contacts in a JSON file of the state folder; what cannot be read is as good as none.

- One damaged contact, or field of one, costs that and no other. Sizes are bounded on the way in.
- ``update`` reads the file again under a lock, so that ``status`` beside ``reconcile`` loses nothing of it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import orjson

from reconciler.files import replace
from reconciler.member.endpoints import EndpointHealth
from reconciler.model import ClusterName
from reconciler.pipeline.contact import MOST_ENDPOINTS, Contact

_LARGEST = 64 << 20  # bytes
_LONGEST = 4096  # characters of any text
_MOST = 1 << 31
T = TypeVar("T", Contact, EndpointHealth)


class FileContacts:
    """``contacts.json``: cluster name -> contact; replaced atomically."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._contacts = _read(path)
        self._read_of = _stamp(path)  # the file that this is of

    def get(self, cluster: ClusterName) -> Contact:
        """The last contact; an empty one for a member never seen."""
        return self._contacts.get(cluster, Contact())

    def put(self, cluster: ClusterName, contact: Contact) -> None:
        """Keep a contact. A disk that refuses costs the memory of it, not the run."""
        self.update(cluster, lambda _: contact)

    def update(self, cluster: ClusterName, change: Callable[[Contact], Contact]) -> None:
        """Keep what ``change`` makes of the contact as it is now. A disk that refuses costs the memory."""
        try:
            with self._locked():
                if _stamp(self._path) != self._read_of:
                    self._contacts = {**self._contacts, **_read(self._path)}
                self._contacts[cluster] = change(self.get(cluster))
                self._write()
        except OSError:
            self._contacts[cluster] = change(self.get(cluster))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        folder = self._path.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _write(self) -> None:
        replace(self._path, orjson.dumps(self._contacts), mode=0o600)
        self._read_of = _stamp(self._path)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read(path: Path) -> dict[str, Contact]:
    try:
        if path.stat().st_size > _LARGEST:
            return {}
        raw = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(raw, dict):
        return {}
    return {name: _contact(one) for name, one in raw.items() if isinstance(one, dict)}


def _contact(raw: dict[str, Any]) -> Contact:
    held = raw.get("endpoints")
    listed = held[:MOST_ENDPOINTS] if isinstance(held, list) else []
    found = [_made(EndpointHealth, one) for one in listed if isinstance(one, dict) and _text(one.get("url"))]
    return _made(Contact, {**raw, "endpoints": tuple(found)})


def _made(kind: type[T], raw: dict[str, Any]) -> T:
    """The dataclass from the fields that are as they should be."""
    good = {}
    for field in fields(kind):
        value = _good(str(field.type), raw.get(field.name))
        if value is not None:
            good[field.name] = value
    return kind(**good)


def _good(kind: str, value: Any) -> Any:
    """The value as a field of this annotation, None if it is none."""
    if kind == "str":
        return _text(value)
    if kind == "int":
        return value if type(value) is int and 0 <= value < _MOST else None
    if kind.startswith("tuple"):
        return value
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        return moment.astimezone(UTC) if moment and moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _text(value: Any) -> str | None:
    return value[:_LONGEST] if isinstance(value, str) else None
