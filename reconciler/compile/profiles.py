"""The Federation's ``clusterProfiles``: one ClusterProfile for every registration, on the primary alone.

Rules kept here
- They are desired state like any other, from federation.yaml: planned, gated, signed, guarded, audited.
- Only the spec is compiled. The status is what a run saw, and is written as such after it.
- A registration's labels are shown, less those that mean something to fleetward or kubectl on the object.

>>> labels({"tier": "edge", "x-k8s.io/cluster-manager": "other", "applyset.kubernetes.io/id": "x"})
{'tier': 'edge', 'x-k8s.io/cluster-manager': 'fleetward'}
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from reconciler.compile.context import Context, Result
from reconciler.compile.profile_crd import GROUP, KIND, LABEL_MANAGER, MANAGER, VERSION
from reconciler.documents import Cluster, Document, Fleet
from reconciler.model import LABEL_MANAGED_BY, Json

_KEPT_FREE = ("applyset.kubernetes.io/", "fleetward.io/")


@dataclass(frozen=True, slots=True)
class Mirror:
    """Where a fleet is mirrored: the name of the primary's registration, and a namespace there."""

    primary: str
    namespace: str


def mirror_of(federation: Document) -> Mirror | None:
    """What a Federation says of it; None for nothing."""
    spec = federation.body["spec"]
    asked = spec.get("clusterProfiles")
    return Mirror(spec.get("primary", ""), asked["namespace"]) if asked else None


def fleet_mirror(fleet: Fleet) -> Mirror | None:
    """The same of a fleet."""
    return next((mirror_of(document) for document in fleet.of_kind("Federation")), None)


def mirrored_on(federation: Document, cluster: Cluster) -> bool:
    """Whether ``cluster`` gets the profiles."""
    mirror = mirror_of(federation)
    return mirror is not None and mirror.primary == cluster.name


def registered(fleet: Fleet) -> tuple[tuple[str, Mapping[str, str]], ...]:
    """Name and labels of every registration, as the Context has them."""
    return tuple((str(cluster.name), cluster.labels) for cluster in fleet.clusters)


def reads(_document: Document, context: Context) -> str:
    """All registrations' names and labels."""
    known = [[name, dict(found)] for name, found in context.registered]
    return hashlib.sha256(orjson.dumps(known, option=orjson.OPT_SORT_KEYS)).hexdigest()


def profiles(document: Document, context: Context) -> Result:
    """The profiles of all registrations."""
    mirror = mirror_of(document)
    if mirror is None:
        return Result()
    return Result(tuple(_profile(name, found, mirror.namespace) for name, found in context.registered))


def _profile(name: str, found: Mapping[str, str], namespace: str) -> dict[str, Json]:
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {"name": name, "namespace": namespace, "labels": labels(found)},
        "spec": {"clusterManager": {"name": MANAGER}, "displayName": name},
    }


def labels(found: Mapping[str, str]) -> dict[str, str]:
    """A profile's labels, without those that every federated object has."""
    kept = {
        key: value
        for key, value in sorted(found.items())
        if not key.startswith(_KEPT_FREE) and key != LABEL_MANAGED_BY
    }
    return kept | {LABEL_MANAGER: MANAGER}
