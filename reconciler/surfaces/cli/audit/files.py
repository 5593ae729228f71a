"""Files that evidence is exchanged in: read within bounds, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from reconciler.audit.codes import EvidenceFileError
from reconciler.files import replace


def read(path: Path, limit: int) -> bytes:
    """The file's bytes, at most ``limit``. Raises EvidenceFileError."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise EvidenceFileError(f"cannot read: {error.strerror}", where=str(path)) from error
    if len(data) > limit:
        raise EvidenceFileError("the file is too large", expected=f"at most {limit} bytes", where=str(path))
    return data


def write(path: Path, data: bytes) -> None:
    """Replace the file, so that no reader sees a half. Raises EvidenceFileError."""
    try:
        replace(path, data)
    except OSError as error:
        hint = "name a folder that exists and that you may write to"
        raise EvidenceFileError(f"cannot write: {error.strerror}", where=str(path), hint=hint) from error
