"""Small fleets for the tests of ``compile``, made from plain bodies as ``documents`` would hand them over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

import orjson

from reconciler.compile import Compiled, compile_cluster
from reconciler.documents import Cluster, Credentials, Document, Federation, Fleet
from reconciler.model import ClusterName, SourceRef

OURS = "fleetward.io/v1alpha1"


def cluster(name: str = "member-a", version: str = "1.36", **labels: str) -> Cluster:
    """A registered cluster whose connection nobody uses here."""
    return Cluster(
        name=ClusterName(name),
        labels=labels,
        api_servers=("https://127.0.0.1:6443",),
        ca_bundle="",
        tls_server_name="",
        credentials=Credentials("tokenFile", path="token"),
        source=SourceRef(f"clusters/{name}.yaml", 1),
        kubernetes_version=version,
    )


def document(body: Mapping[str, Any], path: str = "policies/manifests/a.yaml", line: int = 1) -> Document:
    """The body as a document of its own."""
    metadata = body["metadata"]
    blob = sha256(orjson.dumps(body)).hexdigest()[:40]
    source = SourceRef(path, line)
    namespace = metadata.get("namespace") or ""
    api_version, kind = body["apiVersion"], body["kind"]
    return Document(api_version, kind, metadata["name"], namespace, dict(body), source, f"{blob}#0")


def ours(kind: str, name: str, spec: Mapping[str, Any], path: str = "") -> Document:
    """A document of one of our kinds."""
    body = {"apiVersion": OURS, "kind": kind, "metadata": {"name": name}, "spec": dict(spec)}
    return document(body, path or f"policies/{kind}/{name}.yaml")


def manifest(api_version: str, kind: str, name: str, namespace: str = "", **fields: Any) -> dict[str, Any]:
    """The body of a plain manifest; ``annotations`` go where they belong."""
    metadata: dict[str, Any] = {"name": name} | ({"namespace": namespace} if namespace else {})
    metadata |= {"annotations": fields.pop("annotations")} if "annotations" in fields else {}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def fleet(documents: Iterable[Document], clusters: Iterable[Cluster] = ()) -> Fleet:
    """A Fleet of these documents."""
    federation = Federation("test", (), SourceRef("federation.yaml", 1))
    return Fleet("c" * 40, "t" * 40, federation, tuple(clusters), tuple(documents))


def compiled(*documents: Document, on: Cluster | None = None) -> Compiled:
    """The documents compiled for one cluster."""
    return compile_cluster(fleet(documents), on or cluster())


def bodies(result: Compiled) -> list[dict[str, Any]]:
    """The desired objects as JSON values, in their order."""
    return [orjson.loads(item.body) for item in result.desired.objects]


def codes(result: Compiled) -> list[str]:
    """The findings' codes, in their order."""
    return [finding.code for finding in result.findings]
