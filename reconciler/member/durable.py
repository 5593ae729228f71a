"""Small secret files that are whole or not there: made beside their place, synced, then put into it.

Mode 0600 from the first byte. What a killed process left (``.NAME.XXXXXXXX``) is never read.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def replace_file(path: Path, secret: bytes) -> None:
    """Put ``secret`` in the place of ``path``, durably. Raises OSError."""
    with _written(path, secret) as temporary:
        temporary.replace(path)
    sync_folder(path.parent)


def create_file(path: Path, secret: bytes) -> None:
    """Write a new file, durably. Raises FileExistsError, OSError."""
    with _written(path, secret) as temporary:
        path.hardlink_to(temporary)  # a rename would overwrite
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _written(path: Path, secret: bytes) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(handle)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
