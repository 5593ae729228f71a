"""What federation.yaml says that concerns a promotion, and what it lacks for what was asked.

Rules kept here
- Only the accepted commit counts. It is read, never changed: a person adds what is missing, for review.
"""

from __future__ import annotations

from reconciler.documents import Fleet


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
