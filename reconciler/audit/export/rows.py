"""What the formats are made of: entries with their place in the log, one after the other.

Rules: entries come in the log's order, each checked against the signed checkpoint as it is read; those
outside of the time that was asked for are left out. What cannot be read raises: an export with a hole would
be believed.

>>> Row("fleet.example/log", 7, bytes(32), Entry(actor="ci@host-1")).uid
'fleet.example/log#7'
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.audit.bodies import Bodies, change_set_statement, objects_of
from reconciler.audit.entry import Entry, Intent, Outcome, decode
from reconciler.audit.merkle import leaf_hash
from reconciler.audit.outcomes import ObjectRow, read_outcomes
from reconciler.audit.view import LogView
from reconciler.model import ObjectResult

_UNDONE = (ObjectResult.FAILED, ObjectResult.SKIPPED)


@dataclass(frozen=True, slots=True)
class Row:
    """One entry. ``leaf`` is its RFC 6962 leaf hash, which inclusion proofs begin with.

    ``objects`` are those of an outcome, ``actions`` what was to be done to those that were not done
    ("create", by the object's name as the log prints it).
    """

    origin: str
    index: int
    leaf: bytes
    entry: Entry
    objects: tuple[ObjectRow, ...] = ()
    actions: dict[str, str] = field(default_factory=dict)

    @property
    def uid(self) -> str:
        """Names the entry among those of all logs."""
        return f"{self.origin}#{self.index}"

    @property
    def time(self) -> datetime:
        """When it was logged, UTC."""
        if self.entry.time is None:
            raise ValueError("an entry without its time")
        return self.entry.time


Format = Callable[[Iterator[Row]], Iterator[bytes]]


def rows(
    view: LogView, *, since: datetime | None = None, until: datetime | None = None, bodies: bool = True
) -> Iterator[Row]:
    """The entries from ``since`` up to, and without, ``until``; with outcomes' objects if ``bodies``.

    Raises what ``LogView.raw`` and ``LogView.body`` raise, EntryError, BodyFormatError.
    """
    for index in range(view.size):
        raw = view.raw(index)
        entry = decode(raw)
        if entry.time is None or (since and entry.time < since) or (until and entry.time >= until):
            continue
        objects: tuple[ObjectRow, ...] = ()
        actions: dict[str, str] = {}
        if bodies and isinstance(entry, Outcome) and entry.body:
            objects = read_outcomes(view.body(entry.body))
            if any(row.result in _UNDONE for row in objects):
                actions = _actions(view, view.entry(entry.intent))
        yield Row(view.origin, index, leaf_hash(raw), entry, objects, actions)


def _actions(log: Bodies, intent: Entry) -> dict[str, str]:
    if not isinstance(intent, Intent):
        return {}
    envelope = log.body(intent.change_set)
    changes = change_set_statement(envelope)["predicate"]["changes"]
    return {
        str(ref): str(change.get("action")) for ref, change in zip(objects_of(envelope), changes, strict=True)
    }
