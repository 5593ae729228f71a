"""The fold of the log on disk, so that a run folds only what is new. A cache: it may be deleted.

Rules: it names origin, size and root of the log that it was folded from; the caller compares them with
the log, which also shows a log that was rolled back or forked since this machine last read it. Anything
unreadable counts as absent, and a failure to write it is not an error.

``Log.open(..., state_cache=path)`` is the only user.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import orjson

from reconciler.audit import fields as f
from reconciler.audit.state import LogState
from reconciler.files import replace

_MAX_BYTES = 256 << 20
_SCHEMA = "fleetward.io/log-state/v1"


@dataclass(frozen=True, slots=True)
class CachedState:
    """``state`` after the first ``state.size`` entries of the log of ``origin``, whose root was ``root``."""

    schema: f.Name
    origin: f.Name
    root: Annotated[str, f.matching("[0-9a-f]{64}", "a root")]  # hex
    state: Annotated[LogState, f.record(LogState)]


def load(path: Path, origin: str) -> CachedState | None:
    """The cached fold of that log, or None."""
    try:
        with path.open("rb") as file:
            digest, _, body = file.read(_MAX_BYTES).partition(b"\n")
        if digest.decode() != sha256(body).hexdigest():
            return None
        cached: CachedState = f.read_fields(CachedState, orjson.loads(body))
    except (OSError, ValueError):
        return None
    return cached if (cached.schema, cached.origin) == (_SCHEMA, origin) else None


def save(path: Path, origin: str, root: bytes, state: LogState) -> None:
    """Replace the cache; quietly does nothing where that is not possible."""
    body = f.canonical(f.write_fields(CachedState(_SCHEMA, origin, root.hex(), state)))
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, sha256(body).hexdigest().encode() + b"\n" + body)
