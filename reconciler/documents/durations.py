"""Go durations ("1h30m", "250ms") as timedelta.

The grammar is that of Go's ``time.ParseDuration``: decimal numbers, each with a unit, nothing between them.
Only positive durations up to 100 years are taken, since every one in a fleet is an interval or a limit.

>>> parse_duration("1h30m"), parse_duration("1.5s")
(datetime.timedelta(seconds=5400), datetime.timedelta(seconds=1, microseconds=500000))
"""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15})(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_WHOLE = re.compile(rf"\+?(?:{_PART.pattern}){{1,16}}", re.ASCII)
_LONGEST = 100 * 365 * 24 * 3600.0


def parse_duration(text: str) -> timedelta:
    """The duration, rounded to microseconds. Raises ValueError for anything else."""
    if not _WHOLE.fullmatch(text):
        raise ValueError("not a Go duration")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if not 1e-6 <= seconds <= _LONGEST:
        raise ValueError("a duration must be positive, and at most 100 years")
    return timedelta(seconds=seconds)


def is_duration(text: str) -> bool:
    """Whether ``parse_duration`` takes the text."""
    try:
        parse_duration(text)
    except ValueError:
        return False
    return True
