"""Makes a sandbox member ready to be reconciled: what ``docs/joining`` does by hand, done here.

With the administrator's kubeconfig: the bootstrap objects (namespace, account, least-privilege role), the
right to every kind (a real member's owner names the kinds), then a token of the reconciler's service account
through the TokenRequest API. What is written for the reconciler is
a kubeconfig with that token and nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from kubernetes import client, config, dynamic

from reconciler.member.bootstrap import LABEL_AGGREGATE, LABEL_AGGREGATE_VIEW, bootstrap_objects
from reconciler.model import MEMBER_NAMESPACE, RECONCILER_USER

if TYPE_CHECKING:
    from reconciler.sandbox.members import Member


def collected(name: str, label: str, *rules: tuple[list[str], list[str], list[str]]) -> dict[str, Any]:
    """A ClusterRole whose rules (groups, resources, verbs) the label adds to an account's rights."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": {label: "true"}},
        "rules": [dict(zip(("apiGroups", "resources", "verbs"), rule, strict=True)) for rule in rules],
    }


READ = ["get", "list"]
# Collected by their aggregation labels into the roles of both accounts; see member.bootstrap. RBAC only adds,
# so "everything but Secrets" has to be named: the kinds that Kubernetes' own ``view`` leaves out.
EVERY_KIND = (
    collected("sandbox-every-kind", LABEL_AGGREGATE, (["*"], ["*"], ["*"])),
    collected(
        "sandbox-every-kind-view",
        LABEL_AGGREGATE_VIEW,
        ([""], ["nodes", "persistentvolumes", "podtemplates"], READ),
        ([f"{group}.k8s.io" for group in ("coordination", "node", "scheduling", "storage")], ["*"], READ),
    ),
)
TOKEN_SECONDS = 7 * 86_400  # a sandbox is not kept longer


def provision(member: Member, directory: Path) -> Path:
    """Bootstrap the member; returns the reconciler's kubeconfig, ``directory/<name>.kubeconfig``."""
    with config.new_client_from_config(str(member.kubeconfig)) as api:
        _apply(dynamic.DynamicClient(api), [*bootstrap_objects(), *EVERY_KIND])
        token = _token(client.CoreV1Api(api))
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / f"{member.name}.kubeconfig"
    path.touch(mode=0o600)
    path.write_text(_kubeconfig(member, token), encoding="utf-8")
    return path


def _apply(cluster: Any, objects: list[dict[str, Any]]) -> None:
    for body in objects:
        resource = cluster.resources.get(api_version=body["apiVersion"], kind=body["kind"])
        metadata = body["metadata"]
        resource.server_side_apply(
            body,
            name=metadata["name"],
            namespace=metadata.get("namespace"),
            field_manager="fleetward-bootstrap",
        )


def _token(core: Any) -> str:
    account = RECONCILER_USER.rpartition(":")[2]
    request = client.AuthenticationV1TokenRequest(
        spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=TOKEN_SECONDS)
    )
    answer = core.create_namespaced_service_account_token(account, MEMBER_NAMESPACE, request)
    token: str = answer.status.token
    return token


def _kubeconfig(member: Member, token: str) -> str:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": member.name,
                "cluster": {"server": member.url, "certificate-authority": str(member.ca_file)},
            }
        ],
        "users": [{"name": "federation-reconciler", "user": {"token": token}}],
        "contexts": [
            {"name": member.name, "context": {"cluster": member.name, "user": "federation-reconciler"}}
        ],
        "current-context": member.name,
    }
    return yaml.safe_dump(document, sort_keys=False)
