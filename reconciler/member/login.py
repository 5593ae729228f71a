"""A login and where the host keeps what logins are made of; shared by every way to log in.

- Paths are relative to the host's credentials directory and cannot leave it, symlinks included.
- A login never shows its contents, and neither does an error about one.

>>> Login(token="secret")
Login()
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from reconciler.member import errors
from reconciler.member.seal_keys import KeyFile
from reconciler.member.slots import OpenSecrets
from reconciler.model import Clock

MAX_FILE = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Login:
    """What to present: a bearer token, a client certificate (PEM) with its key, or both."""

    token: str = field(default="", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)


class CredentialSource(Protocol):
    """Port to where a login comes from."""

    async def load(self, *, fresh: bool = False) -> Login:
        """The login now; ``fresh`` after the API server refused the last one. Raises CredentialError."""
        ...


@dataclass(frozen=True, slots=True)
class Host:
    """What the reconciler's own host offers to credentials."""

    directory: Path
    clock: Clock
    allowed_exec: Sequence[tuple[str, ...]] = ()
    environment: Mapping[str, str] = field(default_factory=dict)  # for exec commands
    open_secrets: OpenSecrets | None = None  # of the primary, for ``secretRef``
    seal_keys: KeyFile | None = None  # of sealed token files


async def read(directory: Path, relative: str) -> bytes:
    """The bytes of a file below ``directory``, at most 1 MiB. Raises CredentialError."""
    return await asyncio.to_thread(read_file, directory, relative)


def resolved(directory: Path, relative: str) -> Path:
    """The real file of a path below ``directory``, symlinks followed. Raises CredentialError."""
    path = Path(relative)
    if not relative or "\0" in relative or path.is_absolute() or ".." in path.parts:
        raise refused(relative, "a relative path without '..'", "another one")
    root = directory.resolve()
    try:
        real = (root / path).resolve(strict=True)
        if not real.is_relative_to(root) or not real.is_file():
            raise refused(relative, "a file inside the credentials directory", "something else")
    except (OSError, RuntimeError) as error:  # RuntimeError: a symlink loop
        raise _unreadable(relative, error) from error
    return real


def _unreadable(relative: str, error: Exception) -> errors.CredentialError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else "unreadable"
    return refused(relative, "a readable file", reason)


def read_file(directory: Path, relative: str) -> bytes:
    """As ``read``, here and now."""
    real = resolved(directory, relative)
    try:
        with real.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise _unreadable(relative, error) from error
    if len(data) > MAX_FILE:
        raise refused(relative, f"at most {MAX_FILE} bytes", "more")
    return data


def token_of(data: bytes, label: str) -> str:
    """A bearer token (RFC 6750: visible ASCII) without the white space around it."""
    try:
        token = data.decode("ascii").strip()
    except UnicodeDecodeError:
        token = ""
    if not token or not token.isprintable() or " " in token:
        raise refused(label, "one bearer token", "something else")
    return token


def refused(label: str, expected: str, got: str, hint: str = "") -> errors.CredentialError:
    """The error for credentials that cannot be used; never contains their contents."""
    return errors.CredentialError(f"credentials {label!r}", expected=expected, got=got, hint=hint)
