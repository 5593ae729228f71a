"""A new key for sealed credentials, such that killing it at any moment loses none of them.

1. new     the key file has the new key first and the old ones after it, by one rename
2. seal    every file that an old key sealed is replaced by one that the new key sealed, by one rename each
3. drop    the key file has the new key alone, by one rename

Run again after a crash it finishes what was begun: more than one key in the file is a rotation under way, and
no further key is made. While a file is left that an old key sealed and that does not open, nothing is
dropped. A file that is sealed with none of our keys is named and left alone: another fleet may share the
folder.

A key from elsewhere is not ours to write: then only step 2 is done, for the first of its keys.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconciler import files
from reconciler.member import errors
from reconciler.member.login import MAX_FILE
from reconciler.member.seal_keys import KeyFile
from reconciler.member.sealed import SealKey, is_sealed, key_id_of, seal, unseal
from reconciler.member.token_file import label_of

MAX_FILES = 100_000


@dataclass(frozen=True, slots=True)
class Resealed:
    """``files`` have the new key now; ``foreign`` are sealed with none of ours."""

    key_id: str
    files: tuple[str, ...]
    foreign: tuple[str, ...]


def rotate_seal_key(keys: KeyFile, directory: Path) -> Resealed:
    """Do all that is left to do. Raises SealKeyError, DamagedSealError, TokenFileError."""
    with keys.rotating():
        ring = _begun(keys)
        files, foreign = [], []
        for path in sealed_files(directory):
            label = label_of(directory, path)
            if not (known := _reseal(path, label, ring)):
                foreign.append(label)
            elif known != ring[0]:
                files.append(label)
        if keys.ours and len(ring) > 1:
            keys.write(ring[:1])
        return Resealed(ring[0].id.hex(), tuple(files), tuple(foreign))


def sealed_files(directory: Path) -> Iterator[Path]:
    """The sealed files below the credentials folder, by name. Raises TokenFileError."""
    number = 0
    for parent, folders, names in os.walk(directory.resolve()):
        folders.sort()
        for name in sorted(names):
            number += 1
            if number > MAX_FILES:
                raise errors.TokenFileError(
                    "too many files in the credentials folder", expected=f"at most {MAX_FILES}",
                    where=str(directory),
                )  # fmt: skip
            path = Path(parent) / name
            if not name.startswith(".") and not path.is_symlink() and is_sealed(_head(path)):
                yield path


def _begun(keys: KeyFile) -> tuple[SealKey, ...]:
    ring = keys.load()
    if keys.ours and len(ring) == 1:
        ring = (SealKey.new(), *ring)
        keys.write(ring)
    return ring


def _reseal(path: Path, label: str, ring: tuple[SealKey, ...]) -> SealKey | None:
    """The key that the file was sealed with; None for none of ours."""
    data = _whole(path)
    key_id = key_id_of(label, data)
    used = next((key for key in ring if key.id == key_id), None)
    if used is None or used == ring[0]:
        return used
    secret = unseal(ring, label, data)
    try:
        files.replace(path, seal(ring[0], label, secret), mode=0o600, durable=True)
    except OSError as error:
        raise _unreadable(path, error) from error
    return used


def _whole(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE + 1)
    except OSError as error:
        raise _unreadable(path, error) from error


def _head(path: Path) -> bytes:
    """The first bytes; none of what is no file or is not ours to read."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            return file.read(64)
    except OSError:
        return b""


def _unreadable(path: Path, error: OSError) -> errors.TokenFileError:
    return errors.TokenFileError(
        f"the sealed file {path.name!r} cannot be replaced",
        got=error.strerror or "an error of the system",
    )
