"""What is said of a credential that needs somebody, and nothing of one that does not.

>>> from datetime import UTC
>>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
>>> warning(noon + timedelta(hours=7), "FW1760: no new token", noon)
'the credential expires in 7h: FW1760: no new token'
>>> warning(noon - timedelta(minutes=5), "", noon), warning(noon + timedelta(hours=7), "", noon)
('the credential expired 5m ago', '')
"""

from __future__ import annotations

from datetime import datetime, timedelta

from reconciler.surfaces.formats.ages import age
from reconciler.surfaces.formats.safe import safe

Stand = tuple[datetime | None, str]  # when it ends, why it was not renewed
_SOON = timedelta(hours=1)  # nobody has tried to renew it: no reconcile runs


def warnings(writer: Stand, viewer: Stand, now: datetime) -> list[str]:
    """The lines for the reconciler's own credential and the viewer's, as far as there is anything to say."""
    said = [warning(*writer, now), warning(*viewer, now, "the viewer's credential")]
    return [line for line in said if line]


def warning(expires: datetime | None, error: str, now: datetime, what: str = "the credential") -> str:
    """One line, "" where all is well; ``error`` is why it was not renewed, "" if that was not tried."""
    if not error and (expires is None or expires - now > _SOON):
        return ""
    if expires is None:
        when = "was not renewed"
    elif expires <= now:
        when = f"expired {age(expires, now)} ago"
    else:
        when = f"expires in {age(now, expires)}"
    return f"{what} {when}{': ' if error else ''}{safe(error)}"
