"""Kubeconfigs with short-lived tokens: written whole, mode 0600, and never the user's own file.

>>> document = empty()
>>> add(document, "member-a", "viewer", "https://203.0.113.10:6443", "", "", "t0ken")
>>> document["current-context"], document["users"][0]["name"]
('member-a', 'member-a-viewer')
"""

from __future__ import annotations

import base64
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from reconciler.files import replace
from reconciler.member.errors import KubeconfigFileError
from reconciler.member.tokens import facts_of

if TYPE_CHECKING:
    from reconciler.pipeline.issuing import Credential

Document = dict[str, Any]
MAX_FILE = 4 << 20  # bytes
_LISTS = ("clusters", "users", "contexts")


def empty() -> Document:
    """A kubeconfig of nothing."""
    return {"apiVersion": "v1", "kind": "Config", "clusters": [], "users": [], "contexts": []}


def add_credential(document: Document, credential: Credential) -> None:
    """``add`` for an issued credential: the first API server, since kubectl knows no second."""
    cluster = credential.cluster
    add(
        document, cluster.name, credential.role.value, cluster.api_servers[0], cluster.ca_bundle,
        cluster.tls_server_name, credential.token,
    )  # fmt: skip


def add(
    document: Document, name: str, role: str, server: str, ca_bundle: str, tls_server_name: str, token: str
) -> None:
    """Put cluster, user and context of that name in, instead of older ones, and make it the current one."""
    cluster = {"server": server}
    if ca_bundle:
        cluster["certificate-authority-data"] = base64.b64encode(ca_bundle.encode()).decode()
    if tls_server_name:
        cluster["tls-server-name"] = tls_server_name
    user = f"{name}-{role}"
    older = [one["context"]["user"] for one in document["contexts"] if one["name"] == name]
    for key in _LISTS:
        document[key] = [one for one in document[key] if one["name"] not in (name, user, *older)]
    document["clusters"].append({"name": name, "cluster": cluster})
    document["users"].append({"name": user, "user": {"token": token}})
    document["contexts"].append({"name": name, "context": {"cluster": name, "user": user}})
    document["current-context"] = name


def text_of(document: Document) -> str:
    """As YAML."""
    return yaml.safe_dump(document, sort_keys=False)


def write(path: Path, document: Document) -> None:
    """Replace the file atomically; nobody else may read it. Raises KubeconfigFileError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace(path, text_of(document).encode(), mode=0o600)
    except OSError as error:
        raise _unusable(path, "a file that can be written", error.strerror or "an error") from error


def read(path: Path) -> Document:
    """A kubeconfig that we wrote; an empty one for none. Raises KubeconfigFileError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
        document = yaml.load(data, Loader=yaml.CSafeLoader) if len(data) <= MAX_FILE else None
    except FileNotFoundError:
        return empty()
    except (OSError, yaml.YAMLError, ValueError, AttributeError, RecursionError) as error:
        # PyYAML: ValueError for a date that no calendar has, AttributeError for a tag that does not fit
        raise _unusable(path, "a kubeconfig", type(error).__name__) from error
    if not isinstance(document, dict) or not _whole(document):
        raise _unusable(path, "a kubeconfig as fleetward writes it", "something else")
    return document


def ends(document: Document) -> dict[str, datetime]:
    """Context -> when its token ends, as far as it says so."""
    tokens = {one["name"]: str(one.get("user", {}).get("token", "")) for one in document["users"]}
    facts = {one["name"]: facts_of(tokens.get(one["context"]["user"], "")) for one in document["contexts"]}
    return {name: found.expires for name, found in facts.items() if found}


def _whole(document: Document) -> bool:
    if not all(isinstance(document.get(key), list) for key in _LISTS):
        return False
    items = [one for key in _LISTS for one in document[key]]
    if not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in items):
        return False
    users = all(isinstance(one.get("user"), dict) for one in document["users"])
    return users and all(
        isinstance(one.get("context"), dict) and isinstance(one["context"].get("user"), str)
        for one in document["contexts"]
    )


def _unusable(path: Path, expected: str, got: str) -> KubeconfigFileError:
    return KubeconfigFileError("the kubeconfig cannot be used", where=str(path), expected=expected, got=got)
