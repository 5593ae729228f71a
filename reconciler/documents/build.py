"""Documents that have passed their schema -> typed Federation and Clusters.

Rules kept here
- Nothing here can fail: the schema has said that every field has its type, and ``load`` builds only from
  documents without findings.
- What a Cluster does not say comes from the Federation's defaults, then from the schema's.

>>> from reconciler.model import SourceRef
>>> body = {"spec": {"signers": [{"name": "alice", "keys": ["ssh-ed25519 AAAA alice@laptop"]}]}}
>>> document = Document("fleetward.io/v1alpha1", "Federation", "example", "", body, SourceRef("a", 1), "b#0")
>>> build_federation(document).root.signers[0].name
'alice'
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from reconciler.documents.build_root import build_root
from reconciler.documents.durations import parse_duration
from reconciler.documents.fleet import (
    DEFAULT_KUBERNETES_VERSION,
    DEFAULT_REF,
    Cluster,
    Credentials,
    Defaults,
    Document,
    Federation,
    GateSettings,
    Limits,
)
from reconciler.model import MEMBER_NAMESPACE, RECONCILER_USER, ClusterName

Fields = dict[str, Any]


def build_federation(document: Document) -> Federation:
    """The Federation that a document describes."""
    spec: Fields = document.body["spec"]
    credentials: Fields = spec.get("credentials", {})
    return Federation(
        name=document.name,
        root=build_root(spec),
        source=document.source,
        defaults=_defaults(spec.get("defaults", {})),
        limits=_limits(spec.get("limits", {})),
        gate=_gate(spec.get("gate", {})),
        exec_commands=tuple(tuple(argv) for argv in credentials.get("execCommands", ())),
        token_life=_duration(credentials, "tokenLifetime", timedelta(hours=24)),
        store=credentials.get("store", "files"),
        repository=spec.get("repository", ""),
        ref=spec.get("ref", DEFAULT_REF),
        primary=spec.get("primary", ""),
        profiles=spec.get("clusterProfiles", {}).get("namespace", ""),
    )


def build_cluster(document: Document, defaults: Defaults) -> Cluster:
    """The Cluster that a document describes."""
    spec: Fields = document.body["spec"]
    return Cluster(
        name=ClusterName(document.name),
        labels=document.body["metadata"].get("labels", {}),
        api_servers=tuple(spec["apiServers"]),
        ca_bundle=spec.get("caBundle", ""),
        tls_server_name=spec.get("tlsServerName", ""),
        credentials=build_credentials(spec["credentials"]),
        source=document.source,
        username=spec.get("username", RECONCILER_USER),
        kubernetes_version=spec.get("kubernetesVersion", defaults.kubernetes_version),
        interval=_duration(spec, "interval", defaults.interval),
        suspend=spec.get("suspend", False),
        mode=spec.get("mode", defaults.mode),
        viewer_credentials=build_credentials(spec["viewerCredentials"])
        if "viewerCredentials" in spec
        else None,
    )


def build_credentials(value: Fields) -> Credentials:
    """The one way of logging in that ``spec.credentials`` names."""
    if "tokenFile" in value:
        return Credentials("tokenFile", path=value["tokenFile"])
    if "kubeconfig" in value:
        file = value["kubeconfig"]
        return Credentials("kubeconfig", path=file["path"], context=file.get("context", ""))
    if "secretRef" in value:
        secret = value["secretRef"]
        namespace = secret.get("namespace", MEMBER_NAMESPACE)
        return Credentials("secretRef", secret_namespace=namespace, secret_name=secret["name"])
    if "clientCertificate" in value:
        files = value["clientCertificate"]
        return Credentials("clientCertificate", cert_file=files["certFile"], key_file=files["keyFile"])
    plugin = value["exec"]
    env = tuple((item["name"], item["value"]) for item in plugin.get("env", ()))
    return Credentials("exec", argv=(plugin["command"], *plugin.get("args", ())), env=env)


def _defaults(value: Fields) -> Defaults:
    return Defaults(
        interval=_duration(value, "interval", Defaults().interval),
        mode=value.get("mode", "enforce"),
        kubernetes_version=value.get("kubernetesVersion", DEFAULT_KUBERNETES_VERSION),
    )


def _limits(value: Fields) -> Limits:
    return Limits(
        max_deletions=value.get("maxDeletions", Limits().max_deletions),
        apply_timeout=_duration(value, "applyTimeout", Limits().apply_timeout),
        request_timeout=_duration(value, "requestTimeout", Limits().request_timeout),
    )


def _gate(value: Fields) -> GateSettings:
    return GateSettings(
        url=value.get("url", ""),
        timeout=_duration(value, "timeout", GateSettings().timeout),
        wildcard_roles=tuple(value.get("wildcardRoles", ())),
    )


def _duration(value: Fields, name: str, default: timedelta) -> timedelta:
    return parse_duration(value[name]) if name in value else default
