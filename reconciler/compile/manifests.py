"""Plain Kubernetes manifests: the object as it was written, without our annotations.

Rules kept here
- ``fleetward.io/*`` annotations say where and how a manifest is placed. They never reach the member. (That
  each is a known one, and that no field of the API server's own is set, is for ``documents`` to check.)
- Nothing is guessed: a namespaced object names its namespace, a cluster-scoped one has none. The scope comes
  from the built-in table or from the CustomResourceDefinition of the same commit; a kind unknown to both is
  taken as written.
- Bodies that are no objects (lists, reviews) are refused.

>>> body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "annotations": {"fleetward.io/conflict": "take"}}}
>>> without_ours(body)["metadata"]
{'name': 'a'}
"""  # noqa: E501 - one line of doctest

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.compile.codes import found
from reconciler.compile.context import Context, Result
from reconciler.compile.scopes import is_cluster_scoped, is_object
from reconciler.documents import GROUP, Document
from reconciler.model import Finding, Json

PREFIX = f"{GROUP}/"


def reads(document: Document, context: Context) -> str:
    """A custom resource depends on its own definition."""
    custom = context.custom.get((document.group, document.kind))
    return custom.digest if custom else ""


def manifests(document: Document, context: Context) -> Result:
    """The object; findings FW1421, FW1422, FW1426. No object where there is none to apply."""
    if not is_object(document.group, document.kind):
        return Result((), (_about(document, "FW1426", f"{document.kind} cannot be applied", "/kind"),))
    return Result((without_ours(document.body),), tuple(_scope_findings(document, context)))


def without_ours(body: dict[str, Any]) -> dict[str, Json]:
    """The body without ``fleetward.io/*`` annotations; ``body`` itself stays as it is."""
    metadata = body["metadata"]
    annotations = metadata.get("annotations")
    if not annotations:
        return body
    kept = {name: value for name, value in annotations.items() if not name.startswith(PREFIX)}
    if len(kept) == len(annotations):
        return body
    rest = {name: value for name, value in metadata.items() if name != "annotations"}
    return {**body, "metadata": {**rest, "annotations": kept} if kept else rest}


def _scope_findings(document: Document, context: Context) -> Iterator[Finding]:
    """``context.custom`` first: a definition of the fleet is nearer than the table."""
    custom = context.custom.get((document.group, document.kind))
    if custom:
        namespaced = custom.namespaced
    elif context.builtin(document.group, document.kind):
        namespaced = not is_cluster_scoped(document.group, document.kind)
    else:
        return
    if namespaced and not document.namespace:
        yield _about(document, "FW1421", f"{document.kind} {document.name} needs a namespace", "/metadata")
    if not namespaced and document.namespace:
        message = f"{document.kind} {document.name} belongs to no namespace"
        yield _about(document, "FW1422", message, "/metadata/namespace")


def _about(document: Document, code: str, message: str, pointer: str) -> Finding:
    return found(code, message, source=document.source, subject=document.subject, rule=f"schema:{pointer}")
