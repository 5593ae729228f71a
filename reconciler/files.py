"""Files that are replaced: a reader, or a crash, finds the old content or the new one, whole.

>>> import tempfile
>>> path = Path(tempfile.mkdtemp()) / "note"
>>> replace(path, b"hello", mode=0o600)
>>> replace(path, b"world")  # the mode stays
>>> path.read_bytes(), oct(path.stat().st_mode & 0o777)
(b'world', '0o600')
"""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path


def replace(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Put ``data`` in the place of ``path`` by one rename; ``mode`` None keeps that of the old file, or 0644.

    The folder has to be there. Raises OSError, and leaves everything as it was.
    """
    # mkstemp creates with 0600, so a secret is never readable by others, not even for a moment.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with ExitStack() as undo:
        undo.callback(Path(name).unlink, missing_ok=True)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(_mode(path) if mode is None else mode)
        Path(name).replace(path)
        undo.pop_all()


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode & 0o7777
    except FileNotFoundError:
        return 0o644
