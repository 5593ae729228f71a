"""A fleet that lets the reconciler's key add clusters, and registrations as a join writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml
from attack_kit import PEOPLE, Fleet

ENROLLER = "fleetward"
WITH_ENROLLER = {**PEOPLE, ENROLLER: ["enroller"]}
PROTECTED = [{"paths": ["clusters/**"], "needs": [{"count": 2, "role": "security"}]}]
JOINING = {"autoApprove": True}


def registration(name: str, **spec: Any) -> str:
    """What a join writes of a member that nobody can reach; ``spec`` replaces fields, None takes one away."""
    whole: dict[str, Any] = {
        "apiServers": ["https://127.0.0.1:1"],
        "credentials": {"tokenFile": f"joined/{name}.token"},
        "kubernetesVersion": "1.36",
        **spec,
    }
    kept = {key: value for key, value in whole.items() if value is not None}
    metadata = {"name": name, "labels": {"owner": "team", "environment": "test", "tier": "workload"}}
    body = {"apiVersion": "fleetward.io/v1alpha1", "kind": "Cluster", "metadata": metadata, "spec": kept}
    return yaml.safe_dump(body, sort_keys=False)


def path(name: str) -> str:
    return f"clusters/{name}.yaml"


def enrolled(fleet: Fleet, name: str = "member-x", **spec: Any) -> str:
    """The commit of a join that was approved at once."""
    return fleet.repo.commit({path(name): registration(name, **spec)}, by=ENROLLER)


def allowing(make: Callable[..., Fleet], **more: Any) -> Fleet:
    """A fleet with an enroller, whose people protect clusters/."""
    return make(**{"people": WITH_ENROLLER, "rules": PROTECTED, "joining": JOINING, **more})
