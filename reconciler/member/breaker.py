"""The circuit breaker: how long to leave a failing member alone. Pure; the caller has the clock.

The first failure is tried again at the next run; from the second on the pause doubles, up to an hour.

>>> from datetime import UTC
>>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
>>> [str(retry_at(n, noon) - noon) for n in (1, 2, 3, 9)]
['0:00:00', '0:01:00', '0:02:00', '1:00:00']
"""

from datetime import datetime, timedelta

_FIRST = timedelta(minutes=1)
_LONGEST = timedelta(hours=1)


def retry_at(failures: int, now: datetime) -> datetime:
    """Not to be tried before this moment, after ``failures`` in a row (0: at once)."""
    if failures < 2:
        return now
    return now + min(_LONGEST, _FIRST * (1 << min(failures - 2, 16)))
