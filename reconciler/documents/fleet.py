"""The fleet as typed values: what every later step reads instead of YAML.

Rules kept here
- Everything is frozen; nothing does I/O, reads a clock or the environment.
- Times are ``timedelta``; names and labels are plain strings; ``body`` is JSON values and is never changed.
- Selectors mean exactly what Kubernetes' label selectors mean (``metav1.LabelSelector``): an empty one
  selects everything, all requirements must hold, ``NotIn`` holds when the key is absent.
- ``placement.clusters`` and ``placement.clusterSelector`` narrow each other: a cluster must satisfy both.

>>> placement = Placement(match_expressions=(Requirement("tier", "NotIn", ("edge",)),))
>>> placement.matches("member-a", {"environment": "prod"}), placement.matches("member-b", {"tier": "edge"})
(True, False)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, Protocol

from reconciler.documents.trust_root import TrustRoot
from reconciler.model import API_VERSION, MEMBER_NAMESPACE, RECONCILER_USER, ClusterName, Json, SourceRef

GROUP = API_VERSION.partition("/")[0]
DEFAULT_KUBERNETES_VERSION = "1.36"
DEFAULT_REF = "refs/heads/main"

Operator = Literal["In", "NotIn", "Exists", "DoesNotExist"]
Mode = Literal["enforce", "observe"]
CredentialStore = Literal["files", "secrets"]  # sealed files of this host; Secrets on the primary
Method = Literal["kubeconfig", "secretRef", "clientCertificate", "tokenFile", "exec"]


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML or JSON document; ``source.line`` is the line of its first key.

    ``digest`` is "<blob>#<index>" and names the document's content: same digest, same body.
    """

    api_version: str
    kind: str
    name: str
    namespace: str  # "" when cluster-scoped or not given
    body: dict[str, Json] = field(hash=False)
    source: SourceRef
    digest: str

    @property
    def group(self) -> str:
        """The API group, "" for core: "fleetward.io", "apps", ""."""
        return self.api_version.rpartition("/")[0]

    @property
    def subject(self) -> str:
        """How messages name the document: "FederatedRole/viewer", "ConfigMap/shop/settings"."""
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One matchExpressions item; ``values`` is empty for Exists and DoesNotExist."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """As ``labels.Requirement.Matches`` of k8s.io/apimachinery."""
        present = self.key in labels
        if self.operator == "In":
            return present and labels[self.key] in self.values
        if self.operator == "NotIn":
            return not present or labels[self.key] not in self.values
        return present if self.operator == "Exists" else not present


@dataclass(frozen=True, slots=True)
class Placement:
    """Which clusters get a document. ``clusters`` None: any name. The default places everywhere."""

    clusters: tuple[str, ...] | None = None
    match_labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    match_expressions: tuple[Requirement, ...] = ()

    def selects(self, cluster: Cluster) -> bool:
        """Whether this cluster is meant, by name and by labels."""
        return self.matches(cluster.name, cluster.labels)

    def matches(self, name: str, labels: Mapping[str, str]) -> bool:
        """The same for a name and labels without a Cluster."""
        if self.clusters is not None and name not in self.clusters:
            return False
        if any(labels.get(key) != value for key, value in self.match_labels.items()):
            return False
        return all(requirement.matches(labels) for requirement in self.match_expressions)


@dataclass(frozen=True, slots=True)
class Override:
    """A patch for some clusters: a dict is a JSON Merge Patch (RFC 7386), a list a JSON Patch (RFC 6902).

    ``selector.clusters`` is always None: an override selects by labels only.
    """

    selector: Placement
    patch: dict[str, Json] | list[Json] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to log in to a member, by reference only: exactly the fields of ``method`` are set.

    Paths are relative to the host's credentials directory, without "..".
    """

    method: Method
    path: str = ""  # kubeconfig, tokenFile
    context: str = ""  # kubeconfig; "" is the file's current context
    secret_namespace: str = MEMBER_NAMESPACE  # secretRef, on the primary
    secret_name: str = ""
    cert_file: str = ""  # clientCertificate
    key_file: str = ""
    argv: tuple[str, ...] = ()  # exec: command and arguments
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # exec: names and values


@dataclass(frozen=True, slots=True)
class Cluster:
    """One registered member; defaults of the Federation are already filled in."""

    name: ClusterName
    labels: Mapping[str, str] = field(hash=False)
    api_servers: tuple[str, ...]  # https URLs, tried in order
    ca_bundle: str  # PEM; "" for the system's trust store
    tls_server_name: str  # "" for the URL's host
    credentials: Credentials
    source: SourceRef
    username: str = RECONCILER_USER
    kubernetes_version: str = DEFAULT_KUBERNETES_VERSION  # "<major>.<minor>"
    interval: timedelta = timedelta(minutes=5)
    suspend: bool = False
    mode: Mode = "enforce"
    viewer_credentials: Credentials | None = None  # for what only reads


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a Cluster gets that does not say otherwise."""

    interval: timedelta = timedelta(minutes=5)
    mode: Mode = "enforce"
    kubernetes_version: str = DEFAULT_KUBERNETES_VERSION


@dataclass(frozen=True, slots=True)
class Limits:
    """Guards of plan and apply. ``max_deletions``: objects a run may delete on one member, or "10%"."""

    max_deletions: int | str = "10%"  # a percentage always allows at least 5
    apply_timeout: timedelta = timedelta(minutes=5)  # one member, one run
    request_timeout: timedelta = timedelta(seconds=10)  # one HTTP request


@dataclass(frozen=True, slots=True)
class GateSettings:
    """Where OPA is ("" starts a child process), how long one query may take, who may use wildcards."""

    url: str = ""
    timeout: timedelta = timedelta(seconds=10)
    wildcard_roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Federation:
    """federation.yaml."""

    name: str
    root: TrustRoot
    source: SourceRef
    defaults: Defaults = Defaults()
    limits: Limits = Limits()
    gate: GateSettings = GateSettings()
    exec_commands: tuple[tuple[str, ...], ...] = ()  # the only argv an exec credential may have
    token_life: timedelta = timedelta(hours=24)  # that renewed tokens are to have
    store: CredentialStore = "files"  # where the credentials of members that join are kept
    repository: str = ""  # pinned URL; "" pins none
    ref: str = DEFAULT_REF
    profiles: str = ""  # namespace of the ClusterProfiles on the primary; "" for none
    primary: str = ""  # name of the Cluster that is the primary; "" is the reconciler's own surroundings


class Validator(Protocol):
    """One compiled JSON Schema; each error has an ``instance_path``."""

    def errors(self, value: Json) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True)
class Fleet:
    """One commit of a fleet repository, read and checked."""

    commit: str  # "" for a work tree
    tree: str
    federation: Federation
    clusters: tuple[Cluster, ...]  # by name
    documents: tuple[Document, ...]  # all, Federation and Clusters included, by path and place in the file
    # Kind -> what its documents have to pass, the fleet's own schemas included: overrides are held to it too.
    schemas: Mapping[str, tuple[Validator, ...]] = field(default_factory=dict, compare=False, repr=False)

    def of_kind(self, kind: str) -> tuple[Document, ...]:
        """The fleetward documents of a kind: "FederatedRole". A foreign kind of that name is not meant."""
        return tuple(d for d in self.documents if d.kind == kind and d.group == GROUP)

    @property
    def manifests(self) -> tuple[Document, ...]:
        """The plain Kubernetes objects: everything that is not of our own group."""
        return tuple(d for d in self.documents if d.group != GROUP)
