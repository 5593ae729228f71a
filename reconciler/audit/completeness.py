"""Completeness as a number: the share of member writes that the log explains wholly.

Rules: a write is an object that an outcome says was created, updated or deleted. It is complete when its
intent was logged before it, its outcome after it, and the outcome has the Audit-ID that was sent with it.
Writes that are known to have happened or may have, and of which no outcome tells object by object, count as
not complete: those of intents without an outcome, of interrupted ones, and of those that only the member's
record proves. What a damaged log cannot tell anymore counts as not complete too.

>>> Completeness(writes=3, complete=2).share
0.6666666666666666
>>> str(Completeness(writes=3000, complete=2999)), str(Completeness(0, 0))
('99.96 % of 3000 member writes', '100 % of 0 member writes')
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.audit.entry import Entry, Intent, Outcome, OutcomeResult
from reconciler.audit.outcomes import read_outcomes

if TYPE_CHECKING:
    from reconciler.audit.view import LogView

_UNTOLD = (OutcomeResult.APPLIED, OutcomeResult.INTERRUPTED)  # without rows: written, or perhaps written


@dataclass(frozen=True, slots=True)
class Completeness:
    """``complete`` of ``writes`` have intent, outcome and Audit-ID."""

    writes: int
    complete: int

    @property
    def share(self) -> float:
        """0.0 to 1.0; a log without writes is complete."""
        return self.complete / self.writes if self.writes else 1.0

    def __str__(self) -> str:
        # Rounded down: 100 % means every one.
        percent = self.complete * 10_000 // self.writes / 100 if self.writes else 100
        return f"{percent:g} % of {self.writes} member writes"


@dataclass(slots=True)
class Tally:
    """Counts entries in their order; ``intents`` are the open ones: index -> (cluster, planned writes)."""

    writes: int = 0
    complete: int = 0
    intents: dict[int, tuple[str, int]] = field(default_factory=dict)

    def intent(self, index: int, entry: Intent) -> None:
        """An intent, whose writes are not told yet."""
        counts = entry.counts
        self.intents[index] = (entry.cluster, counts.create + counts.update + counts.delete)

    def outcome(self, entry: Outcome, body: bytes | None) -> None:
        """An outcome, with its body; None where that is missing. Raises BodyFormatError."""
        cluster, planned = self.intents.pop(entry.intent, ("", 0))
        if not entry.body:
            self.writes += planned if entry.result in _UNTOLD else 0
        elif body is None:
            self.writes += entry.counts.created + entry.counts.updated + entry.counts.deleted
        else:
            written = [row for row in read_outcomes(body) if row.written]
            self.writes += len(written)
            self.complete += sum(1 for row in written if row.audit_id and cluster == entry.cluster)

    def result(self) -> Completeness:
        """With everything that is still open."""
        return Completeness(self.writes + sum(planned for _, planned in self.intents.values()), self.complete)


def completeness(log: LogView, start: int = 0) -> Completeness:
    """Of the entries from ``start``.

    Raises what ``LogView.entry`` and ``LogView.body`` raise, and BodyFormatError.
    """
    tally = Tally()
    for index, entry in log.entries(start):
        _count(log, tally, start, index, entry)
    return tally.result()


def _count(log: LogView, tally: Tally, start: int, index: int, entry: Entry) -> None:
    match entry:
        case Intent():
            tally.intent(index, entry)
        case Outcome():
            if entry.intent < start and isinstance(intent := log.entry(entry.intent), Intent):
                tally.intent(entry.intent, intent)
            tally.outcome(entry, log.body(entry.body) if entry.body else None)
