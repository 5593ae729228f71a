"""How far an API server's clock is from ours, by the header ``Date`` of one answer. Pure.

``Date`` has whole seconds, and the answer took time: the true difference lies in an interval. Only what
is certainly too much counts, so a slow line makes nobody's clock wrong.

>>> from datetime import UTC
>>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
>>> skew = measured("Thu, 01 Jan 2026 12:01:00 GMT", noon, noon + timedelta(seconds=2))
>>> skew.least, str(skew)
(datetime.timedelta(seconds=58), 'about 60 s ahead')
>>> str(measured("Thu, 01 Jan 2026 12:00:01 GMT", noon, noon + timedelta(seconds=2)))
'the same, as far as 3 s tell'
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from reconciler.member import errors
from reconciler.member.diagnosis.results import Bounds, MemberCheck, Result, failed, ok, skipped, warning

_SECOND = timedelta(seconds=1)  # the resolution of Date
_LONGEST = 64  # characters


@dataclass(frozen=True, slots=True)
class Skew:
    """The server's clock less ours: somewhere from ``low`` to ``high``."""

    low: timedelta
    high: timedelta

    @property
    def least(self) -> timedelta:
        """How far they differ at least."""
        return max(self.low, -self.high, timedelta(0))

    def __str__(self) -> str:
        if not self.least:
            return f"the same, as far as {(self.high - self.low).total_seconds():.0f} s tell"
        middle = (self.low + self.high).total_seconds() / 2
        return f"about {abs(middle):.0f} s {'ahead' if middle > 0 else 'behind'}"


def measured(date: str, asked: datetime, answered: datetime) -> Skew:
    """The skew by an answer that was ``asked`` for and ``answered`` at these times of ours.

    Raises ValueError for anything but an IMF-fixdate (RFC 9110, 5.6.7).
    """
    if len(date) > _LONGEST:
        raise ValueError("too long for a date")
    server = parsedate_to_datetime(date)
    if server.tzinfo is None:
        server = server.replace(tzinfo=UTC)
    return Skew(server - answered, server + _SECOND - asked)


def clock_result(url: str, date: str, asked: datetime, answered: datetime, bounds: Bounds) -> Result:
    """Failed above the limit, a warning above half of it."""
    check, limit = MemberCheck.CLOCK, bounds.clock_skew
    expected = f"at most {limit.total_seconds():g} s apart"
    try:
        skew = measured(date, asked, answered)
    except (ValueError, TypeError, OverflowError):
        return skipped(check, "the answer has no usable Date", url)
    hint = errors.CODES["FW1732"][1]
    if skew.least > limit:
        return failed(check, expected, str(skew), hint, code="FW1732", where=url)
    if skew.least > limit / 2:
        return warning(check, expected, str(skew), hint, code="FW1732", where=url)
    return ok(check, expected, str(skew), url)
