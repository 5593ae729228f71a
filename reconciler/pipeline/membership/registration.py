"""The registration of a cluster that joins: ``clusters/NAME.yaml``, and whether the cluster is known already.

Rules:
- The same request and token give the same bytes, so that a join that is repeated finds its own proposal.
- A name is taken by a registration at the tip of the fleet's ref, and by a proposal (branch ``join/NAME``);
  see ``ways``. A cluster is taken under another name by its uid, as intents and joins in the log have it, and
  by its API server URLs.
- A proposal that was given up (its branch is gone) takes nothing; nor does what was before a kick that is
  done.
- ``leave/NAME`` proposes the removal of the file whose bytes were kicked, and of no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import yaml

from reconciler.audit.state import LogState
from reconciler.documents.reader import read
from reconciler.model import API_VERSION, Json, Snapshot
from reconciler.pipeline.membership.refused import ClusterKnownError
from reconciler.pipeline.membership.request import JoinRequest
from reconciler.repository import Repository

FOLDER = "clusters/"
_MAX_FILE = 1 << 20  # bytes


class _Text(str):
    """A text of several lines, written as a block."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Writes ``_Text`` as a block."""


_Dumper.add_representer(
    _Text, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")
)


def branch_of(name: str) -> str:
    """The branch of a cluster's proposal."""
    return f"refs/heads/join/{name}"


def leaving_branch_of(name: str) -> str:
    """The branch that proposes to remove a cluster's registration."""
    return f"refs/heads/leave/{name}"


def path_of(name: str) -> str:
    """The file of a cluster's registration."""
    return f"{FOLDER}{name}.yaml"


def registered_in(snapshot: Snapshot) -> tuple[str, ...]:
    """The names that a commit registers, by its files alone."""
    names = (path for path in snapshot.files if path.startswith(FOLDER) and path.endswith(".yaml"))
    return tuple(path.removeprefix(FOLDER).removesuffix(".yaml") for path in names)


def registration(
    request: JoinRequest, labels: Mapping[str, str], version: str, logins: Mapping[str, Json]
) -> bytes:
    """The file's bytes; ``version`` is the API server's ("v1.36.3"), ``logins`` the spec's credentials."""
    spec: dict[str, object] = {"apiServers": list(request.servers)}
    if request.ca_bundle:
        spec["caBundle"] = _Text(request.ca_bundle.strip() + "\n")
    if request.server_name:
        spec["tlsServerName"] = request.server_name
    spec |= logins
    spec["kubernetesVersion"] = ".".join(version.removeprefix("v").split(".")[:2])
    metadata: dict[str, object] = {"name": request.name}
    if labels:
        metadata["labels"] = dict(sorted(labels.items()))
    document = {"apiVersion": API_VERSION, "kind": "Cluster", "metadata": metadata, "spec": spec}
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=False).encode()


@dataclass(frozen=True, slots=True)
class Standing:
    """The fleet's ref at ``tip``: registered names with their API servers, and the proposal of one name."""

    tip: str
    servers: Mapping[str, frozenset[str]]
    proposed: str | None  # the commit on the name's own branch


def standing(repository: Repository, ref: str, name: str) -> Standing:
    """What the repository says now. Raises RepositoryError."""
    repository.fetch()
    tip = repository.resolve(ref)
    snapshot = repository.snapshot(tip)
    servers = {name: _servers(snapshot.read(path_of(name))) for name in registered_in(snapshot)}
    return Standing(tip, servers, repository.branch(branch_of(name)))


def _servers(data: bytes) -> frozenset[str]:
    """The API servers that a file registers; none where it cannot be read: the gate refuses that one.

    The file may be anybody's, at a tip that nobody has judged.
    """
    servers: set[str] = set()
    for document in read(data).documents:
        with suppress(KeyError, TypeError):
            servers.update(str(url).rstrip("/") for url in document.value["spec"]["apiServers"])
    return frozenset(servers)


def require_unknown(request: JoinRequest, state: LogState, now: Standing, repository: Repository) -> None:
    """The cluster is neither registered nor proposed under another name. Raises ClusterKnownError."""
    name = request.name
    mine = {url.rstrip("/") for url in request.servers}
    for other, urls in now.servers.items():
        if other != name and (request.uid in uids_of(state, other) or mine & urls):
            raise ClusterKnownError("this cluster is registered already", got=other, where=path_of(other))
    for other in _begun(state, request) - {name}:
        if repository.branch(branch_of(other)):
            raise ClusterKnownError("this cluster is proposed already", got=other, where=branch_of(other))


def uids_of(state: LogState, name: str) -> set[str]:
    """The clusters that this name stands for: what was before its last join or kick counts no more."""
    membership = state.membership
    intent, joined, kicked = (
        state.cluster(name).intent,
        membership.joined.get(name),
        membership.kicked.get(name),
    )
    left = (kicked.left or 0) if kicked else 0
    since = max(left, joined.index if joined else 0)
    uids = {intent.cluster_uid} if intent and intent.index >= since else set()
    return uids | ({joined.cluster_uid} if joined and joined.index > left else set())


def _begun(state: LogState, request: JoinRequest) -> set[str]:
    """The names under which this cluster has begun to join."""
    membership = state.membership
    joined = {name for name, one in membership.joined.items() if one.cluster_uid == request.uid}
    used = {one.used_by for one in membership.tokens.values() if one.used_uid == request.uid}
    return (joined | used) - {name for name, one in membership.kicked.items() if one.left is not None}
