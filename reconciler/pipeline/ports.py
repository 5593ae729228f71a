"""What the use cases are given: rooms, keys, clock. Made by ``surfaces.wiring``; tests make their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.documents import Cache, Cluster, Fleet, GateSettings
from reconciler.gate import Gates, GateSource
from reconciler.model import Clock, Signer
from reconciler.pipeline.contact import Contacts
from reconciler.repository import Repository

if TYPE_CHECKING:  # a check loads neither the log nor a client
    from reconciler.audit.log import Log
    from reconciler.member.client import Member

Report = Callable[[str], None]  # one line of progress


@dataclass(frozen=True, slots=True)
class CheckPorts:
    """What ``check`` needs: no cluster, no key, no log."""

    repository: Repository
    open_gates: Callable[[Sequence[GateSource], GateSettings], Gates]  # open until the run ends
    cache: Cache
    clock: Clock
    report: Report


@dataclass(frozen=True, slots=True)
class MemberPorts:
    """How members are reached and believed; ``view`` for what only reads, by the viewer's credentials."""

    connect: Callable[[Cluster, Fleet], Member]
    view: Callable[[Cluster, Fleet], Member]  # as ``connect`` where no viewer is registered
    contacts: Contacts
    clock: Clock
    report: Report


@dataclass(frozen=True, slots=True)
class WritePorts:
    """What only ``reconcile`` needs: the log and the reconciler's key."""

    log: Log
    signer: Signer
    actor: str  # who runs it, as the log says it
