"""The member's guard is desired state like any other: compiled, recorded, checked for drift, repaired.

Only members that are written have one. It comes from the product, not from the repository, so its source
is ``fleetward:guard``; what a fleet wants is counted without it.
"""

from __future__ import annotations

from typing import Any

from reconciler.compile.objects import desired_digest, finished, labelled
from reconciler.documents import Cluster, Document
from reconciler.member.guard import guard_objects
from reconciler.model import Desired, DesiredObject, SourceRef
from reconciler.plan.changes import SYSTEM_SOURCE

_SOURCE = SourceRef(f"{SYSTEM_SOURCE}guard")


def guarded(desired: Desired, cluster: Cluster) -> Desired:
    """The desired state with the guard for the cluster's reconciler, in ref order."""
    if cluster.mode == "observe":
        return desired
    guard = (_finish(body) for body in guard_objects(cluster.username))
    objects = tuple(sorted((*desired.objects, *guard), key=lambda item: item.ref))
    return Desired(desired.cluster, objects, desired_digest(objects))


def _finish(body: dict[str, Any]) -> DesiredObject:
    document = Document(
        body["apiVersion"], body["kind"], body["metadata"]["name"], "", body, _SOURCE, digest=""
    )
    return finished(labelled(body, _SOURCE.path), document)
