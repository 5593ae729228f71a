"""A token file that is replaced: staged beside it, and put in its place by one rename.

Rules
- Whoever reads the file, whenever, finds the old token or the new one, whole; mode 0600 from its first byte.
- One at a time: the file itself is locked (``flock``) while it is being replaced. A run that finds it locked,
  or replaced meanwhile by another run, has nothing to do.
- A run that was killed leaves the staged file behind; the next replacement begins by taking it away.

    with claimed(directory, "member-a.token", old) as slot:
        if slot:
            slot.stage(new)       # on disk, durable, not in use
            ...                   # log it
            slot.publish()        # in use
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from reconciler.member import errors
from reconciler.member.login import MAX_FILE, resolved


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of a token file that nobody else replaces now."""

    path: Path

    @property
    def staged(self) -> Path:
        """The new file, until it is published."""
        return self.path.with_name(f".{self.path.name}.new")

    def stage(self, token: str) -> None:
        """Write the new token beside the old one, durably. Raises TokenFileError."""
        with _translated(self.path):
            self.staged.unlink(missing_ok=True)
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW
            with os.fdopen(os.open(self.staged, flags, 0o600), "wb") as file:
                file.write(f"{token}\n".encode("ascii"))
                file.flush()
                os.fsync(file.fileno())

    def publish(self) -> None:
        """The new token takes the old one's place. Raises TokenFileError."""
        with _translated(self.path):
            self.staged.replace(self.path)
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


@contextmanager
def claimed(directory: Path, relative: str, token: str) -> Iterator[Slot | None]:
    """The file's slot, if it holds ``token`` and nobody else is replacing it. Raises TokenFileError."""
    path = resolved(directory, relative)
    with _translated(path):
        file = path.open("rb")
    with file:
        if not _locked(file.fileno()) or file.read(MAX_FILE).strip() != token.encode() or _moved(file, path):
            yield None
            return
        slot = Slot(path)
        try:
            yield slot
        finally:
            with suppress(OSError):
                slot.staged.unlink(missing_ok=True)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _moved(file: object, path: Path) -> bool:
    """Whether the path leads to another file by now."""
    mine = os.fstat(file.fileno())  # type: ignore[attr-defined]
    try:
        there = path.stat()
    except OSError:
        return True
    return (mine.st_dev, mine.st_ino) != (there.st_dev, there.st_ino)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise errors.TokenFileError(
            f"the token file {path.name!r} cannot be replaced",
            expected="a folder that the reconciler may write",
            got=error.strerror or "an error of the system",
            hint=errors.CODES[errors.TokenFileError.code][1],
        ) from error
