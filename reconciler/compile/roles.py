"""FederatedRole -> one ClusterRole, or a Role in each of its namespaces.

Rules kept here
- ``scope: Cluster`` (the default) makes a ClusterRole of the document's name, ``scope: Namespace`` Roles.
- ``rules`` are rbac.authorization.k8s.io/v1 PolicyRules and are passed on as they are.
- With an ``aggregationRule`` the control plane writes the rules: then we send none, or we would fight over them.
- ``labels`` become labels of the objects (aggregation selects by them).

>>> spec = {"scope": "Namespace", "namespaces": ["shop"], "rules": []}
>>> from reconciler.model import SourceRef
>>> document = Document("fleetward.io/v1alpha1", "FederatedRole", "viewer", "", {"spec": spec}, SourceRef("a.yaml"), "x#0")
>>> roles(document, Context("1.36")).objects[0]["metadata"]
{'name': 'viewer', 'namespace': 'shop'}
"""  # noqa: E501 - one line of doctest

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.compile.codes import found
from reconciler.compile.context import Context, Result, RoleFacts
from reconciler.documents import Document
from reconciler.model import Finding, Json

RBAC = "rbac.authorization.k8s.io"


def facts(document: Document, *, placed: bool) -> RoleFacts:
    """What bindings need to know of a FederatedRole whose overrides have been applied."""
    spec = document.body["spec"]
    return RoleFacts(spec.get("scope") or "Cluster", tuple(spec.get("namespaces") or ()), placed)


def roles(document: Document, _context: Context) -> Result:
    """The role's objects; findings FW1409."""
    spec = document.body["spec"]
    if (spec.get("scope") or "Cluster") == "Cluster":
        objects = [_role("ClusterRole", document, "")]
    else:
        objects = [_role("Role", document, namespace) for namespace in spec.get("namespaces") or ()]
    return Result(tuple(objects), tuple(_findings(document)))


def _role(kind: str, document: Document, namespace: str) -> dict[str, Json]:
    spec: dict[str, Any] = document.body["spec"]
    metadata = {"name": document.name} | ({"namespace": namespace} if namespace else {})
    labels = {"labels": spec["labels"]} if spec.get("labels") else {}
    aggregated = spec.get("aggregationRule")
    rules = {"aggregationRule": aggregated} if aggregated else {"rules": spec.get("rules") or []}
    return {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": {**metadata, **labels}, **rules}


def _findings(document: Document) -> Iterator[Finding]:
    spec = document.body["spec"]
    namespaced = spec.get("scope") == "Namespace"
    if spec.get("aggregationRule") and spec.get("rules"):
        yield _refused(document, "an aggregated role gets its rules from the control plane", "/spec/rules")
    if namespaced and spec.get("aggregationRule"):
        yield _refused(document, "a Role cannot aggregate: only a ClusterRole can", "/spec/aggregationRule")
    for index, rule in enumerate(spec.get("rules") or ()):
        if namespaced and rule.get("nonResourceURLs"):
            message = "a Role cannot grant nonResourceURLs: they belong to no namespace"
            yield _refused(document, message, f"/spec/rules/{index}/nonResourceURLs")


def _refused(document: Document, message: str, pointer: str) -> Finding:
    return found(
        "FW1409", message, source=document.source, subject=document.subject, rule=f"schema:{pointer}"
    )
