"""The typed entries of the log and their exact bytes (schema ``schemas/log/entry-v1.json``).

Rules: an entry is one JSON object in canonical bytes (sorted keys, no spaces, UTF-8), below 64 KiB,
with exactly the fields of its kind; ``decode`` takes only bytes that ``encode`` would write. Lists are
cut to the first 50 with the full count beside; what is long goes into a body, named by its digest.
Entries are made without a time: the log stamps them when they are appended.

>>> from datetime import UTC, datetime
>>> entry = Drift(actor="ci", cluster="a", commit="0" * 40, objects=("Role shop/x",), count=1)
>>> data = encode(stamp(entry, datetime(2026, 1, 2, tzinfo=UTC)))
>>> data[:60]
b'{"actor":"ci","cluster":"a","commit":"0000000000000000000000'
>>> decode(data) == stamp(entry, datetime(2026, 1, 2, tzinfo=UTC))
True
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any, ClassVar, Self, TypeVar

import orjson

from reconciler.audit import fields as f
from reconciler.audit.codes import EntryError
from reconciler.audit.entry_base import Entry
from reconciler.audit.entry_membership import (
    Demoted,
    JoinRefused,
    MemberJoined,
    MemberKicked,
    MemberLeft,
    Promoted,
    TokenCreated,
    TokenRevoked,
    TokenUsed,
)
from reconciler.audit.outcomes import OUTCOMES_SCHEMA, outcomes_body
from reconciler.audit.parts import (
    NO_RESULTS,
    Failure,
    FindingNote,
    GateSummary,
    OutcomeResult,
    PlanCounts,
    ResultCounts,
    first_findings,
)
from reconciler.audit.tiles import MAX_ENTRY
from reconciler.model import Finding, Json, ObjectOutcome, ObjectRef

__all__ = [  # with the records that entries are made of
    "KINDS",
    "OUTCOMES_SCHEMA",
    "SCHEMA",
    "AnyEntry",
    "CommitAccepted",
    "CommitRefused",
    "CredentialIssued",
    "CredentialRenewed",
    "CredentialRole",
    "Demoted",
    "Drift",
    "Entry",
    "Failure",
    "FindingNote",
    "GateSummary",
    "Intent",
    "JoinRefused",
    "KeyRotated",
    "MemberJoined",
    "MemberKicked",
    "MemberLeft",
    "MemberRefused",
    "Outcome",
    "OutcomeResult",
    "PlanCounts",
    "Promoted",
    "ResultCounts",
    "RotationReason",
    "TokenCreated",
    "TokenRevoked",
    "TokenUsed",
    "TrustInitialized",
    "decode",
    "digest_of",
    "encode",
    "is_digest",
    "outcomes_body",
    "stamp",
    "to_json",
]
SCHEMA = "fleetward.io/log-entry/v1"


def digest_of(body: bytes) -> str:
    """``sha256:<hex>``: the name under which a body is kept."""
    return f"sha256:{sha256(body).hexdigest()}"


def is_digest(text: str) -> bool:
    """True for ``sha256:<64 hex digits>``."""
    return re.fullmatch("sha256:[0-9a-f]{64}", text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustInitialized(Entry):
    """A person named the first commit: repository, ref and the log's key are pinned from here on."""

    kind: ClassVar[str] = "trust-initialized"
    commit: f.CommitId
    repository: f.Long
    ref: f.Long
    public_key: f.Long  # the log's vkey
    root_version: f.Number = 0  # of the trust root in this commit; 0 if it has none


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitAccepted(Entry):
    """``commit`` passed verification and the gate; ``commits`` were judged since ``previous``.

    ``root_version`` is that of the trust root in force from here on; ``provenance`` names a body with every
    judged commit's signer, key, rules and approvals (``provenance``), "" if there is none.
    """

    kind: ClassVar[str] = "commit-accepted"
    commit: f.CommitId
    tree: f.CommitId
    previous: f.MaybeCommit
    ref: f.Long
    commits: f.Number
    signers: Annotated[tuple[str, ...], f.listing(f.text(256), 100)]
    gate: Annotated[GateSummary, f.record(GateSummary)]
    root_version: f.Number = 0
    provenance: f.MaybeDigest = ""

    def body_digests(self) -> tuple[str, ...]:
        return (self.provenance,) if self.provenance else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitRefused(Entry):
    """``commit`` was refused; the first 50 of ``count`` findings."""

    kind: ClassVar[str] = "commit-refused"
    commit: f.CommitId
    previous: f.MaybeCommit
    findings: Annotated[tuple[FindingNote, ...], f.listing(f.record(FindingNote), f.FIRST)]
    count: f.Number

    @classmethod
    def of(cls, *, actor: str, commit: str, previous: str, findings: Sequence[Finding]) -> Self:
        """From all findings of the refusal."""
        notes = first_findings(findings)
        return cls(actor=actor, commit=commit, previous=previous, findings=notes, count=len(findings))


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRefused(Entry):
    """Nothing was sent to a member: the first 50 of ``count`` findings.

    The gate or a guard refused its plan, or its record, identity or change set is not believed.
    ``cluster_uid`` is "" where the member was not identified, ``gate`` None where no gate judged.
    """

    kind: ClassVar[str] = "member-refused"
    cluster: f.Name
    cluster_uid: f.MaybeName = ""
    commit: f.CommitId
    findings: Annotated[tuple[FindingNote, ...], f.listing(f.record(FindingNote), f.FIRST)]
    count: f.Number
    gate: Annotated[GateSummary | None, f.optional(f.record(GateSummary))] = None

    @classmethod
    def of(
        cls, *, actor: str, cluster: str, commit: str, findings: Sequence[Finding], cluster_uid: str = "",
        gate: GateSummary | None = None,
    ) -> Self:  # fmt: skip
        """From all findings of the refusal; ``cluster_uid`` as the member said it."""
        return cls(
            actor=actor, cluster=cluster, cluster_uid=f.clip(cluster_uid, 256), commit=commit,
            findings=first_findings(findings), count=len(findings), gate=gate,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent(Entry):
    """A signed change set is about to be applied; ``change_set`` is the digest of its body.

    ``gate`` is the policy decision on the plan; its verdict was "allowed", or there would be no intent.
    """

    kind: ClassVar[str] = "intent"
    cluster: f.Name
    cluster_uid: f.Name
    commit: f.CommitId
    change_set: f.Digest
    sequence: f.Number
    counts: Annotated[PlanCounts, f.record(PlanCounts)]
    gate: Annotated[GateSummary, f.record(GateSummary)]

    def body_digests(self) -> tuple[str, ...]:
        return (self.change_set,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Entry):
    """What became of the intent at index ``intent``; ``body`` names all objects' outcomes, "" if none."""

    kind: ClassVar[str] = "outcome"
    cluster: f.Name
    intent: f.Number
    result: Annotated[OutcomeResult, f.choice(OutcomeResult)]
    error: f.Message = ""
    counts: Annotated[ResultCounts, f.record(ResultCounts)] = NO_RESULTS
    failures: Annotated[tuple[Failure, ...], f.listing(f.record(Failure), f.FIRST)] = ()
    body: f.MaybeDigest = ""

    def body_digests(self) -> tuple[str, ...]:
        return (self.body,) if self.body else ()

    @classmethod
    def of(
        cls, *, actor: str, cluster: str, intent: int, result: OutcomeResult,
        outcomes: Sequence[ObjectOutcome] = (), error: str = "",
    ) -> tuple[Self, dict[str, bytes]]:  # fmt: skip
        """The entry, and its body for ``Log.append``, from all objects' outcomes."""
        body = outcomes_body(outcomes)
        results = [x.result.value for x in outcomes]
        failed = [x for x in outcomes if x.error][: f.FIRST]
        entry = cls(
            actor=actor, cluster=cluster, intent=intent, result=result, error=f.clip(error, 512),
            counts=ResultCounts(**{name: results.count(name) for name in set(results)}),
            failures=tuple(Failure(f.clip(str(x.ref), 512), f.clip(x.error, 512)) for x in failed),
            body=digest_of(body) if outcomes else "",
        )  # fmt: skip
        return entry, {entry.body: body} if outcomes else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift(Entry):
    """Objects on a member that were not as ``commit`` has them: the first 50 of ``count``."""

    kind: ClassVar[str] = "drift"
    cluster: f.Name
    commit: f.CommitId
    objects: Annotated[tuple[str, ...], f.listing(f.text(512), f.FIRST)]
    count: f.Number

    @classmethod
    def of(cls, *, actor: str, cluster: str, commit: str, objects: Sequence[ObjectRef]) -> Self:
        """From all drifted objects."""
        names = tuple(f.clip(str(ref), 512) for ref in objects[: f.FIRST])
        return cls(actor=actor, cluster=cluster, commit=commit, objects=names, count=len(objects))


class RotationReason(StrEnum):
    """Why the log's key was replaced."""

    ROTATION = "rotation"  # in its time: what the old key signed is believed as before
    COMPROMISE = "compromise"  # others may have it: members' records by it are believed no more
    LOSS = "loss"  # nobody has it any more, so it could not sign for its successor


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotated(Entry):
    """The log's key was replaced; only ``new_key`` signs from here on. See ``rotation``.

    ``root`` is that of the tree before this entry; ``signatures`` are the signed-note lines of new and old
    key under ``rotation.statement``, that of the old key only where it was not lost.
    """

    kind: ClassVar[str] = "key-rotated"
    old_key: f.Long  # vkey
    new_key: f.Long  # vkey
    reason: Annotated[RotationReason, f.choice(RotationReason)]
    root: Annotated[str, f.matching("[0-9a-f]{64}", "a root")]
    signatures: Annotated[tuple[str, ...], f.listing(f.text(512), 2)]


class CredentialRole(StrEnum):
    """Whose rights on a member a credential has."""

    VIEWER = "viewer"  # federation-viewer: reads
    ADMIN = "admin"  # the reconciler's own account: writes


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRenewed(Entry):
    """The reconciler replaced a credential of its own on a member by a new one; never the credential itself.

    ``audit_id`` is that of the TokenRequest in the member's own audit log.
    """

    kind: ClassVar[str] = "credential-renewed"
    cluster: f.Name
    cluster_uid: f.Name
    role: Annotated[CredentialRole, f.choice(CredentialRole)]
    expires: Annotated[datetime, f.TIME]
    audit_id: f.Name


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialIssued(Entry):
    """``actor`` was given a short-lived credential for a member, to use by himself; never the credential."""

    kind: ClassVar[str] = "credential-issued"
    cluster: f.Name
    cluster_uid: f.Name
    role: Annotated[CredentialRole, f.choice(CredentialRole)]
    expires: Annotated[datetime, f.TIME]
    audit_id: f.Name


KINDS: dict[str, type[Entry]] = {
    kind.kind: kind
    for kind in (
        TrustInitialized,
        CommitAccepted,
        CommitRefused,
        MemberRefused,
        Intent,
        Outcome,
        Drift,
        KeyRotated,
        CredentialRenewed,
        CredentialIssued,
        Promoted,
        Demoted,
        TokenCreated,
        TokenUsed,
        TokenRevoked,
        JoinRefused,
        MemberJoined,
        MemberKicked,
        MemberLeft,
    )
}
AnyEntry = TypeVar("AnyEntry", bound=Entry)


def stamp(entry: AnyEntry, now: datetime) -> AnyEntry:
    """The entry with a time: its own, or ``now`` cut to milliseconds."""
    moment = entry.time or now
    return replace(entry, time=moment.replace(microsecond=moment.microsecond // 1000 * 1000))


def to_json(entry: Entry) -> dict[str, Json]:
    """The entry as a JSON object."""
    return {"schema": SCHEMA, "kind": entry.kind, **f.write_fields(entry)}


def encode(entry: Entry) -> bytes:
    """The entry's canonical bytes. Raises EntryError for a field out of bounds, or 64 KiB and more."""
    try:
        value = to_json(entry)
        _from_json(value)  # whoever reads it must be able to
        data = f.canonical(value)
    except ValueError as error:
        raise EntryError(f"a {entry.kind} entry cannot be written: {error}") from error
    if len(data) > MAX_ENTRY:
        raise EntryError(
            f"a {entry.kind} entry is too long", expected=f"at most {MAX_ENTRY} bytes", got=f"{len(data)}",
            hint="put what is long into a body",
        )  # fmt: skip
    return data


def decode(data: bytes) -> Entry:
    """The entry of its canonical bytes. Raises EntryError for anything that ``encode`` would not write."""
    try:
        value = orjson.loads(data)
        entry = _from_json(value)
        canonical = f.canonical(value)
    except ValueError as error:
        raise EntryError(f"not a log entry: {error}", hint="upgrade, or treat the log as damaged") from error
    if canonical != data:
        raise EntryError("not a log entry: not in canonical form", hint="treat the log as damaged")
    return entry


def _from_json(value: Any) -> Entry:
    if not isinstance(value, dict) or value.pop("schema", None) != SCHEMA:
        raise ValueError(f"the schema is not {SCHEMA}")
    name = value.pop("kind", None)
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"unknown kind {name!r:.60}")
    entry: Entry = f.read_fields(kind, value)
    value |= {"schema": SCHEMA, "kind": name}
    return entry
