"""What federation.yaml says that concerns a promotion, and what it lacks for what was asked.

Rules kept here
- Only the accepted commit counts. It is read, never changed: a person adds what is missing, for review.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.documents import Fleet, load
from reconciler.errors import SettingsError

if TYPE_CHECKING:
    from reconciler.audit.state import LogState
    from reconciler.surfaces.wiring import Wiring


def accepted_fleet(wiring: Wiring, state: LogState) -> Fleet:
    """The fleet of the accepted commit. Raises SettingsError, RepositoryError."""
    repository = wiring.repository()
    repository.fetch()
    commit = state.accepted.commit if state.accepted else ""
    fleet = load(repository.snapshot(commit)).fleet if commit else None
    if fleet is None:
        raise SettingsError(
            "the accepted commit cannot be read as a fleet", where=commit[:12],
            hint="`fleetward check` says what is wrong",
        )  # fmt: skip
    return fleet


def lacking(fleet: Fleet, server: str, namespace: str) -> tuple[str, ...]:
    """What to add to the spec of federation.yaml, so that the fleet is mirrored in ``namespace``.

    ``server`` is the primary's URL, by which its registration is found.
    """
    federation = fleet.federation
    lines = []
    if federation.profiles != namespace:
        said = f" (it says {federation.profiles})" if federation.profiles else ""
        lines.append(f"clusterProfiles: {{namespace: {namespace}}}{said}")
    if not federation.primary:
        own = [cluster.name for cluster in fleet.clusters if server.rstrip("/") in cluster.api_servers]
        lines.append(f"primary: {own[0]}" if own else "primary: NAME, the registration of this cluster")
    return tuple(lines)
