"""What the gate is shown of a fleet and of a plan.

Rules see documents as written. Where an override can change what a document grants or opens, they also
see what it compiles to, under the document's own place, so that a patch cannot slip past a rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from reconciler.compile import Compiled
from reconciler.documents import GROUP, Cluster, Document, Fleet, locate, overrides_of
from reconciler.gate import ChangesInput, ContentInput, GateDocument, Places
from reconciler.model import ClusterName, DesiredObject, ObjectRef, Snapshot, SourceRef
from reconciler.plan import Change, Plan

# Groups whose objects the default rules judge: what they grant or open is what overrides must not hide.
_JUDGED_GROUPS = frozenset({"rbac.authorization.k8s.io", "networking.k8s.io"})


def content_input(fleet: Fleet, compiled: Mapping[ClusterName, Compiled]) -> ContentInput:
    """Stage "content": every document, and the compiled form of those with overrides."""
    written = [GateDocument(key_of(d), d.body, d.digest) for d in fleet.documents]
    return ContentInput(
        federation=federation_spec(fleet),
        clusters=[cluster_view(cluster) for cluster in fleet.clusters],
        exceptions=exceptions(fleet),
        documents=(*written, *_patched(fleet, compiled)),
    )


def places(fleet: Fleet, snapshot: Snapshot) -> Places:
    """Where findings point."""
    sources = {key_of(document): document.source for document in fleet.documents}

    def line_of(key: str, path: tuple[str | int, ...]) -> SourceRef:
        source = sources[key]
        if not path:
            return source
        index = int(key.rpartition("#")[2])
        return SourceRef(source.path, locate(snapshot.read(source.path), index, path))

    return Places(sources, line_of)


def changes_input(fleet: Fleet, cluster: Cluster, plan: Plan) -> ChangesInput:
    """Stage "changes": one member's plan."""
    spec = federation_spec(fleet)
    return ChangesInput(
        cluster=cluster_view(cluster),
        changes=[_change_view(change) for change in plan.changes],
        counts=plan.counts,
        limits=spec.get("limits") or {},
        federation=spec,
        exceptions=exceptions(fleet),
    )


def key_of(document: Document) -> str:
    """ "path#index": unique in a commit, and stable while the file is."""
    return f"{document.source.path}#{document.digest.rpartition('#')[2]}"


def federation_spec(fleet: Fleet) -> dict[str, Any]:
    """The Federation's spec as written."""
    (document,) = fleet.of_kind("Federation")
    spec: dict[str, Any] = document.body.get("spec") or {}
    return spec


def cluster_view(cluster: Cluster) -> dict[str, Any]:
    """A cluster as rules see it."""
    return {"name": cluster.name, "labels": dict(cluster.labels), "mode": cluster.mode}


def exceptions(fleet: Fleet) -> Sequence[Any]:
    """The specs of all PolicyExceptions."""
    return [document.body["spec"] for document in fleet.of_kind("PolicyException")]


def _patched(fleet: Fleet, compiled: Mapping[ClusterName, Compiled]) -> Iterator[GateDocument]:
    patched = {document.source: document for document in fleet.documents if overrides_of(document)}
    if not patched:
        return
    seen: dict[tuple[ObjectRef, str], DesiredObject] = {}
    for result in compiled.values():
        for item in result.desired.objects:
            if item.source in patched and item.ref.group in _JUDGED_GROUPS:
                seen.setdefault((item.ref, item.digest), item)
    for item in seen.values():
        document = patched[item.source]
        origin = document.subject if document.group == GROUP else ""
        yield GateDocument(key_of(document), orjson.loads(item.body), item.digest, origin)


def _change_view(change: Change) -> dict[str, Any]:
    ref = change.ref
    return {
        "key": str(change.source or ""),
        "action": change.action.value,
        "object": {"group": ref.group, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name},
        "source": str(change.source or ""),
    }
