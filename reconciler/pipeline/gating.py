"""What the gate is shown of a fleet and of a plan.

Rules see documents as written, and as their overrides make them, under the document's own place: a patch
cannot slip past a rule. The Federation that they are shown is the base's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconciler.compile.objects import canonical
from reconciler.compile.selection import Selection
from reconciler.documents import Cluster, Document, Fleet, locate, overrides_of
from reconciler.gate import ChangesInput, ContentInput, GateDocument, Places
from reconciler.model import Json, Snapshot, SourceRef
from reconciler.plan import Allowances, Change, Plan


def content_input(fleet: Fleet, federation: Mapping[str, Json]) -> ContentInput:
    """Stage "content": every document as written, and as its overrides make it; ``federation`` is a spec."""
    written = [GateDocument(key_of(d), d.body, d.digest) for d in fleet.documents]
    return ContentInput(
        federation=federation,
        clusters=[cluster_view(cluster) for cluster in fleet.clusters],
        exceptions=exceptions(fleet),
        documents=(*written, *_patched(fleet)),
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


def changes_input(
    fleet: Fleet, federation: Mapping[str, Json], cluster: Cluster, plan: Plan, allow: Allowances
) -> ChangesInput:
    """Stage "changes": one member's plan, with the limits that hold in this run.

    What a person allowed lifts the cap for the rules too; a rule that denies for its own reasons still does.
    """
    limits = federation.get("limits") or {}
    return ChangesInput(
        cluster=cluster_view(cluster),
        changes=[_change_view(change) for change in plan.changes],
        counts=plan.counts,
        limits={**limits, "maxDeletions": "100%"} if allow.deletions else limits,
        federation=federation,
        exceptions=exceptions(fleet),
    )


def key_of(document: Document) -> str:
    """ "path#index": unique in a commit, and stable while the file is."""
    return f"{document.source.path}#{document.digest.rpartition('#')[2]}"


def cluster_view(cluster: Cluster) -> dict[str, Any]:
    """A cluster as rules see it."""
    return {"name": cluster.name, "labels": dict(cluster.labels), "mode": cluster.mode}


def exceptions(fleet: Fleet) -> Sequence[Any]:
    """The specs of all PolicyExceptions."""
    return [document.body["spec"] for document in fleet.of_kind("PolicyException")]


def _patched(fleet: Fleet) -> Iterator[GateDocument]:
    """What overrides make of documents, each result once, whatever clusters it is for."""
    documents = [document for document in fleet.documents if overrides_of(document)]
    seen: set[tuple[str, str]] = set()
    for selection in [Selection(cluster, fleet.schemas) for cluster in fleet.clusters] if documents else []:
        for document in documents:
            patched, _ = selection.patched(document)
            if patched is None or patched is document or not selection.places(document):
                continue
            key, digest = key_of(document), hashlib.sha256(canonical(patched.body)).hexdigest()
            if (key, digest) not in seen:
                seen.add((key, digest))
                yield GateDocument(key, patched.body, digest)


def _change_view(change: Change) -> dict[str, Any]:
    ref = change.ref
    return {
        "key": str(change.source or ""),
        "action": change.action.value,
        "object": {"group": ref.group, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name},
        "source": str(change.source or ""),
    }
