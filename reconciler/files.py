"""Files that appear or are replaced whole: a reader, or a crash, finds the old content or the new one.

Content is written beside its place (``.NAME.XXXXXXXX``, mode 0600 from the first byte; one that a killed
process left is never read) and gets its name in one step. Every function raises OSError, and leaves what was
there as it was; ``sync_folder`` alone may come too late for that.

>>> import tempfile
>>> path = Path(tempfile.mkdtemp()) / "note"
>>> replace(path, b"hello", mode=0o600)
>>> replace(path, b"world")  # the mode stays
>>> path.read_bytes(), oct(path.stat().st_mode & 0o777)
(b'world', '0o600')
>>> create(path, b"again")
Traceback (most recent call last):
FileExistsError: ...
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def replace(path: Path, data: bytes, *, mode: int | None = None, durable: bool = False) -> None:
    """Put ``data`` in the place of ``path`` by one rename; ``mode`` None keeps that of the old file, or 0644.

    ``durable``: it survives a power cut once this returns. The folder has to be there.
    """
    with _written(path, data, durable=durable) as temporary:
        temporary.chmod(_mode(path) if mode is None else mode)
        temporary.replace(path)
    if durable:
        sync_folder(path.parent)


def create(path: Path, data: bytes) -> None:
    """Write a new file of mode 0600, durably. Raises FileExistsError when there is one."""
    with _written(path, data, durable=True) as temporary:
        path.hardlink_to(temporary)  # a rename would overwrite
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _written(path: Path, data: bytes, *, durable: bool) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(handle)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode & 0o7777
    except FileNotFoundError:
        return 0o644
