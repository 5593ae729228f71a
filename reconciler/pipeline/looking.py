"""No member is written, and no commit accepted, before the others were looked at, or had a moment to be.

A member's signed record may prove that the log was lost or rolled back, and then the run stops everywhere.
Waiting for every member would let a slow one delay the rest, so all of them together wait ``MOMENT``
seconds from the start of the run and no longer; a member that proves it later still stops what has not begun.
For the same reason the commit is accepted in the log only then: a log that is behind gets no entry more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from reconciler.errors import AuditError

MOMENT = 2.0  # seconds


class Looks:
    """The members of one run that were not looked at yet; made inside the run's event loop."""

    def __init__(self, clusters: Iterable[str], accept: Callable[[], Awaitable[object]]) -> None:
        """``accept`` logs the commit's acceptance; it is called once."""
        self._waiting = set(clusters)
        self._accept = accept
        self._accepting: asyncio.Task[object] | None = None
        self._all = asyncio.Event()
        self._until = asyncio.get_running_loop().time() + MOMENT
        self._error: AuditError | None = None
        if not self._waiting:
            self._all.set()

    def looked(self, cluster: str) -> None:
        """The member agrees with the log, or cannot be asked."""
        self._waiting.discard(cluster)
        if not self._waiting:
            self._all.set()

    def stop(self, error: AuditError) -> None:
        """The log cannot be believed or written: nobody begins to write any more."""
        self._error = self._error or error
        self._all.set()

    async def before_writing(self) -> None:
        """Wait for the others, but not for long. Raises the AuditError that stopped the run."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._until):
                await self._all.wait()
        if self._error:
            raise self._error
        await self.accept()

    async def accept(self) -> None:
        """Accept the commit, once, whoever asks first. Raises AuditError to all."""
        if self._accepting is None:
            self._accepting = asyncio.ensure_future(self._accept())
        await asyncio.shield(self._accepting)
