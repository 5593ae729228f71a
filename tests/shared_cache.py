"""One cache for all fleets of a test process: the gate's own tests then run once, and not once a test."""

from __future__ import annotations

import tempfile
from pathlib import Path

_FOLDER = tempfile.TemporaryDirectory(prefix="fleetward-cache-")


def shared_cache() -> Path:
    """A folder that is gone when the process ends. What is in it is keyed by what it was made from."""
    return Path(_FOLDER.name)
