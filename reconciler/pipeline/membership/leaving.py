"""A cluster leaves by itself: its administrator's command, which needs no primary.

Steps: 1. who calls may do everything there; 2. what there is of ours; 3. a person says yes; 4. it is removed,
in the order of ``member.leaving``. Each can be repeated. The primary learns of it by
``fleetward kick NAME --gone``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reconciler.errors import MemberError
from reconciler.member.administrator import Administrator
from reconciler.member.connection import Client
from reconciler.member.discovery import Kinds
from reconciler.member.leaving import Inventory, remove, require_administrator, survey
from reconciler.pipeline.ports import Report

Confirm = Callable[[Inventory], bool]


class UnconfirmedLeaveError(MemberError):
    """Nobody said yes."""

    code = "FW1769"


@dataclass(frozen=True, slots=True)
class Left:
    """``found`` is what there was before; ``kept``: the objects were released and are there."""

    found: Inventory
    kept: bool


async def leave(cluster: Administrator, *, keep: bool, confirm: Confirm, report: Report) -> Left:
    """Leave. Raises NotAdministratorError, UnconfirmedLeaveError, NotForgottenError, MemberError."""
    transport = cluster.transport()
    try:
        # 1. Who calls.
        await transport.refresh()
        await require_administrator(transport)
        # 2. What there is.
        client = Client(transport, Kinds(transport), ())
        found = await survey(client, keep=keep)
        # 3. A person's yes.
        if found and not confirm(found):
            raise unconfirmed("the cluster")
        # 4. Off with it.
        if found:
            await remove(client, found, keep=keep, report=report)
    finally:
        await transport.close()
    return Left(found, keep)


def unconfirmed(who: str) -> UnconfirmedLeaveError:
    """The error for ``who`` is to leave."""
    return UnconfirmedLeaveError(
        f"nobody confirmed that {who} is to leave",
        hint="run it at a terminal, or pass --yes; nothing was done",
    )
