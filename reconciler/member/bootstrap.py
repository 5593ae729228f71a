"""What a member needs before its first reconcile: namespace, account, and the least rights.

- Rights for what fleetward compiles itself: RBAC objects, network policies, the guard, namespaces; and its
  own record. ``escalate`` and ``bind`` are needed because it hands out rights that it does not have.
- Rights for other kinds (plain manifests) are a decision of the member's owner: every ClusterRole with the
  label ``fleetward.io/aggregate-to-reconciler: "true"`` adds to ``federation-reconciler-extra``.
- The same as YAML: ``template/bootstrap/member.yaml``, made by ``tools/bootstrap_manifest.py``.

>>> [item["kind"] for item in bootstrap_objects()][:3]
['Namespace', 'ServiceAccount', 'ClusterRole']
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import MEMBER_NAMESPACE, RECONCILER_USER, Json

ACCOUNT = RECONCILER_USER.rpartition(":")[2]
EXTRA = f"{ACCOUNT}-extra"
LABEL_AGGREGATE = "fleetward.io/aggregate-to-reconciler"
_RBAC = "rbac.authorization.k8s.io"
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
        _object(
            f"{_RBAC}/v1", "ClusterRole", EXTRA, rules=[],
            aggregationRule={"clusterRoleSelectors": [{"matchLabels": {LABEL_AGGREGATE: "true"}}]},
        ),
        _object(f"{_RBAC}/v1", "Role", ACCOUNT, MEMBER_NAMESPACE, rules=_RECORD_RULES),
        *(_cluster_binding(name, subject) for name in (ACCOUNT, EXTRA)),
        _object(
            f"{_RBAC}/v1", "RoleBinding", ACCOUNT, MEMBER_NAMESPACE, subjects=[subject],
            roleRef={"apiGroup": _RBAC, "kind": "Role", "name": ACCOUNT},
        ),
    ]  # fmt: skip


def needed_rights() -> Iterator[tuple[str, str, str, str]]:
    """(group, resource, verb, namespace) of every right that these roles give; "" is every namespace."""
    for rules, namespace in ((_RULES, ""), (_RECORD_RULES, MEMBER_NAMESPACE)):
        for rule in rules:
            for group in rule["apiGroups"]:
                yield from ((group, r, verb, namespace) for r in rule["resources"] for verb in rule["verbs"])


def _subject(username: str) -> dict[str, Json]:
    prefix, _, rest = username.partition("system:serviceaccount:")
    if not prefix and rest:
        namespace, _, name = rest.partition(":")
        return {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    return {"apiGroup": _RBAC, "kind": "User", "name": username}


def _cluster_binding(role: str, subject: dict[str, Json]) -> dict[str, Json]:
    reference = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role}
    return _object(f"{_RBAC}/v1", "ClusterRoleBinding", role, subjects=[subject], roleRef=reference)


def _object(version: str, kind: str, name: str, namespace: str = "", **rest: Json) -> dict[str, Json]:
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def _rule(groups: list[str], resources: list[str], verbs: list[str]) -> dict[str, Json]:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs}


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
_RECORD_RULES = [_rule([""], ["configmaps"], ["get", "list", "create", "update", "delete"])]
