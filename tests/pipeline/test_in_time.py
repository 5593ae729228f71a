"""A look that takes too long ends as the member's fault, and whatever else happens in it stays what it is."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from reconciler.member.errors import SlowError
from reconciler.pipeline.in_time import in_time


async def test_what_takes_too_long_ends() -> None:
    with pytest.raises(SlowError, match=r"member-a.*not seen in time.*applyTimeout"):
        async with in_time(timedelta(milliseconds=10), "member-a", "seen"):
            await asyncio.Event().wait()


async def test_what_is_in_time_goes_through() -> None:
    async with in_time(timedelta(minutes=1), "member-a", "seen"):
        found = 1
    assert found == 1
    with pytest.raises(ZeroDivisionError):
        async with in_time(timedelta(minutes=1), "member-a", "seen"):
            raise ZeroDivisionError
