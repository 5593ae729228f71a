"""How long a member may take for a look: every request may be in time, and all of them together not.

Worked example::

    async with in_time(federation.limits.apply_timeout, "member-a", "seen"):
        identity = await member.identify()
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from reconciler.member.errors import SlowError


@asynccontextmanager
async def in_time(limit: timedelta, cluster: str, what: str) -> AsyncIterator[None]:
    """Ends what takes longer than ``limit``; ``what`` is what was to be done. Raises SlowError."""
    try:
        async with asyncio.timeout(limit.total_seconds()):
            yield
    except TimeoutError as error:
        raise SlowError(
            f"the member was not {what} in time", where=cluster,
            expected=f"within spec.limits.applyTimeout ({limit})",
        ) from error  # fmt: skip
