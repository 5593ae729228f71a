"""Appends of concurrent members, one after the other, as few checkpoints as possible.

Members are reconciled side by side; the log has one writer. Entries that wait while an append is under
way go into the next one together, so that ten members cost two appends and not ten. ``append`` returns
when the entries are durable, and raises for every waiting caller when they are not: fail closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.audit.entry import Entry
from reconciler.audit.log import Log


@dataclass(slots=True)
class _Waiting:
    entries: Sequence[Entry]
    bodies: Mapping[str, bytes]
    done: asyncio.Future[range] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Journal:
    """The log, for concurrent callers of one event loop."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._waiting: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None

    async def append(self, *entries: Entry, bodies: Mapping[str, bytes] | None = None) -> range:
        """Make the entries durable; returns their indices. Raises AuditError, with nothing published."""
        waiting = _Waiting(entries, bodies or {})
        self._waiting.append(waiting)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        return await asyncio.shield(waiting.done)

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            entries = [entry for waiting in batch for entry in waiting.entries]
            bodies = {digest: body for waiting in batch for digest, body in waiting.bodies.items()}
            try:
                indices = await asyncio.to_thread(self._log.append, entries, bodies)
            except Exception as error:
                for waiting in batch:
                    waiting.done.set_exception(error)
            else:
                _hand_out(batch, indices)


def _hand_out(batch: Sequence[_Waiting], indices: range) -> None:
    start = indices.start
    for waiting in batch:
        end = start + len(waiting.entries)
        waiting.done.set_result(range(start, end))
        start = end
