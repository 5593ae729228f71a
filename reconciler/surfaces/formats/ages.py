"""How long ago, in as few letters as kubectl takes for it."""

from __future__ import annotations

from datetime import datetime, timedelta


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
