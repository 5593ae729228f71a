"""A log in a directory of the local disk: the default store, and servable as it is by any web server.

Rules: one writer at a time (``flock`` on ``.lock``, released by the system when a writer dies). Under the
lock: compare the checkpoint, write each file to ``.staging`` and fsync it, rename it into place, fsync
every folder that changed, and only then the checkpoint in the same way. A crash before the last rename
leaves the old log; what it staged is replaced by the next append. Readers take no lock.

>>> import tempfile
>>> store = DirectoryStore(Path(tempfile.mkdtemp()) / "log")
>>> store.publish(b"", b"head 1", {"tile/entries/000.p/1": b"data"}, ())
>>> store.read("checkpoint", 100), store.read("tile/entries/000.p/1", 100), store.read("tile/0/000", 100)
(b'head 1', b'data', None)
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from reconciler.audit.checkpoint import PATH as CHECKPOINT
from reconciler.audit.codes import LogConflictError, LogStorageError, LogUncertainError
from reconciler.audit.note import MAX_NOTE
from reconciler.files import sync_folder

_POLL_SECONDS = 0.01


class DirectoryStore:
    """A log below ``root``, which is made by the first append."""

    lock_seconds = 10.0  # how long an append waits for another writer

    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def refresh(self) -> None:
        """Nothing to do: every read looks at the disk."""

    def read(self, path: str, limit: int) -> bytes | None:
        """See ``Store.read``."""
        try:
            with (self.root / path).open("rb") as file:
                # As large as it is, not as it may be: a buffer of the limit costs more than most files.
                data = file.read(min(os.fstat(file.fileno()).st_size, limit) + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _storage_error("cannot read", self.root / path, error) from error
        if len(data) > limit:
            raise LogStorageError(
                f"{self.root / path} is too large",
                expected=f"at most {limit} bytes",
                hint="restore this file from a copy of the log",
            )
        return data

    def is_vacant(self) -> bool:
        """No checkpoint, and no tile either."""
        return not (self.root / CHECKPOINT).exists() and not (self.root / "tile").exists()

    def is_newest(self, checkpoint: bytes) -> bool:
        """See ``Store.is_newest``."""
        return (self.read(CHECKPOINT, MAX_NOTE) or b"") == checkpoint

    def publish(
        self, base: bytes, checkpoint: bytes, files: Mapping[str, bytes], drop: Sequence[str]
    ) -> None:
        """See ``Store.publish``."""
        with self._lock():
            if (self.read(CHECKPOINT, MAX_NOTE) or b"") != base:
                raise LogConflictError(
                    "another writer has appended to the log", where=str(self.root),
                    hint="open the log again and repeat what is still needed",
                )  # fmt: skip
            self._stage(files)
            self._swap(checkpoint)
            self._drop(drop)

    def _stage(self, files: Mapping[str, bytes]) -> None:
        try:
            self._clear_staging()
            changed = {self._put(path, data) for path, data in files.items()}
            self._sync_folders(changed)
        except OSError as error:
            with suppress(OSError):
                self._clear_staging()
            raise _storage_error("cannot write the log in", self.root, error) from error

    def _swap(self, checkpoint: bytes) -> None:
        try:
            temporary = self._write_temporary(checkpoint)
            temporary.rename(self.root / CHECKPOINT)
        except OSError as error:
            with suppress(OSError):
                self._clear_staging()
            raise _storage_error("cannot write the log in", self.root, error) from error
        try:
            sync_folder(self.root)
        except OSError as error:
            raise LogUncertainError(
                f"the checkpoint was replaced, but may not survive a power cut: {error.strerror}",
                where=str(self.root),
                hint="check the disk, then open the log again before you repeat anything",
            ) from error

    def _drop(self, folders: Sequence[str]) -> None:
        """Partial tiles are of no use once the full tile is published; a leftover does no harm."""
        for folder in folders:
            shutil.rmtree(self.root / folder, ignore_errors=True)

    def _put(self, path: str, data: bytes) -> Path:
        """Write one file durably; the folder that must be synced for its name to be durable too."""
        target = self.root / path
        temporary = self._write_temporary(data)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.rename(target)
        return target.parent

    def _write_temporary(self, data: bytes) -> Path:
        path = self.root / ".staging" / f"{os.getpid()}-{time.monotonic_ns()}"
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return path

    def _clear_staging(self) -> None:
        shutil.rmtree(self.root / ".staging", ignore_errors=True)

    def _sync_folders(self, changed: set[Path]) -> None:
        """Each changed folder and, since it may be new, those above it up to the root."""
        for folder in changed | {up for path in changed for up in path.parents if self.root in up.parents}:
            sync_folder(folder)
        if changed:
            sync_folder(self.root)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        try:
            new = not self.root.exists()
            self.root.mkdir(parents=True, exist_ok=True)
            if new:
                sync_folder(self.root.parent)
            descriptor = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _storage_error("cannot lock", self.root, error) from error
        try:
            self._wait_for(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _wait_for(self, descriptor: int) -> None:
        deadline = time.monotonic() + self.lock_seconds
        while True:
            try:
                return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise LogConflictError(
                        f"another writer has held the log for {self.lock_seconds:g} s", where=str(self.root),
                        hint="wait for the other run to end, then try again",
                    ) from error  # fmt: skip
                time.sleep(_POLL_SECONDS)


def _storage_error(what: str, path: Path, error: OSError) -> LogStorageError:
    return LogStorageError(
        f"{what} {path}: {error.strerror or error}",
        hint="free space or make it writable, then run again; nothing was published",
    )
