"""The port that a log is kept behind: files by path, and one atomic publication.

Rules for every store: what ``publish`` wrote is durable when it returns; it takes place only while the
checkpoint still is ``base`` (compare-and-swap); if it raises anything but ``LogUncertainError``, readers
see the old log. Files that a crashed ``publish`` left behind lie beyond the checkpoint: nobody reads
them and the next ``publish`` may replace them, even at the same path.

>>> body_path("sha256:" + "ab" * 32)[:22]
'bodies/sha256/ab/ababa'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

MAX_BODY = 64 << 20  # bytes


class Store(Protocol):
    """Where the log's files are. One store serves one thread."""

    def refresh(self) -> None:
        """Look at what is published now. Raises LogStorageError."""
        ...

    def read(self, path: str, limit: int) -> bytes | None:
        """A published file of at most ``limit`` bytes, None if absent. Raises LogStorageError."""
        ...

    def is_vacant(self) -> bool:
        """No checkpoint and nothing that one could be missing for."""
        ...

    def is_newest(self, checkpoint: bytes) -> bool:
        """Nobody has published another since this one was read or published; asks anew, refreshes nothing.

        Raises LogStorageError.
        """
        ...

    def publish(
        self, base: bytes, checkpoint: bytes, files: Mapping[str, bytes], drop: Sequence[str]
    ) -> None:
        """Put ``files`` and then ``checkpoint``, if the published checkpoint is ``base`` (b"": none yet).

        ``drop`` names folders of partial tiles whose full tile is in ``files``. Raises LogConflictError,
        LogUncertainError or LogStorageError.
        """
        ...


def body_path(digest: str) -> str:
    """Where the body of a checked ``sha256:<hex>`` digest is."""
    algorithm, _, value = digest.partition(":")
    return f"bodies/{algorithm}/{value[:2]}/{value[2:]}"
