"""The table of ``fleetward status``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from reconciler.pipeline.status import MemberStatus
from reconciler.surfaces.formats.ages import age
from reconciler.surfaces.formats.columns import padded, row_text
from reconciler.surfaces.formats.credentials import warnings
from reconciler.surfaces.formats.findings import Paint, plain
from reconciler.surfaces.formats.safe import safe

HEADER = ("CLUSTER", "STATE", "AGE", "MODE", "ACCEPTED", "APPLIED", "OBJECTS", "CHANGES", "DRIFT", "SEEN")


def table(statuses: Sequence[MemberStatus], now: datetime, paint: Paint = plain) -> str:
    """One row a cluster, then reasons, errors and warnings; what is not of this moment says "stale"."""
    rows = [HEADER, *(_row(status, now) for status in statuses)]
    header, *cells = padded(rows)
    lines = [row_text(header)]
    for row, status in zip(cells, statuses, strict=True):
        row[1] = paint(row[1], "good" if status.good else "error")
        lines.append(row_text(row))
    lines += [f"{paint(safe(s.cluster), 'heading')}: {said}" for s in statuses for said in _said(s, now)]
    lines += [line for status in statuses for line in _credentials(status, now, paint)]
    return "\n".join(lines) + "\n"


def _said(status: MemberStatus, now: datetime) -> Iterator[str]:
    """The reason of the state, unless the error says it, and the error."""
    if status.reason and not status.error.startswith(status.reason):
        yield safe(status.reason) + (f" (uid {safe(status.uid)})" if status.uid else "")
    if status.error:
        yield _error(status, now)


def _row(status: MemberStatus, now: datetime) -> tuple[str, ...]:
    if not status.mode:  # it is not in the fleet
        since = age(status.since, now) if status.since else "-"
        return (safe(status.cluster), status.state.value, since, *("-" for _ in HEADER[3:]))
    seen = age(status.seen, now)
    return (
        safe(status.cluster),
        status.state.value,
        age(status.since, now) if status.since else "-",
        status.mode,
        status.accepted[:12],
        status.applied[:12] or "-",
        str(status.objects),
        "?" if status.stale else str(status.changes),
        f"{status.drift}?" if status.stale else str(status.drift),
        f"{seen} (stale)" if status.stale else seen,
    )


def _credentials(status: MemberStatus, now: datetime, paint: Paint) -> Iterator[str]:
    for said in warnings(
        (status.credential_expires, status.credential_error),
        (status.viewer_expires, status.viewer_error),
        now,
    ):
        yield f"{paint(safe(status.cluster), 'heading')}: {paint('warning', 'warning')}: {said}"


def _error(status: MemberStatus, now: datetime) -> str:
    if status.retry_at and status.retry_at > now:
        wait = int((status.retry_at - now).total_seconds())
        return f"{safe(status.error)} ({status.failures} failures, next try in {wait}s)"
    return safe(status.error)
