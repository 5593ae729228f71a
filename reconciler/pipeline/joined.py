"""The result of a join: counts, the share of writes that are proven, and what nobody explains.

>>> Joined("member-a", "us", matched=3).share, Joined("member-a", "us").share
(1.0, None)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.audit.kube_event import KubeEvent
from reconciler.model import ObjectRef, Severity
from reconciler.pipeline.claims import Claim


@dataclass(frozen=True, slots=True)
class Window:
    """A file and the time that it covers: its first and its last event, UTC."""

    file: str
    first: datetime
    last: datetime
    events: int

    def covers(self, start: datetime, end: datetime) -> bool:
        """Whether what happened between the two must be in this file."""
        return self.first <= start and end <= self.last


@dataclass(frozen=True, slots=True)
class JoinFinding:
    """One thing that a person should look at. ``event`` is theirs, ``claim`` is ours; a bad line has neither.

    ``object`` is the federated object, where one is known.
    """

    code: str
    severity: Severity
    message: str
    event: KubeEvent | None = None
    claim: Claim | None = None
    object: ObjectRef | None = None
    place: str = ""  # "file:line"


@dataclass(frozen=True, slots=True)
class Joined:
    """``missing``, ``unproven`` and ``unexplained`` are counts of writes; each has its finding too."""

    cluster: str
    user: str  # the reconciler's, as the member knows it
    windows: tuple[Window, ...] = ()
    events: int = 0
    writes: int = 0  # by anybody
    matched: int = 0  # in both logs
    missing: int = 0  # ours, not in theirs
    unproven: int = 0  # in theirs, an intent of ours only
    unexplained: int = 0  # in theirs by our user, nothing of ours
    not_covered: int = 0  # ours, at a time that no file covers
    record_writes: int = 0  # by our user, to the signed record
    tokens: int = 0  # that our user requested, and that our log has
    refused: int = 0  # requests of our user that failed, and that a run of ours explains
    control_plane: Mapping[str, int] = field(default_factory=dict)  # writes to federated objects, by user
    findings: tuple[JoinFinding, ...] = field(default=(), repr=False)
    dropped: int = 0  # findings beyond the bound

    @property
    def share(self) -> float | None:
        """Of our user's writes: those with intent, outcome and matching Audit-ID; None if there were none."""
        whole = self.matched + self.missing + self.unproven + self.unexplained
        return self.matched / whole if whole else None

    @property
    def ok(self) -> bool:
        """Nothing is unexplained; what was refused, or has an intent, is only shown."""
        return not self.dropped and all(f.severity is Severity.WARNING for f in self.findings)
