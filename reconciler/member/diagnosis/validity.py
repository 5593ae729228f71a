"""How long something is still valid: certificates and tokens alike. Pure; the caller has the clock.

>>> from datetime import UTC
>>> day = datetime(2026, 1, 1, tzinfo=UTC)
>>> left = Validity(day, day + timedelta(days=10))
>>> left.grade(day + timedelta(days=1), timedelta(days=30)).value  # nine of ten days are left
'ok'
>>> left.grade(day + timedelta(days=9), timedelta(days=30)).value, left.grade(day, timedelta(days=30)).value
('warning', 'ok')
>>> left.grade(day + timedelta(days=11), timedelta(days=30)).value
'failed'
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.member.diagnosis.results import Grade, Result, failed, ok, warning


@dataclass(frozen=True, slots=True)
class Validity:
    """From ``begin`` (None: unknown) up to ``end``, UTC."""

    begin: datetime | None
    end: datetime

    def grade(self, now: datetime, expiring: timedelta) -> Grade:
        """Failed outside, a warning near the end; see ``Bounds``."""
        if now >= self.end or (self.begin and now < self.begin):
            return Grade.FAILED
        left = self.end - now
        near = left < expiring and (self.begin is None or left < (self.end - self.begin) / 5)
        return Grade.WARNING if near else Grade.OK

    def text(self, now: datetime) -> str:
        """ "until 2026-01-31T12:00:00Z, 5 days left"."""
        if self.begin and now < self.begin:
            return f"not valid before {moment(self.begin)}"
        if now >= self.end:
            return f"expired {moment(self.end)}, {span(now - self.end)} ago"
        return f"until {moment(self.end)}, {span(self.end - now)} left"


def validity_result(
    check: str, what: str, valid: Validity, now: datetime, expiring: timedelta,
    *, code: str, hint: str, where: str = "",
) -> Result:  # fmt: skip
    """The result for something (``what``) that is valid for a time."""
    found = f"{what} {valid.text(now)}".strip()
    expected = "valid now, and for a while"
    match valid.grade(now, expiring):
        case Grade.OK:
            return ok(check, expected, found, where)
        case Grade.WARNING:
            return warning(check, expected, found, hint, code=code, where=where)
        case _:
            return failed(check, expected, found, hint, code=code, where=where)


def moment(time: datetime) -> str:
    """RFC 3339, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def span(time: timedelta) -> str:
    """ "3 days", "5 hours", "40 seconds": the largest unit of which there are at least two.

    >>> span(timedelta(days=3, hours=5)), span(timedelta(hours=30)), span(timedelta(seconds=1))
    ('3 days', '30 hours', '1 second')
    """
    seconds = int(time.total_seconds())
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}s"
    return "1 second" if seconds == 1 else f"{seconds} seconds"
