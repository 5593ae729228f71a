"""FederatedRole and FederatedRoleBinding on one cluster."""

from __future__ import annotations

from typing import Any

import pytest
from compile_fleets import bodies, cluster, codes, compiled, ours

from reconciler.documents import Document

RULES = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
DEVELOPERS = [{"kind": "Group", "name": "developers"}]
PROD = {"clusterSelector": {"matchLabels": {"environment": "prod"}}}


def role(name: str = "viewer", **spec: Any) -> Document:
    return ours("FederatedRole", name, {"rules": RULES, **spec})


def binding(kind: str = "FederatedRole", name: str = "viewer", **spec: Any) -> Document:
    return ours(
        "FederatedRoleBinding",
        "dev",
        {"roleRef": {"kind": kind, "name": name}, "subjects": DEVELOPERS, **spec},
    )


def refs(*documents: Document) -> list[str]:
    result = compiled(*documents)
    assert codes(result) == []
    return [str(item.ref).replace(".rbac.authorization.k8s.io", "") for item in result.desired.objects]


def test_a_role_is_a_cluster_role_or_a_role_in_each_namespace() -> None:
    assert refs(role()) == ["ClusterRole viewer"]
    assert refs(role(scope="Namespace", namespaces=["shop", "bank"])) == [
        "Role bank/viewer",
        "Role shop/viewer",
    ]


def test_an_aggregated_role_sends_no_rules() -> None:
    aggregated = {"clusterRoleSelectors": [{"matchLabels": {"aggregate": "viewer"}}]}
    [body] = bodies(compiled(ours("FederatedRole", "viewer", {"aggregationRule": aggregated})))
    assert body["aggregationRule"] == aggregated
    assert "rules" not in body


def test_labels_of_a_role_reach_the_member() -> None:
    [body] = bodies(compiled(role(labels={"aggregate": "viewer"})))
    assert body["metadata"]["labels"]["aggregate"] == "viewer"


@pytest.mark.parametrize(
    ("documents", "kinds"),
    [
        ([role(), binding()], ("ClusterRoleBinding", "ClusterRole")),
        ([role(), binding(namespaces=["shop"])], ("RoleBinding", "ClusterRole")),
        (
            [role(scope="Namespace", namespaces=["shop"]), binding(namespaces=["shop"])],
            ("RoleBinding", "Role"),
        ),
        ([binding("ClusterRole", "view")], ("ClusterRoleBinding", "ClusterRole")),
        ([binding("Role", "local", namespaces=["shop"])], ("RoleBinding", "Role")),
    ],
)
def test_a_binding_resolves_to_the_right_kinds(documents: list[Document], kinds: tuple[str, str]) -> None:
    result = compiled(*documents)
    assert codes(result) == []
    [bound] = [body for body in bodies(result) if body["kind"].endswith("Binding")]
    assert (bound["kind"], bound["roleRef"]["kind"]) == kinds
    assert bound["roleRef"]["apiGroup"] == bound["subjects"][0]["apiGroup"] == "rbac.authorization.k8s.io"


@pytest.mark.parametrize(
    ("documents", "code", "rule"),
    [
        ([binding(name="missing")], "FW1404", "schema:/spec/roleRef/name"),
        ([role(placement={"clusters": ["other"]}), binding()], "FW1405", "schema:/spec/roleRef/name"),
        ([role(scope="Namespace", namespaces=["shop"]), binding()], "FW1406", "schema:/spec/roleRef"),
        ([binding("Role", "local")], "FW1406", "schema:/spec/roleRef"),
        (
            [role(scope="Namespace", namespaces=["shop"]), binding(namespaces=["shop", "bank"])],
            "FW1407",
            "schema:/spec/namespaces",
        ),
        (
            [role(), binding(subjects=[{"kind": "ServiceAccount", "name": "ci"}])],
            "FW1408",
            "schema:/spec/subjects/0",
        ),
        (
            [role(), binding(subjects=[{"kind": "User", "name": "eve", "namespace": "shop"}])],
            "FW1408",
            "schema:/spec/subjects/0",
        ),
    ],
)
def test_a_binding_that_would_not_hold_is_a_finding(documents: list[Document], code: str, rule: str) -> None:
    result = compiled(*documents)
    assert (code, rule) in [(finding.code, finding.rule) for finding in result.findings]


def test_findings_about_a_cluster_name_it() -> None:
    result = compiled(role(placement=PROD), binding(), on=cluster("edge-1"))
    assert [(f.code, f.subject) for f in result.findings] == [("FW1405", "edge-1/FederatedRoleBinding/dev")]


def test_a_binding_follows_its_roles_overrides() -> None:
    narrowed = [{**PROD, "patch": {"spec": {"scope": "Namespace", "namespaces": ["shop"]}}}]
    documents = [role(overrides=narrowed), binding(namespaces=["shop"])]
    kinds = {}
    for environment in ("prod", "dev"):
        result = compiled(*documents, on=cluster(environment=environment))
        assert codes(result) == []
        kinds[environment] = [b["roleRef"]["kind"] for b in bodies(result) if b["kind"] == "RoleBinding"]
    assert kinds == {"prod": ["Role"], "dev": ["ClusterRole"]}


def test_an_empty_list_of_namespaces_never_binds_the_whole_cluster() -> None:
    result = compiled(role(), binding(namespaces=[]))
    assert [item.ref.kind for item in result.desired.objects] == ["ClusterRole"]


def test_non_resource_urls_belong_to_no_namespace() -> None:
    rules = [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]
    spec = {"scope": "Namespace", "namespaces": ["shop"], "rules": rules}
    [finding] = compiled(ours("FederatedRole", "viewer", spec)).findings
    assert (finding.code, finding.rule) == ("FW1409", "schema:/spec/rules/0/nonResourceURLs")
