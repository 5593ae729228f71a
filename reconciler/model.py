"""The few values that cross rooms. All are frozen; none does I/O, reads a clock or the environment.

An object on a cluster is named by ``ObjectRef`` (without its version: versions of one kind are views
of one object). What a member should have is ``Desired``; what it has is ``Observation``; the step
between them is a ``plan.Plan``.

>>> ObjectRef("rbac.authorization.k8s.io", "Role", "shop", "reader")
ObjectRef(group='rbac.authorization.k8s.io', kind='Role', namespace='shop', name='reader')
>>> str(_)
'Role.rbac.authorization.k8s.io shop/reader'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, NewType, Protocol

ClusterName = NewType("ClusterName", str)
Json = Any  # a value as JSON has it: dict with str keys, list, str, int, float, bool, None
Clock = Callable[[], datetime]  # timezone-aware, UTC

API_VERSION = "fleetward.io/v1alpha1"
FIELD_MANAGER = "fleetward"
MEMBER_NAMESPACE = "federation-system"
PRIMARY_NAMESPACE = "fleetward-system"  # on the primary: what fleetward keeps of its members
RECONCILER_USER = "system:serviceaccount:federation-system:federation-reconciler"
PARENT_NAME = "fleetward"  # the ApplySet parent: a ConfigMap of this name in MEMBER_NAMESPACE
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_PART_OF = "applyset.kubernetes.io/part-of"
ANNOTATION_SOURCE = "fleetward.io/source"
ANNOTATION_DIGEST = "fleetward.io/digest"
# KEP-3659: "applyset-" + base64url(sha256("<name>.<namespace>.<kind>.<group>")) + "-v1",
# for name PARENT_NAME, namespace MEMBER_NAMESPACE, kind ConfigMap and the core group (checked by a test).
APPLYSET_ID = "applyset-nMQ8kJWj-5UIBuiLXMlKXuvQnA0JOx8GdSVqz9XPtRg-v1"


class Severity(StrEnum):
    """``ERROR`` stops the commit; ``WARNING`` is shown."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class SourceRef:
    """A place in the repository; ``line`` counts from 1, 0 means the whole file."""

    path: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about a document, commit or object that a person should mend."""

    code: str
    message: str
    source: SourceRef | None = None
    severity: Severity = Severity.ERROR
    subject: str = ""  # "FederatedRole/viewer", "member-a/Role.rbac shop/reader", a commit
    rule: str = ""  # the gate rule or schema keyword that spoke
    expected: str = ""
    got: str = ""
    hint: str = ""


class ObjectRef(NamedTuple):
    """The identity of a Kubernetes object; ``group`` is "" for core, ``namespace`` "" when cluster-scoped.

    A tuple, since a drift check makes and compares tens of thousands of them.
    """

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        kind = f"{self.kind}.{self.group}" if self.group else self.kind
        return f"{kind} {self.namespace}/{self.name}" if self.namespace else f"{kind} {self.name}"


class Blobs(Protocol):
    """Port to file contents by Git blob id (40 or 64 hex digits)."""

    def read(self, blob: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A commit's files: path -> blob id, sorted by path. Only regular files; contents are read on demand."""

    commit: str  # "" for a work tree
    tree: str
    files: Mapping[str, str]
    blobs: Blobs

    def read(self, path: str) -> bytes:
        """The file's bytes. Raises RepositoryError for a path that the snapshot does not have."""
        return self.blobs.read(self.files[path])


@dataclass(frozen=True, slots=True)
class DesiredObject:
    """One object as it will be sent: ``body`` is canonical JSON (sorted keys, no spaces, UTF-8).

    ``digest`` is "sha256:<hex>" of the body before ``fleetward.io/digest`` was added to it.
    """

    ref: ObjectRef
    version: str  # "v1": with ref.group the apiVersion
    digest: str
    body: bytes
    source: SourceRef
    take_conflicts: bool = False  # annotation fleetward.io/conflict: take


@dataclass(frozen=True, slots=True)
class Desired:
    """Everything that one member should have, sorted by ref; ``digest`` covers all objects' digests."""

    cluster: ClusterName
    objects: tuple[DesiredObject, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the signed record on the member says of one object after we wrote it."""

    digest: str
    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True)
class Record:
    """The signed record on a member's ApplySet parent, its signature already verified."""

    cluster_uid: str
    commit: str
    desired_digest: str
    change_set: str  # "sha256:<hex>" of the DSSE envelope
    log_index: int  # of the intent entry of that change set
    sequence: int  # grows by one with every change set of the member
    objects: Mapping[ObjectRef, Recorded]


@dataclass(frozen=True, slots=True)
class LiveMeta:
    """One object as a metadata list shows it."""

    uid: str
    resource_version: str
    digest: str  # annotation fleetward.io/digest, "" if absent
    version: str = ""  # API version that it was listed in


@dataclass(frozen=True, slots=True)
class Probe:
    """What a dry-run apply of one object said: full bodies, without managedFields."""

    before: Json | None  # None: the object does not exist
    after: Json | None  # None: refused
    conflict: str = ""  # field managers and fields, as the API server names them
    error: str = ""  # any other refusal, e.g. 422


@dataclass(frozen=True, slots=True)
class Observation:
    """What a member has, as far as a plan needs it."""

    cluster_uid: str
    record: Record | None
    live: Mapping[ObjectRef, LiveMeta]  # everything that carries our ApplySet label
    probes: Mapping[ObjectRef, Probe]  # only where record and live could not tell
    requests: int  # HTTP requests spent


class Signer(Protocol):
    """Port to an Ed25519 private key."""

    @property
    def public_key(self) -> bytes:
        """32 raw bytes (RFC 8032)."""
        ...

    def sign(self, message: bytes) -> bytes:
        """64 raw bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate said: its digest, how many rules were evaluated, and the findings."""

    gate_digest: str
    rules: int
    findings: tuple[Finding, ...] = field(default=())

    @property
    def allowed(self) -> bool:
        """True when at least one rule was evaluated and none denied."""
        return self.rules > 0 and not any(f.severity is Severity.ERROR for f in self.findings)


class ObjectResult(StrEnum):
    """What became of one object in an apply."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DELETED = "deleted"
    FAILED = "failed"
    SKIPPED = "skipped"  # something that it needs failed first


@dataclass(frozen=True, slots=True)
class ObjectOutcome:
    """The typed outcome of one object; ``audit_id`` is the Audit-ID header we sent."""

    ref: ObjectRef
    result: ObjectResult
    uid: str = ""
    resource_version: str = ""
    digest: str = ""
    audit_id: str = ""
    error: str = ""  # "FW17xx: ..." when failed
