"""What a member needs before its first reconcile: namespace, account, and the least rights.

- Rights for what fleetward compiles itself: RBAC objects, network policies, the guard, namespaces; and its
  own record. ``escalate`` and ``bind`` are needed because it hands out rights that it does not have.
- The right to tokens (``serviceaccounts/token`` by name) of its own account, so that it renews them, and of
  the reading one; of nobody else's.
- Rights for other kinds (plain manifests) are a decision of the member's owner: every ClusterRole with the
  label ``fleetward.io/aggregate-to-reconciler: "true"`` adds to ``federation-reconciler-extra``.
- ``federation-viewer`` reads, for everything that only reads: Kubernetes' own ``view``, and what that leaves
  out of the kinds that fleetward compiles. ClusterRoles with the label ``fleetward.io/aggregate-to-viewer:
  "true"`` add to ``federation-viewer-extra``. Secrets are not among its rights.
- A primary that keeps other members' credentials in Secrets has them in a namespace of their own, and only
  there may its account touch Secrets (``primary_objects``).
- The same as YAML: ``template/bootstrap/*.yaml``, made by ``tools/bootstrap_manifest.py``.

>>> [item["kind"] for item in bootstrap_objects()][:3]
['Namespace', 'ServiceAccount', 'ClusterRole']
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.member.rights import Right, rights_of
from reconciler.model import MEMBER_NAMESPACE, PRIMARY_NAMESPACE, RECONCILER_USER, Json

VIEWER = "federation-viewer"
STORE = "federation-credentials"
LABEL_AGGREGATE_VIEW = "fleetward.io/aggregate-to-viewer"
ACCOUNT = RECONCILER_USER.rpartition(":")[2]
EXTRA, VIEWER_EXTRA = f"{ACCOUNT}-extra", f"{VIEWER}-extra"
VIEWER_USER = f"system:serviceaccount:{MEMBER_NAMESPACE}:{VIEWER}"
LABEL_PURPOSE = "fleetward.io/purpose"
LABEL_AGGREGATE = "fleetward.io/aggregate-to-reconciler"
_RBAC = "rbac.authorization.k8s.io"
_READ = ["get", "list"]
_VERBS = ["get", "list", "create", "patch", "delete"]


def bootstrap_objects(username: str = RECONCILER_USER) -> list[dict[str, Json]]:
    """All objects in the order in which they can be created.

    Another ``username`` than the service account's is bound as a User (client certificates, OIDC).
    """
    subject = _subject(username)
    return [
        _object("v1", "Namespace", MEMBER_NAMESPACE),
        _object("v1", "ServiceAccount", ACCOUNT, MEMBER_NAMESPACE),
        _object(f"{_RBAC}/v1", "ClusterRole", ACCOUNT, rules=_RULES),
        # Without rules: they are the controller's, so that applying the manifest again is no conflict.
        _object(
            f"{_RBAC}/v1", "ClusterRole", EXTRA,
            aggregationRule={"clusterRoleSelectors": [{"matchLabels": {LABEL_AGGREGATE: "true"}}]},
        ),
        _object(f"{_RBAC}/v1", "Role", ACCOUNT, MEMBER_NAMESPACE, rules=_RECORD_RULES),
        *(_cluster_binding(name, subject) for name in (ACCOUNT, EXTRA)),
        _object(
            f"{_RBAC}/v1", "RoleBinding", ACCOUNT, MEMBER_NAMESPACE, subjects=[subject],
            roleRef={"apiGroup": _RBAC, "kind": "Role", "name": ACCOUNT},
        ),
        *_viewer_objects(),
    ]  # fmt: skip


def _viewer_objects() -> list[dict[str, Json]]:
    """The account that reads, its rights, and the right to its own tokens."""
    subject = _subject(VIEWER_USER)
    return [
        _object("v1", "ServiceAccount", VIEWER, MEMBER_NAMESPACE),
        _object(f"{_RBAC}/v1", "ClusterRole", VIEWER, rules=_VIEWER_RULES),
        _object(
            f"{_RBAC}/v1", "ClusterRole", VIEWER_EXTRA,
            aggregationRule={"clusterRoleSelectors": [{"matchLabels": {LABEL_AGGREGATE_VIEW: "true"}}]},
        ),
        _object(f"{_RBAC}/v1", "Role", VIEWER, MEMBER_NAMESPACE, rules=[_token_rule(VIEWER)]),
        _cluster_binding(VIEWER, subject),
        _cluster_binding(VIEWER_EXTRA, subject),
        _cluster_binding("view", subject, name=f"{VIEWER}-view"),
        _object(
            f"{_RBAC}/v1", "RoleBinding", VIEWER, MEMBER_NAMESPACE, subjects=[subject],
            roleRef={"apiGroup": _RBAC, "kind": "Role", "name": VIEWER},
        ),
    ]  # fmt: skip


def primary_objects() -> list[dict[str, Json]]:
    """What the primary has beside that: a namespace for what fleetward keeps there of its members, and the
    right to Secrets in it and nowhere else (``store: secrets``)."""
    subject = _subject(RECONCILER_USER)
    labels = {LABEL_PURPOSE: "what-fleetward-keeps-of-its-members"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PRIMARY_NAMESPACE, "labels": labels}},
        _object(f"{_RBAC}/v1", "Role", STORE, PRIMARY_NAMESPACE, rules=_STORE_RULES),
        _object(
            f"{_RBAC}/v1", "RoleBinding", STORE, PRIMARY_NAMESPACE, subjects=[subject],
            roleRef={"apiGroup": _RBAC, "kind": "Role", "name": STORE},
        ),
    ]  # fmt: skip


def needed_rights() -> Iterator[Right]:
    """Every right that the reconciler's roles give."""
    for rules, namespace in ((_RULES, ""), (_RECORD_RULES, MEMBER_NAMESPACE)):
        for rule in rules:
            yield from rights_of(rule, namespace)


