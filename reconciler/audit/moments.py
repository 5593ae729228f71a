"""Points in time as people type them: RFC 3339, a date, or how long ago. Pure.

>>> now = datetime(2026, 3, 4, 12, tzinfo=UTC)
>>> parse_moment("2h", now).isoformat(), parse_moment("1d12h", now).isoformat()
('2026-03-04T10:00:00+00:00', '2026-03-03T00:00:00+00:00')
>>> parse_moment("2026-03-01", now).isoformat(), parse_moment("2026-03-01T01:00:00+01:00", now).isoformat()
('2026-03-01T00:00:00+00:00', '2026-03-01T00:00:00+00:00')
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from reconciler.audit.codes import QueryError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}  # seconds
_AGO = re.compile(r"(?:[0-9]{1,9}[smhdw]){1,5}")
_PART = re.compile(r"([0-9]{1,9})([smhdw])")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def parse_moment(text: str, now: datetime) -> datetime:
    """UTC. RFC 3339 with its zone, a date (midnight UTC), or a duration before ``now``. Raises QueryError."""
    try:
        if _AGO.fullmatch(text):
            seconds = sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))
            return (now - timedelta(seconds=seconds)).astimezone(UTC)
        if _DATE.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        if _TIME.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # a day that no month has, or a time before year 1
    raise QueryError(
        "not a point in time",
        expected="RFC 3339 such as 2026-01-31T12:00:00Z, a date, or how long ago: 2h, 7d",
        got=text[:60],
    )
