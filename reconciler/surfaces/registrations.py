"""What is known of registrations without asking any cluster: the repository, the log, the last contacts.

Rules kept here
- No member is contacted. What the log says is shown where a log can be read and believed here; without one it
  is unknown (``logged`` is None), which is not the same as never applied.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.audit.state import ClusterState, LogState
from reconciler.compile.registry import compiler_for
from reconciler.compile.selection import Selection
from reconciler.documents import Cluster, Document, Fleet
from reconciler.documents.kinds import CLUSTERS
from reconciler.errors import FleetwardError
from reconciler.model import Finding, Severity
from reconciler.pipeline.check import Checked
from reconciler.pipeline.contact import Contact, Contacts
from reconciler.pipeline.states import Departed, Proposed, Standing, standing
from reconciler.surfaces.accepted import log_state
from reconciler.surfaces.cluster_edit import SUSPEND_REASON
from reconciler.surfaces.wiring import clock

if TYPE_CHECKING:
    from reconciler.pipeline.ports import CheckPorts
    from reconciler.surfaces.wiring import Wiring


@dataclass(frozen=True, slots=True)
class Registered:
    """One registration, and what was last known of the member."""

    cluster: Cluster
    annotations: dict[str, str]
    logged: ClusterState | None  # None: no log is read here
    contact: Contact
    standing: Standing | None = None  # None: nothing is known of how it stands

    @property
    def reason(self) -> str:
        """Why it is suspended, "" if nobody said or it is not."""
        return self.annotations.get(SUSPEND_REASON, "") if self.cluster.suspend else ""


@dataclass(frozen=True, slots=True)
class Stranger:
    """A cluster that is not in the fleet: about to join, or gone."""

    name: str
    standing: Standing
    proposed: Proposed | None


@dataclass(frozen=True, slots=True)
class Placed:
    """A document that goes to a cluster: how many objects it gives there, under how many overrides."""

    document: Document
    objects: int
    overrides: int


@dataclass(frozen=True, slots=True)
class Detail:
    """Everything about one registration."""

    registered: Registered
    commit: str  # "" for a work tree
    accepted: str  # the commit accepted last, "" if unknown
    kinds: tuple[tuple[str, int], ...]  # "NetworkPolicy.networking.k8s.io" -> objects
    placed: tuple[Placed, ...]
    findings: tuple[Finding, ...]  # of the registration, and of what is compiled for it

    @property
    def objects(self) -> int:
        """How many objects the member should have."""
        return sum(count for _, count in self.kinds)


def readable_log(wiring: Wiring, warn: Callable[[FleetwardError], None]) -> LogState | None:
    """The log's state, if there is a log here; one that cannot be read or believed is said, and not shown."""
    try:
        return log_state(wiring)
    except FleetwardError as error:
        warn(error)
        return None


def registered(
    wiring: Wiring, fleet: Fleet, state: LogState | None, departed: Mapping[str, Departed] | None = None
) -> tuple[Registered, ...]:
    """All registrations of a fleet, by name. ``departed``, by name: ends of memberships."""
    from reconciler.pipeline.standings import facts_of, suspend_reasons

    contacts: Contacts = wiring.contacts()
    bodies = {document.name: document.body for document in fleet.of_kind("Cluster")}
    reasons, gone, now = suspend_reasons(fleet), departed or {}, clock()

    def one(cluster: Cluster) -> Registered:
        contact, name = contacts.get(cluster.name), cluster.name
        facts = facts_of(
            cluster, state, contact, now, suspend_reason=reasons.get(name, ""), departed=gone.get(name)
        )
        return Registered(
            cluster,
            bodies[name]["metadata"].get("annotations") or {},
            None if state is None else state.cluster(name),
            contact,
            standing(facts),
        )

    return tuple(one(cluster) for cluster in fleet.clusters)


def strangers(
    ports: CheckPorts, fleet: Fleet, state: LogState | None, departed: Mapping[str, Departed] | None = None
) -> tuple[Stranger, ...]:
    """Clusters outside of the fleet that are about to join, or left lately; none where no log is read."""
    from reconciler.pipeline.membership.pending import pending_joins
    from reconciler.pipeline.standings import outside

    if state is None:
        return ()
    names = [cluster.name for cluster in fleet.clusters]
    joining = pending_joins(state.membership, ports.repository, names, clock())
    proposed = {one.cluster: one for one in joining}
    found = outside(state, joining, departed or {}, names, clock())
    return tuple(Stranger(name, stands, proposed.get(name)) for name, stands in found.items())


def detail(found: Registered, checked: Checked, state: LogState | None) -> Detail:
    """One registration with what the fleet places there."""
    fleet, cluster = checked.read_fleet, found.cluster
    compiled = checked.compiled[cluster.name]
    objects = compiled.desired.objects
    kinds = Counter(str(item.ref).partition(" ")[0] for item in objects)
    made = Counter(item.source for item in objects)
    selection = Selection(cluster, fleet.schemas)
    placed = tuple(
        Placed(document, made[document.source], len(selection.overrides(document)))
        for document in fleet.documents
        if compiler_for(document) and selection.places(document)
    )
    return Detail(
        found,
        checked.commit,
        state.accepted.commit if state and state.accepted else "",
        tuple(sorted(kinds.items())),
        placed,
        tuple(dict.fromkeys((*_of(checked.findings, cluster), *compiled.findings))),
    )


def _of(findings: Iterable[Finding], cluster: Cluster) -> list[Finding]:
    return [f for f in findings if f.source and f.source.path == cluster.source.path]


def broken(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The errors of registrations: such a file may hide a cluster."""
    return tuple(
        f
        for f in findings
        if f.severity is Severity.ERROR and f.source and f.source.path.startswith(f"{CLUSTERS}/")
    )
