"""The key of sealed credentials: a file of its own, outside the folder that it protects.

    fleetward-credentials-key-v1 BASE64     # one line a key; 32 bytes each

Rules
- The first key seals, all of them open. There is more than one while a rotation is under way, and where an
  operator put an old one back.
- Ours (``STATE/credentials.key``) is made when something is sealed first; one from elsewhere (systemd, an
  option) is only read.
- Nobody else may read it. Of a file from elsewhere the group may: systemd gives credentials to a service's
  user by an ACL, whose mask shows as the group's right.
- Who writes a sealed file holds the lock together with others from the key it takes to the file in place;
  who rotates holds it alone. So no file is ever left with a key that was just given up.

>>> parse_keys(text_of([SealKey(bytes(32))]), "k")[0].secret == bytes(32)
True
"""

from __future__ import annotations

import base64
import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from reconciler import files
from reconciler.member import errors
from reconciler.member.sealed import KEY, SealKey

WORD = "fleetward-credentials-key-v1"
MAX_FILE, MAX_KEYS = 16 << 10, 8  # bytes, keys


@dataclass(frozen=True, slots=True)
class KeyFile:
    """Where the keys are. ``lock`` is a file of ours, made when needed; ``ours``: keys may be written."""

    path: Path
    lock: Path
    ours: bool = True

    def load(self) -> tuple[SealKey, ...]:
        """All keys, that which seals first. Raises SealKeyMissingError, SealKeyError."""
        try:
            return parse_keys(self._read(), str(self.path))
        except FileNotFoundError:
            raise errors.SealKeyMissingError(
                "there is no key for sealed credentials", where=str(self.path),
            ) from None  # fmt: skip
        except OSError as error:
            raise _unusable(error.strerror or "unreadable", self.path) from error

    @contextmanager
    def sealing(self) -> Iterator[SealKey]:
        """The key to seal with, made now if it is ours and missing, until the file is in place.

        Raises SealKeyMissingError, SealKeyError.
        """
        with self.writing():
            yield self._first()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Nobody rotates the key. Raises SealKeyError."""
        with self._locked(fcntl.LOCK_SH):
            yield

    @contextmanager
    def rotating(self) -> Iterator[None]:
        """Nobody seals anything; what killed processes left of a key file is gone after it. Raises
        SealKeyError."""
        with self._locked(fcntl.LOCK_EX):
            yield
            for left in self.path.parent.glob(f".{self.path.name}.*") if self.ours else ():
                with _translated(left):
                    left.unlink(missing_ok=True)

    def write(self, keys: Sequence[SealKey]) -> None:
        """Replace the whole file. Raises SealKeyError."""
        try:
            files.replace(self.path, text_of(keys), mode=0o600, durable=True)
        except OSError as error:
            raise _unusable(error.strerror or "not writable", self.path) from error

    def _first(self) -> SealKey:
        if self.ours and not self.path.exists():
            with (
                suppress(FileExistsError),
                _translated(self.path),
            ):  # another process was first: its key counts
                files.create(self.path, text_of([SealKey.new()]))
        return self.load()[0]

    def _read(self) -> bytes:
        # Not blocking: a pipe put in the key's place must not hang us.
        handle = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            mode = os.fstat(handle).st_mode
            if not stat.S_ISREG(mode):
                raise _unusable("no regular file", self.path)
            if mode & (0o077 if self.ours else 0o037):
                raise _unusable(f"mode {stat.S_IMODE(mode):04o}", self.path)
            return file.read(MAX_FILE + 1)

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        with _translated(self.lock):
            self.lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            try:
                fcntl.flock(handle, how | fcntl.LOCK_NB)
            except OSError:
                raise errors.SealKeyError(
                    "credentials are being sealed or their key is being rotated", where=str(self.lock),
                    hint="run the same command again",
                ) from None  # fmt: skip
            yield
        finally:
            os.close(handle)


def parse_keys(data: bytes, where: str) -> tuple[SealKey, ...]:
    """The keys of a file's bytes. Raises SealKeyError."""
    lines = [line.split("#")[0].split() for line in data.decode("ascii", "replace").splitlines()]
    try:
        found = [_key(line) for line in lines if line]
    except ValueError:
        found = []
    if not 0 < len(found) <= MAX_KEYS or len(data) > MAX_FILE:
        raise _unusable("something else", Path(where))
    return tuple(found)


def text_of(keys: Sequence[SealKey]) -> bytes:
    """The file's bytes: a secret."""
    lines = [f"{WORD} {base64.b64encode(key.secret).decode()}\n" for key in keys]
    return "".join(lines).encode()


def _key(words: Sequence[str]) -> SealKey:
    word, text = words
    secret = base64.b64decode(text, validate=True)
    if word != WORD or len(secret) != KEY:
        raise ValueError("not a key")
    return SealKey(secret)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        raise _unusable(error.strerror or "not writable", path) from error


def _unusable(got: str, path: Path) -> errors.SealKeyError:
    return errors.SealKeyError(
        "the key of sealed credentials cannot be used",
        expected=f"a file of mode 0600 with lines {WORD} BASE64 of {KEY} bytes",
        got=got, where=str(path),
    )  # fmt: skip
