"""Small fleets for tests: documents as text, complete enough to be clean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml


def federation(signers: Mapping[str, str], **spec: object) -> str:
    """federation.yaml with these people ("name" -> "ssh-ed25519 AAAA...")."""
    people = [{"name": name, "keys": [key]} for name, key in signers.items()]
    return document("Federation", "test-fleet", {"signers": people, **spec})


def cluster(name: str, server: str = "https://127.0.0.1:1", ca: str = "", **spec: object) -> str:
    """clusters/<name>.yaml with the labels that the gate demands."""
    labels = {"owner": "team", "environment": "test", "tier": "workload"}
    body = {
        "apiServers": [server],
        "credentials": {"kubeconfig": {"path": f"{name}.kubeconfig"}},
        **({"caBundle": ca} if ca else {}),
        **spec,
    }
    return document("Cluster", name, body, labels=labels)


def role(name: str, verbs: Sequence[str] = ("get", "list"), **spec: object) -> str:
    """A FederatedRole on pods."""
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": list(verbs)}]
    return document("FederatedRole", name, {"rules": rules, **spec})


def config_map(name: str, namespace: str = "default", **data: str) -> str:
    """A plain manifest."""
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace},
            "data": data,
        }
    )


def document(kind: str, name: str, spec: object, **metadata: object) -> str:
    """Any document of ours."""
    body = {
        "apiVersion": "fleetward.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, **metadata},
        "spec": spec,
    }
    return yaml.safe_dump(body, sort_keys=False)


def fleet(signers: Mapping[str, str], *clusters: str) -> dict[str, str]:
    """Path -> text of a clean fleet with a role and a manifest."""
    return {
        "federation.yaml": federation(signers),
        **{f"clusters/{name}.yaml": cluster(name) for name in clusters or ("member-a",)},
        "policies/rbac/viewer.yaml": role("viewer"),
        "policies/manifests/settings.yaml": config_map("settings", colour="blue"),
    }
