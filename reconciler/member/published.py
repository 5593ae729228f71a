"""A ClusterProfile that somebody else published, read as what it is: text from a stranger.

Rules kept here
- Nothing of it is believed or followed: it becomes facts to show, and a draft that a person reviews.
- Every field is bounded and has to pass the check that a registration's own field has; what does not is left
  out and named in ``left_out``, with a bounded reason and never with its value.
- An address without TLS verification, behind a proxy, or with a CA by path is no address for a registration.

>>> item = {"metadata": {"name": "eu-1", "namespace": "ocm", "labels": {"tier": "edge"}},
...     "spec": {"clusterManager": {"name": "ocm"}},
...     "status": {"accessProviders": [{"name": "x", "cluster": {"server": "https://eu-1:6443"}}]}}
>>> one = parse_profile(item)
>>> one.key, one.manager, one.servers, one.left_out
('ocm/eu-1', 'ocm', ('https://eu-1:6443',), ())
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.compile.profile_crd import LABEL_MANAGER, MANAGER
from reconciler.documents.formats import (
    is_certificates,
    is_https_url,
    is_label_key,
    is_label_value,
    is_subdomain,
)
from reconciler.model import APPLYSET_ID, LABEL_MANAGED_BY, LABEL_PART_OF, Json

MAX_PROFILES = 10_000
_TEXT = 253  # characters of a name or version
_PROVIDERS, _PROPERTIES, _LABELS, _CA = 16, 200, 64, 262_144
_LEFT = 20  # reasons that are kept
_NOT_OURS = ("applyset.kubernetes.io/", "fleetward.io/", "kubectl.kubernetes.io/")
_REFUSED = ("insecure-skip-tls-verify", "proxy-url", "certificate-authority")


@dataclass(frozen=True, slots=True)
class Access:
    """One way to the API server."""

    server: str
    ca_bundle: str = ""  # PEM
    server_name: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    """What a profile says that can be used; texts are bounded, and not yet safe for a terminal."""

    namespace: str
    name: str
    manager: str  # "" when it does not say
    display: str = ""
    version: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    access: tuple[Access, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """ "namespace/name"."""
        return f"{self.namespace}/{self.name}"

    @property
    def servers(self) -> tuple[str, ...]:
        """Its API servers, each once."""
        return tuple(dict.fromkeys(one.server for one in self.access))


def parse_profile(item: Json) -> Published | None:
    """The profile of one item of a list; None for one that is ours or is no object. Never raises."""
    metadata = _map(item, "metadata")
    namespace, name = metadata.get("namespace"), metadata.get("name")
    if not isinstance(namespace, str) or not isinstance(name, str):
        return None
    if not is_subdomain(name) or not is_subdomain(namespace):
        return None
    found = _map(metadata, "labels")
    spec, status = _map(item, "spec"), _map(item, "status")
    manager = _text(_map(spec, "clusterManager").get("name")) or _text(found.get(LABEL_MANAGER))
    if MANAGER in (manager, found.get(LABEL_MANAGER)) or found.get(LABEL_PART_OF) == APPLYSET_ID:
        return None
    left: list[str] = []
    return Published(
        namespace, name, manager, _text(spec.get("displayName")),
        _text(_map(status, "version").get("kubernetes")), _labels(found, left),
        tuple(dict.fromkeys(_access(status, left))), _properties(status, left), tuple(left[:_LEFT]),
    )  # fmt: skip


def _map(value: Any, key: str) -> dict[str, Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _items(value: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    found = value.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= _TEXT else ""


def _labels(found: Mapping[str, Any], left: list[str]) -> dict[str, str]:
    """Labels that a registration may have; those of the machinery are no business of it."""
    kept: dict[str, str] = {}
    for key, value in sorted((str(key), value) for key, value in found.items())[:_LABELS]:
        if key.startswith(_NOT_OURS) or key in (LABEL_MANAGER, LABEL_MANAGED_BY):
            continue
        if is_label_key(key) and isinstance(value, str) and is_label_value(value):
            kept[key] = value
        else:
            left.append("a label that Kubernetes does not take")
    if len(found) > _LABELS:
        left.append(f"{len(found) - _LABELS} labels of more than {_LABELS}")
    return kept


def _properties(status: Mapping[str, Any], left: list[str]) -> dict[str, str]:
    items = _items(status, "properties")
    if len(items) > _PROPERTIES:
        left.append(f"{len(items) - _PROPERTIES} properties of more than {_PROPERTIES}")
    named = ((_text(item.get("name")), _text(item.get("value"))) for item in items[:_PROPERTIES])
    return {name: value for name, value in named if name and value}


def _access(status: Mapping[str, Any], left: list[str]) -> Iterator[Access]:
    """``accessProviders`` come before ``credentialProviders``, their older name; one name counts once."""
    seen: set[str] = set()
    for item in (*_items(status, "accessProviders"), *_items(status, "credentialProviders"))[:_PROVIDERS]:
        name = _text(item.get("name"))
        if name in seen:
            continue
        seen.add(name)
        reason, access = _way(_map(item, "cluster"))
        if access is not None:
            yield access
        else:
            left.append(f"an access provider: {reason}")


def _way(cluster: Mapping[str, Any]) -> tuple[str, Access | None]:
    """("", the way), or why it is none."""
    for name in _REFUSED:
        if cluster.get(name):
            return f"{name} has no place in a registration", None
    server, host = cluster.get("server"), cluster.get("tls-server-name") or ""
    if not isinstance(server, str) or not is_https_url(server):
        return "its server is no https URL", None
    if not isinstance(host, str) or (host and not is_subdomain(host)):
        return "its tls-server-name is no host name", None
    ca = _certificates(cluster.get("certificate-authority-data"))
    if ca is None:
        return "its certificate-authority-data is not base64 of PEM certificates", None
    return "", Access(server.rstrip("/"), ca, host)


def _certificates(data: Any) -> str | None:
    if not data:
        return ""
    if not isinstance(data, str) or len(data) > 2 * _CA:
        return None
    try:
        text = base64.b64decode("".join(data.split()), validate=True).decode("ascii").replace("\r\n", "\n")
    except (binascii.Error, ValueError):
        return None
    return text if len(text) <= _CA and is_certificates(text) else None
