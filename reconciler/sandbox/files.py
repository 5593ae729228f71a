"""Files the sandbox writes: whole or not at all, private where they hold keys, locked where two may write.

- Keys and kubeconfigs are created with mode 0600, not changed to it afterwards.
- ``locked`` holds an advisory lock that the kernel drops when its holder dies: nothing to clean up.

>>> import tempfile
>>> path = Path(tempfile.mkdtemp()) / "note"
>>> write(path, b"hello", mode=0o600)
>>> path.read_bytes(), oct(path.stat().st_mode & 0o777)
(b'hello', '0o600')
"""

import contextlib
import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path

from reconciler.errors import SandboxError
from reconciler.files import replace


def write(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replace ``path`` with ``data`` in one step; the folder is made if it is missing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, data, mode=mode)
    except OSError as error:
        raise SandboxError("cannot write", got=error.strerror or str(error), where=str(path)) from error


@contextlib.contextmanager
def locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file ``path``; ``waiting`` is called once if another process has it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise SandboxError("cannot lock", got=error.strerror or str(error), where=str(path)) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def last_lines(path: Path, count: int = 8) -> str:
    """The end of a log for an error message; empty if there is none. Reads at most 8 KiB."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 8192))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return "\n".join(line for line in lines[-count:] if line.isprintable() or "\t" in line)
