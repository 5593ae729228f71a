"""Contacts in a JSON file of the state folder; unreadable contents are as good as none."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from reconciler.files import replace
from reconciler.model import ClusterName
from reconciler.pipeline.contact import Contact

_TIMES = ("seen", "retry_at", "credential_expires", "viewer_expires")


class FileContacts:
    """``contacts.json``: cluster name -> contact; replaced atomically."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._contacts = _read(path)

    def get(self, cluster: ClusterName) -> Contact:
        """The last contact; an empty one for a member never seen."""
        return self._contacts.get(cluster, Contact())

    def put(self, cluster: ClusterName, contact: Contact) -> None:
        """Keep a contact. A disk that refuses costs the memory of it, not the run."""
        self._contacts[cluster] = contact
        with contextlib.suppress(OSError):
            self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = orjson.dumps({name: asdict(contact) for name, contact in self._contacts.items()})
        replace(self._path, content, mode=0o600)


def _read(path: Path) -> dict[str, Contact]:
    try:
        raw = orjson.loads(path.read_bytes())
        return {name: _contact(fields) for name, fields in raw.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _contact(fields: dict[str, Any]) -> Contact:
    times = {key: datetime.fromisoformat(fields[key]) if fields.get(key) else None for key in _TIMES}
    return Contact(**(fields | times))
