"""Moments: how much clocks may differ, and how a time is shown.

>>> moment(datetime(2026, 1, 1, tzinfo=UTC))
'2026-01-01T00:00:00Z'
"""

from datetime import UTC, datetime, timedelta
from typing import Final

SKEW: Final = timedelta(minutes=5)  # by which a clock elsewhere may be ahead of ours


def moment(time: datetime) -> str:
    """A time in UTC, to the second."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
