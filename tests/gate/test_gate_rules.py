"""The default rules through a real OPA: what each refuses or warns about, and what it lets pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gate_kit import NOW, RBAC, content, document

from reconciler.gate import ChangesInput, Gate, GateDocument, Places, product_source
from reconciler.model import Severity, SourceRef

pytestmark = pytest.mark.real
NETWORK = "networking.k8s.io/v1"
LABELS = {"owner": "team", "environment": "prod", "tier": "gold"}
EXCEPTION = {
    "rule": "rbac.escalate", "target": {"kind": "FederatedRole", "name": "ops"},
    "owner": "team", "reason": "tooling", "expires": "2026-07-25",
}  # fmt: skip


@pytest.fixture(scope="module")
def gate(opa: str) -> Iterator[Gate]:
    with Gate(product_source(), opa=Path(opa)) as gate:
        yield gate


def role(*verbs: str, name: str = "ops", resources: tuple[str, ...] = ("pods",), **spec: Any) -> GateDocument:
    rule = {"apiGroups": [""], "resources": [*resources], "verbs": [*verbs]}
    return document("FederatedRole", name, spec={"rules": [rule], **spec})


def plain_role(kind: str, *verbs: str, origin: str = "") -> GateDocument:
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": [*verbs]}
    return document(kind, "ops", api=RBAC, origin=origin, rules=[rule])


def binding(subject: str, kind: str = "Group", to: str = "viewer") -> GateDocument:
    spec = {"roleRef": {"kind": "ClusterRole", "name": to}, "subjects": [{"kind": kind, "name": subject}]}
    return document("FederatedRoleBinding", "b", spec=spec)


def plain_binding(kind: str, subject: str, to: str = "viewer") -> GateDocument:
    ref = {"kind": "ClusterRole", "name": to}
    return document(kind, "b", api=RBAC, roleRef=ref, subjects=[{"kind": "User", "name": subject}])


def allow(**rule: Any) -> GateDocument:
    return document("FederatedNetworkRule", "n", spec={"namespaces": ["a"], "allow": [rule]})


def policy(**spec: Any) -> GateDocument:
    return document("NetworkPolicy", "n", api=NETWORK, spec=spec)


def cluster(labels: Any, url: str = "https://a.example.com") -> GateDocument:
    found = document("Cluster", "member-a", spec={"apiServers": [url]})
    return GateDocument(found.key, {**found.body, "metadata": {"name": "member-a", "labels": labels}}, "x#0")


def exception(**change: str) -> GateDocument:
    return document("PolicyException", "e", spec={**EXCEPTION, **change})


REFUSED = {
    "verb": (role("*"), "rbac.wildcard"),
    "resource": (role("get", resources=("*",)), "rbac.wildcard"),
    "subresource": (role("get", resources=("*/scale",)), "rbac.wildcard"),
    "plain cluster role": (plain_role("ClusterRole", "*"), "rbac.wildcard"),
    "plain role": (plain_role("Role", "*"), "rbac.wildcard"),
    "patched role": (plain_role("ClusterRole", "*", origin="FederatedRole/ops"), "rbac.wildcard"),
    "aggregates all": (role("get", aggregationRule={"clusterRoleSelectors": [{}]}), "rbac.wildcard"),
    "escalate": (role("escalate"), "rbac.escalate"),
    "bind": (role("bind"), "rbac.escalate"),
    "impersonate": (plain_role("ClusterRole", "impersonate"), "rbac.escalate"),
    "masters": (binding("system:masters"), "rbac.subject"),
    "anonymous": (binding("system:anonymous", "User"), "rbac.subject"),
    "unauthenticated": (binding("system:unauthenticated"), "rbac.subject"),
    "plain masters": (plain_binding("ClusterRoleBinding", "system:masters"), "rbac.subject"),
    "plain anonymous": (plain_binding("RoleBinding", "system:anonymous"), "rbac.subject"),
    "cluster-admin": (binding("team", to="cluster-admin"), "rbac.cluster_admin"),
    "plain cluster-admin": (plain_binding("RoleBinding", "jo", "cluster-admin"), "rbac.cluster_admin"),
    "no peers": (allow(direction="ingress"), "network.peers"),
    "empty peers": (allow(direction="egress", peers=[]), "network.peers"),
    "plain no peers": (policy(ingress=[{"ports": [{"port": 80}]}]), "network.peers"),
    "no labels": (cluster({}), "cluster.labels"),
    "no owner": (cluster({**LABELS, "owner": ""}), "cluster.labels"),
    "plain http": (cluster(LABELS, "http://a.example.com"), "cluster.https"),
    "no reason": (exception(reason=" "), "exception.incomplete"),
    "no exceptions": (exception(rule="rbac.subject"), "exception.inexcusable"),
}  # fmt: skip
WARNED = {
    "all secrets": (role("list", resources=("secrets",)), "rbac.secrets"),
    "authenticated": (binding("system:authenticated"), "rbac.broad_subject"),
    "any address": (allow(direction="egress", peers=[{"cidr": "0.0.0.0/0"}]), "network.any_address"),
    "any IPv6": (policy(egress=[{"to": [{"ipBlock": {"cidr": "::/0"}}]}]), "network.any_address"),
    "all spaces": (allow(direction="egress", peers=[{"namespaceSelector": {}}]), "network.all_namespaces"),
    "expired": (exception(expires="2026-07-24"), "exception.expired"),
}  # fmt: skip
PASSED = {
    "role": role("get", "list"),
    "plain role": plain_role("Role", "get"),
    "binding": binding("team"),
    "service account": binding("default", "ServiceAccount"),
    "peers": allow(direction="ingress", peers=[{"podSelector": {}}]),
    "policy": policy(ingress=[{"from": [{"podSelector": {}}]}], policyTypes=["Ingress"]),
    "isolation": policy(podSelector={}, policyTypes=["Ingress", "Egress"]),
    "cluster": cluster(LABELS),
    "exception": exception(),
    "namespaced secrets": role("list", resources=("secrets",), scope="Namespace", namespaces=["a"]),
    "kind of another group": document("Role", "x", api="iam.example.com/v1", rules=[{"verbs": ["*"]}]),
    "anything": document("ConfigMap", "x", api="v1", data={"verbs": "*"}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_denied(gate: Gate, name: str) -> None:
    given, rule = REFUSED[name]
    verdict = gate.evaluate(content(given), now=NOW)
    assert not verdict.allowed
    assert {f.rule for f in verdict.findings if f.severity is Severity.ERROR} == {rule}
    for finding in verdict.findings:
        assert finding.code == "FW1510"
        assert finding.hint
        assert finding.subject


@pytest.mark.parametrize("name", WARNED)
def test_warned(gate: Gate, name: str) -> None:
    given, rule = WARNED[name]
    verdict = gate.evaluate(content(given), now=NOW)
    assert verdict.allowed
    assert [(f.code, f.rule, f.severity) for f in verdict.findings] == [("FW1511", rule, Severity.WARNING)]


@pytest.mark.parametrize("name", PASSED)
def test_passed(gate: Gate, name: str) -> None:
    verdict = gate.evaluate(content(PASSED[name]), now=NOW)
    assert verdict.allowed
    assert verdict.findings == ()
    assert verdict.rules > 10


def test_allow_list_and_exceptions_are_by_identity(gate: Gate) -> None:
    federation = {"gate": {"wildcardRoles": ["ops"]}}
    listed = (role("*"), plain_role("ClusterRole", "*", origin="FederatedRole/ops"))
    assert gate.evaluate(content(*listed, federation=federation), now=NOW).allowed
    assert not gate.evaluate(content(plain_role("ClusterRole", "*"), federation=federation), now=NOW).allowed
    excused = (role("bind"), plain_role("ClusterRole", "bind", origin="FederatedRole/ops"))
    assert gate.evaluate(content(*excused, exceptions=[EXCEPTION]), now=NOW).allowed
    assert not gate.evaluate(
        content(plain_role("ClusterRole", "bind"), exceptions=[EXCEPTION]), now=NOW
    ).allowed


def test_exception_ends_with_its_day(gate: Gate) -> None:
    given = content(role("bind"), exceptions=[EXCEPTION])
    assert gate.evaluate(given, now=NOW.replace(hour=23, minute=59)).allowed
    verdict = gate.evaluate(given, now=NOW.replace(day=26, hour=0))
    assert "expired" in verdict.findings[0].message


def test_all_findings_are_told_with_their_places(gate: Gate) -> None:
    rules = [{"apiGroups": ["*"], "resources": ["a"], "verbs": ["*", "bind"]} for _ in range(2)]
    given = content(document("FederatedRole", "ops", spec={"rules": rules}))
    places = Places(
        {"a.yaml#0": SourceRef("a.yaml", 1)}, lambda _, path: SourceRef("a.yaml", 10 * int(path[2]) + 5)
    )
    found = gate.evaluate(given, now=NOW, places=places).findings
    assert [(f.rule, f.source.line) for f in found if f.source] == [
        ("rbac.escalate", 5), ("rbac.wildcard", 5), ("rbac.wildcard", 5),
        ("rbac.escalate", 15), ("rbac.wildcard", 15), ("rbac.wildcard", 15),
    ]  # fmt: skip


def plan(deleted: int, kept: int, limit: Any = "10%", kind: str = "ConfigMap") -> ChangesInput:
    change = {"key": "", "action": "delete", "source": ""}
    objects = [{"group": "", "kind": kind, "namespace": "", "name": f"x{n}"} for n in range(deleted)]
    counts = {"create": 0, "update": 0, "delete": deleted, "keep": kept}
    changes = [{**change, "object": ref} for ref in objects]
    return ChangesInput({"name": "member-a"}, changes, counts, {"maxDeletions": limit}, {})


@pytest.mark.parametrize(
    ("given", "allowed"),
    [(plan(5, 0), True), (plan(6, 0), False), (plan(10, 90), True), (plan(11, 89), False),
     (plan(3, 99, 3), True), (plan(4, 99, 3), False), (plan(1, 9, 0), False), (plan(0, 9, "many"), False)],
)  # fmt: skip
def test_cap_on_deletions(gate: Gate, given: ChangesInput, allowed: bool) -> None:
    verdict = gate.evaluate(given, now=NOW)
    assert verdict.allowed is allowed
    assert {f.rule for f in verdict.findings} == (set() if allowed else {"deletions.cap"})


def test_deleted_namespaces_are_named(gate: Gate) -> None:
    found = gate.evaluate(plan(2, 9, kind="Namespace"), now=NOW).findings
    assert [(f.rule, f.subject) for f in found] == [
        ("deletions.cascade", f"Namespace/x{n}") for n in range(2)
    ]
