"""The table of ``fleetward status``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from reconciler.pipeline.status import MemberStatus
from reconciler.surfaces.formats.findings import Paint, plain
from reconciler.surfaces.formats.safe import safe

HEADER = ("CLUSTER", "STATE", "MODE", "ACCEPTED", "APPLIED", "OBJECTS", "CHANGES", "DRIFT", "SEEN")


def table(statuses: Sequence[MemberStatus], now: datetime, paint: Paint = plain) -> str:
    """One row a member, then the errors; what is not of this moment says "stale"."""
    rows = [HEADER, *(_row(status, now) for status in statuses)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    lines = [_line(row, widths, paint, statuses[n - 1] if n else None) for n, row in enumerate(rows)]
    lines += [f"{paint(safe(s.cluster), 'heading')}: {_error(s, now)}" for s in statuses if s.error]
    return "\n".join(lines) + "\n"


def age(then: datetime | None, now: datetime) -> str:
    """ "3s", "5m", "2h", "4d" as kubectl shows ages; "never".

    >>> from datetime import UTC
    >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    >>> age(noon - timedelta(minutes=5), noon), age(None, noon)
    ('5m', 'never')
    """
    if then is None:
        return "never"
    seconds = max(0, int((now - then) / timedelta(seconds=1)))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= 2 * size or (seconds >= size and unit != "m") or (unit == "m" and seconds >= size):
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _row(status: MemberStatus, now: datetime) -> tuple[str, ...]:
    seen = age(status.seen, now)
    return (
        safe(status.cluster),
        status.health.value,
        status.mode,
        status.accepted[:12],
        status.applied[:12] or "-",
        str(status.objects),
        "?" if status.stale else str(status.changes),
        f"{status.drift}?" if status.stale else str(status.drift),
        f"{seen} (stale)" if status.stale else seen,
    )


def _line(row: Sequence[str], widths: Sequence[int], paint: Paint, status: MemberStatus | None) -> str:
    cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
    if status is not None:
        cells[1] = paint(cells[1], "good" if status.good else "error")
    return "   ".join(cells).rstrip()


def _error(status: MemberStatus, now: datetime) -> str:
    if status.retry_at and status.retry_at > now:
        wait = int((status.retry_at - now).total_seconds())
        return f"{safe(status.error)} ({status.failures} failures, next try in {wait}s)"
    return safe(status.error)
