"""FederatedRoleBinding -> one ClusterRoleBinding, or a RoleBinding in each of its namespaces.

Rules kept here
- ``namespaces`` absent: a ClusterRoleBinding, which can only refer to a ClusterRole. Else RoleBindings.
- ``roleRef.kind: FederatedRole`` becomes what that role compiles to on this very cluster (its overrides
  included): a ClusterRole, or a Role that must exist in each namespace of the binding.
- ``ClusterRole`` and ``Role`` are the member's own, and are not looked for in the fleet.
- Subjects get their apiGroup written out, as the API server would default it.

>>> spec = {"roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": [{"kind": "Group", "name": "dev"}]}
>>> from reconciler.model import SourceRef
>>> document = Document("fleetward.io/v1alpha1", "FederatedRoleBinding", "dev", "", {"spec": spec}, SourceRef("a"), "x#0")
>>> bindings(document, Context("1.36")).objects[0]["kind"]
'ClusterRoleBinding'
"""  # noqa: E501 - one line of doctest

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.compile.codes import found
from reconciler.compile.context import Context, Result
from reconciler.compile.roles import RBAC
from reconciler.documents import Document
from reconciler.model import Finding, Json


def reads(document: Document, context: Context) -> str:
    """A binding's result depends on the one role that it names."""
    ref = document.body["spec"]["roleRef"]
    return repr(context.roles.get(ref["name"])) if ref["kind"] == "FederatedRole" else ""


def bindings(document: Document, context: Context) -> Result:
    """The binding's objects; findings FW1404 to FW1408. No object where the role cannot be resolved."""
    spec = document.body["spec"]
    findings = [*_role_findings(document, context), *_subject_findings(document)]
    kind = _role_kind(spec["roleRef"], context)
    if not kind:
        return Result((), tuple(findings))
    ref = {"apiGroup": RBAC, "kind": kind, "name": spec["roleRef"]["name"]}
    subjects = [_subject(subject) for subject in spec["subjects"]]
    # An empty list is not an absent one: it must never widen a binding to the whole cluster.
    objects = [
        _binding(document.name, namespace, ref, subjects) for namespace in spec.get("namespaces", [""])
    ]
    return Result(tuple(objects), tuple(findings))


def _role_kind(ref: dict[str, Any], context: Context) -> str:
    """The Kubernetes kind behind a roleRef, "" when the fleet has no such role."""
    if ref["kind"] != "FederatedRole":
        return str(ref["kind"])
    role = context.roles.get(ref["name"])
    return "" if role is None else {"Cluster": "ClusterRole", "Namespace": "Role"}[role.scope]


def _binding(name: str, namespace: str, ref: dict[str, Json], subjects: list[Json]) -> dict[str, Json]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": metadata,
        "roleRef": ref,
        "subjects": subjects,
    }


def _subject(subject: dict[str, Any]) -> dict[str, Json]:
    if subject["kind"] == "ServiceAccount":
        return {key: value for key, value in subject.items() if key != "apiGroup"}
    return {"apiGroup": RBAC, **subject}


def _role_findings(document: Document, context: Context) -> Iterator[Finding]:
    spec = document.body["spec"]
    ref, namespaces = spec["roleRef"], spec.get("namespaces", ())
    role = context.roles.get(ref["name"]) if ref["kind"] == "FederatedRole" else None
    if ref["kind"] == "FederatedRole" and role is None:
        yield _about(document, "FW1404", f"there is no FederatedRole {ref['name']}", "/spec/roleRef/name")
    if role is not None and not role.placed:
        message = f"FederatedRole {ref['name']} is not placed on this cluster"
        yield _about(document, "FW1405", message, "/spec/roleRef/name")
    if "namespaces" not in spec and _role_kind(ref, context) == "Role":
        message = f"a binding without namespaces cannot refer to {ref['kind']} {ref['name']} of one namespace"
        yield _about(document, "FW1406", message, "/spec/roleRef")
    if role is not None and role.scope == "Namespace":
        for missing in (name for name in namespaces if name not in role.namespaces):
            message = f"FederatedRole {ref['name']} does not exist in namespace {missing}"
            yield _about(document, "FW1407", message, "/spec/namespaces")


def _subject_findings(document: Document) -> Iterator[Finding]:
    for index, subject in enumerate(document.body["spec"]["subjects"]):
        account, namespace = subject["kind"] == "ServiceAccount", subject.get("namespace")
        if account != bool(namespace):
            fault = "lacks its namespace" if account else "cannot have a namespace"
            message = f"{subject['kind']} {subject['name']} {fault}"
            yield _about(document, "FW1408", message, f"/spec/subjects/{index}")


def _about(document: Document, code: str, message: str, pointer: str) -> Finding:
    return found(code, message, source=document.source, subject=document.subject, rule=f"schema:{pointer}")
