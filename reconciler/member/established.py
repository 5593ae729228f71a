"""Waits until a CustomResourceDefinition is established.

What it defines is served a moment later: who writes such an object next tries again while it is not found
(``Applier``), who needs the kind listed looks into discovery (``promoted``).
"""

from __future__ import annotations

import asyncio

from reconciler.member import errors
from reconciler.member.connection import Client
from reconciler.member.discovery import BUILT_IN, CRD
from reconciler.member.health import Health, State, status_of
from reconciler.member.limits import Limits
from reconciler.member.transport import Request
from reconciler.model import ObjectRef

_FIRST, _LONGEST = 0.02, 0.5  # seconds between looks; establishing takes some 10 ms as a rule


async def await_established(client: Client, ref: ObjectRef, limits: Limits) -> Health:
    """The CRD's health once it is established. Raises NotEstablishedError when refused or out of time."""
    path = BUILT_IN[CRD].path("", ref.name)
    pause = _FIRST
    health = Health(State.UNKNOWN)
    try:
        async with asyncio.timeout(limits.establish_timeout.total_seconds()):
            while True:
                health = status_of((await client.transport.send(Request("GET", path))).json())
                if health.state is State.CURRENT:
                    return health
                if health.state is State.FAILED:
                    break
                await asyncio.sleep(pause)
                pause = min(_LONGEST, pause * 2)
    except TimeoutError:
        pass
    raise errors.NotEstablishedError(
        "the definition was not established", expected="condition Established",
        got=health.message or health.state.value, where=str(ref),
    )  # fmt: skip
