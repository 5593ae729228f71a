"""What one run knows, and how each member came out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.audit.state import LogState
from reconciler.member.health import Health
from reconciler.member.renewal import UNKNOWN, Standing
from reconciler.model import (
    Finding,
    ObjectOutcome,
    ObjectRef,
)
from reconciler.pipeline.check import Checked
from reconciler.pipeline.journal import Journal
from reconciler.pipeline.looking import Looks
from reconciler.pipeline.ports import MemberPorts, WritePorts
from reconciler.plan import Allowances, Plan


class MemberState(StrEnum):
    """How a member came out of a run."""

    SYNCED = "synced"  # nothing to do
    APPLIED = "applied"  # brought to its desired state now
    OBSERVED = "observed"  # mode observe: planned, never written
    SUSPENDED = "suspended"
    KICKED = "kicked"  # left alone: its registration is the one that was kicked
    REFUSED = "refused"  # a guard or the gate said no
    FAILED = "failed"  # some object, or the member as a whole
    UNREACHABLE = "unreachable"
    WAITING = "waiting"  # the circuit breaker is open


GOOD = {
    MemberState.SYNCED,
    MemberState.APPLIED,
    MemberState.OBSERVED,
    MemberState.SUSPENDED,
    MemberState.KICKED,
}


@dataclass(frozen=True, slots=True)
class MemberResult:
    """One member's part of a run."""

    cluster: str
    state: MemberState
    plan: Plan | None = field(default=None, repr=False)  # large, see ``check.Checked``
    outcomes: tuple[ObjectOutcome, ...] = field(default=(), repr=False)
    findings: tuple[Finding, ...] = ()
    error: str = ""
    requests: int = 0
    health: Mapping[ObjectRef, Health] = field(default_factory=dict)  # what was written and is not ready yet
    credential: Standing = UNKNOWN  # of the reconciler's own credential there
    viewer: Standing = UNKNOWN  # of the viewer's

    @property
    def good(self) -> bool:
        """Whether this member is as it should be."""
        return self.state in GOOD


@dataclass(frozen=True, slots=True)
class Deployment:
    """What one run knows that all its members share."""

    checked: Checked
    members: MemberPorts
    writes: WritePorts
    journal: Journal
    state: LogState
    looks: Looks
    deep: bool
    allow: Allowances