def _subject(username: str) -> dict[str, Json]:
    prefix, _, rest = username.partition("system:serviceaccount:")
    if not prefix and rest:
        namespace, _, name = rest.partition(":")
        return {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    return {"apiGroup": _RBAC, "kind": "User", "name": username}


def _cluster_binding(role: str, subject: dict[str, Json], name: str = "") -> dict[str, Json]:
    reference = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role}
    return _object(f"{_RBAC}/v1", "ClusterRoleBinding", name or role, subjects=[subject], roleRef=reference)


def _object(version: str, kind: str, name: str, namespace: str = "", **rest: Json) -> dict[str, Json]:
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def _rule(groups: list[str], resources: list[str], verbs: list[str]) -> dict[str, Json]:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs}


def _token_rule(*accounts: str) -> dict[str, Json]:
    """New tokens (TokenRequest) of these accounts and no others."""
    return {**_rule([""], ["serviceaccounts/token"], ["create"]), "resourceNames": list(accounts)}


_RULES = [
    _rule([""], ["namespaces"], _VERBS),
    _rule(["networking.k8s.io"], ["networkpolicies"], _VERBS),
    _rule([_RBAC], ["clusterrolebindings", "rolebindings"], _VERBS),
    _rule([_RBAC], ["clusterroles", "roles"], [*_VERBS, "bind", "escalate"]),
    _rule(
        ["admissionregistration.k8s.io"],
        ["validatingadmissionpolicies", "validatingadmissionpolicybindings"],
        _VERBS,
    ),
]
_STORE_RULES = [_rule([""], ["secrets"], ["get", "create", "update", "delete"])]
_RECORD_RULES = [
    _rule([""], ["configmaps"], ["get", "list", "create", "update", "delete"]),
    _token_rule(ACCOUNT, VIEWER),  # its own, so that it can renew them, and those of its reading half
]
# The rules of an auditor (docs/verify.md), and what a look at a federated CRD takes.
_VIEWER_RULES = [
    _rule([""], ["namespaces", "configmaps"], _READ),
    _rule(["networking.k8s.io"], ["networkpolicies"], _READ),
    _rule([_RBAC], ["clusterrolebindings", "clusterroles", "rolebindings", "roles"], _READ),
    _rule(
        ["admissionregistration.k8s.io"],
        ["validatingadmissionpolicies", "validatingadmissionpolicybindings"],
        _READ,
    ),
    _rule(["apiextensions.k8s.io"], ["customresourcedefinitions"], _READ),
]
