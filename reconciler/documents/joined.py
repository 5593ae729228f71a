"""Where the credential of a cluster that joined by token may be, as its registration says it. Pure.

One place for each store, and each names the cluster: a registration that an enroller commits, or that waits
for its cluster, can never name the credential of another one.

>>> is_own({"tokenFile": "joined/a.token"}, "a"), is_own({"tokenFile": "joined/b.token"}, "a")
(True, False)
"""

from __future__ import annotations

from reconciler.model import Json


def own_credentials(name: str) -> tuple[dict[str, Json], ...]:
    """``spec.credentials`` of a cluster that joined: a file, or a Secret of the primary."""
    return (
        {"tokenFile": f"joined/{name}.token"},
        {"secretRef": {"namespace": "fleetward-system", "name": f"member-{name}"}},
    )


def is_own(credentials: Json, name: str) -> bool:
    """Whether these are of that cluster's own join."""
    return credentials in own_credentials(name)
