"""A token file that is replaced: staged beside it, and put in its place by one rename.

Rules
- Whoever reads the file, whenever, finds the old token or the new one, whole; mode 0600 from its first byte.
- One at a time: the file itself is locked (``flock``) while it is being replaced. A run that finds it locked,
  or replaced meanwhile by another run, has nothing to do.
- A run that was killed leaves the staged file behind; the next replacement begins by taking it away.
- What was plain stays plain, what was sealed (``sealed``) stays sealed, with the first of the keys by then.

    async with claimed(directory, "member-a.token", old, keys) as slot:
        if slot:
            await slot.stage(new)       # on disk, durable, not in use
            ...                         # log it
            await slot.publish()        # in use
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from reconciler import files
from reconciler.member import errors
from reconciler.member.login import MAX_FILE, read_file, resolved
from reconciler.member.seal_keys import KeyFile
from reconciler.member.sealed import is_sealed, seal, unseal

_READS = 3  # of a file whose key is being rotated


@dataclass(slots=True)
class FileSlot:
    """The place of a token file that nobody else replaces now; ``keys`` is None for a plain one."""

    path: Path
    label: str
    keys: KeyFile | None
    _held: ExitStack = field(default_factory=ExitStack, repr=False)
    _open: bool = True  # nothing was published yet

    @property
    def staged(self) -> Path:
        """The new file, until it is published."""
        return staged_of(self.path)

    async def stage(self, token: str) -> None:
        """Write the new token beside the old one, durably. Raises TokenFileError, SealKeyError."""
        await asyncio.to_thread(self._stage, token)

    async def publish(self) -> None:
        """The new token takes the old one's place. Raises TokenFileError."""
        await asyncio.to_thread(self._publish)

    def close(self) -> None:
        """Take away what was staged and not published."""
        if self._open:
            with suppress(OSError):
                self.staged.unlink(missing_ok=True)
        self._held.close()

    def _stage(self, token: str) -> None:
        data = f"{token}\n".encode("ascii")
        if self.keys is not None:
            data = seal(self._held.enter_context(self.keys.sealing()), self.label, data)
        with _translated(self.path):
            self.staged.unlink(missing_ok=True)
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW
            with os.fdopen(os.open(self.staged, flags, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())

    def _publish(self) -> None:
        with _translated(self.path):
            self.staged.replace(self.path)
            self._open = False
            files.sync_folder(self.path.parent)


def staged_of(path: Path) -> Path:
    """Where a token waits that is to take the place of ``path``."""
    return path.with_name(f".{path.name}.new")


def label_of(directory: Path, path: Path) -> str:
    """What a sealed file is bound to: its real path below the credentials folder. Raises TokenFileError."""
    try:
        return path.relative_to(directory.resolve()).as_posix()
    except ValueError:
        raise errors.TokenFileError(
            f"the token file {path.name!r} is outside of the credentials folder", where=str(directory)
        ) from None


def read_token(directory: Path, relative: str, keys: KeyFile | None) -> bytes:
    """A token file's secret, opened where it is sealed. Raises CredentialError, SealKeyMissingError,
    SealKeyError, WrongSealKeyError, DamagedSealError."""
    for attempt in range(_READS):
        data = read_file(directory, relative)
        if not is_sealed(data):
            return data
        try:
            return _opened(label_of(directory, resolved(directory, relative)), data, keys)
        except errors.WrongSealKeyError:
            if attempt + 1 == _READS:  # before that: it was sealed anew between file and key
                raise
    raise AssertionError("unreachable")


def _opened(label: str, data: bytes, keys: KeyFile | None) -> bytes:
    if keys is None:
        raise errors.SealKeyMissingError("no key for sealed credentials was given", where=label)
    return unseal(keys.load(), label, data)


@asynccontextmanager
async def claimed(
    directory: Path, relative: str, token: str, keys: KeyFile | None = None
) -> AsyncIterator[FileSlot | None]:
    """The file's slot, if it holds ``token`` and nobody else is replacing it.

    Raises TokenFileError, and what ``read_token`` does.
    """
    path = resolved(directory, relative)
    with _translated(path):
        file = path.open("rb")
    with file:
        label = label_of(directory, path)
        data = file.read(MAX_FILE) if _locked(file.fileno()) else b""
        held = _opened(label, data, keys) if is_sealed(data) else data
        if held.strip() != token.encode() or _moved(file, path):
            yield None
            return
        slot = FileSlot(path, label, keys if is_sealed(data) else None)
        try:
            yield slot
        finally:
            slot.close()


def keep_token(directory: Path, relative: str, token: str, keys: KeyFile) -> None:
    """Write a token to a file of ours, sealed, whatever was there. Raises TokenFileError, SealKeyError,
    SealKeyMissingError."""
    path = directory / relative
    with keys.sealing() as key, _translated(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = path.parent.resolve() / path.name
        sealed = seal(key, label_of(directory, path), f"{token}\n".encode("ascii"))
        files.replace(path, sealed, mode=0o600, durable=True)


def forget_token(directory: Path, relative: str, keys: KeyFile) -> bool:
    """Take a token file of ours away, and what was staged for it; whether there was one.

    Raises TokenFileError, SealKeyError.
    """
    path = directory / relative
    with _translated(path), ExitStack() as stack:
        if not path.parent.is_dir():
            return False
        there = path.exists()
        if there:  # nobody may put one there again, by a renewal or a new key
            stack.enter_context(keys.writing())
            stack.enter_context(_alone(path))
        staged_of(path).unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        files.sync_folder(path.parent)
    return there


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Nobody replaces the file. Raises TokenFileError when somebody does just now."""
    with path.open("rb") as file:
        if not _locked(file.fileno()) or _moved(file, path):
            raise errors.TokenFileError(
                f"the token file {path.name!r} is being replaced just now", hint="run the same command again"
            )
        yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _moved(file: BinaryIO, path: Path) -> bool:
    """Whether the path leads to another file by now."""
    mine = os.fstat(file.fileno())
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
        ) from error
