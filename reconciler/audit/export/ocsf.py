"""OCSF 1.3.0 events (schema.ocsf.io), one JSON object a line: what a SIEM takes without a parser of ours.

| entry | class | activity |
|---|---|---|
| trust-initialized | 3004 Entity Management | 1 Create, of the trust root |
| commit-accepted, commit-refused | 3004 Entity Management | 3 Update, of the trusted commit; status |
| key-rotated | 3004 Entity Management | 3 Update, of the log's key |
| credential-renewed | 3004 Entity Management | 3 Update, of the reconciler's credential |
| credential-issued | 3004 Entity Management | 1 Create, of a credential |
| intent | 6003 API Activity | 99 Intent |
| outcome | 6003 API Activity | 99 Outcome, and one event an object: 1 Create, 3 Update, 4 Delete |
| member-refused, drift | 2003 Compliance Finding | 1 Create |

- 1.3.0 is the oldest version that has what is needed here; later ones of major version 1 take its events.
- ``metadata.uid`` is ``<origin>#<index>``, of an object ``<origin>#<index>.<n>`` with n from 1: each entry is
  there exactly once, so that a consumer sees a gap. ``metadata.correlation_uid`` is the intent's.
- ``api.request.uid`` of an object is the Audit-ID, which the member's own audit log has too.
- What OCSF has no place for stands in ``unmapped``: the whole entry, and its leaf hash.

>>> sorted(EVENTS)[:2]
['commit-accepted', 'commit-refused']
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from reconciler.audit.entry import (
    CommitAccepted,
    CommitRefused,
    CredentialIssued,
    CredentialRenewed,
    CredentialRole,
    Drift,
    FindingNote,
    Intent,
    KeyRotated,
    MemberRefused,
    Outcome,
    OutcomeResult,
    RotationReason,
    TrustInitialized,
)
from reconciler.audit.export import membership
from reconciler.audit.export.ocsf_base import (
    COMPLIANCE,
    CREATE,
    CRITICAL,
    ENTITY,
    FAILURE,
    HIGH,
    INFORMATIONAL,
    MEDIUM,
    OTHER,
    SUCCESS,
    UPDATE,
    Event,
    api,
    base,
    finding,
    status,
)
from reconciler.audit.export.ocsf_objects import object_events
from reconciler.audit.export.rows import Row
from reconciler.audit.fields import write_time


def lines(rows: Iterator[Row]) -> Iterator[bytes]:
    """One line an event."""
    for row in rows:
        for event in events(row):
            yield orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE)


def events(row: Row) -> Iterator[Event]:
    """The event of an entry, then those of its objects."""
    yield EVENTS[row.entry.kind](row, row.entry)
    if isinstance(row.entry, Outcome):
        yield from object_events(row, row.entry)


def _entity(kind: str, uid: str, name: str, **more: Any) -> Event:
    return {"type": kind, "type_id": OTHER, "uid": uid, "name": name, **more}


def _trust_initialized(row: Row, entry: TrustInitialized) -> Event:
    root = _entity("trust root", entry.commit, entry.repository, version=str(entry.root_version))
    return base(row, ENTITY, CREATE) | status(SUCCESS) | {"entity": root, "comment": entry.ref}


def _commit_accepted(row: Row, entry: CommitAccepted) -> Event:
    commit = _entity("commit", entry.commit, entry.ref, version=str(entry.root_version))
    message = f"{entry.commits} commits accepted, signed by {', '.join(entry.signers)}"
    return base(row, ENTITY, UPDATE, message=message) | status(SUCCESS) | {"entity": commit}


def _commit_refused(row: Row, entry: CommitRefused) -> Event:
    event = base(row, ENTITY, UPDATE, severity=MEDIUM, message=f"commit {entry.commit} was refused")
    commit = _entity("commit", entry.commit, entry.commit)
    return event | status(FAILURE, _first(entry.findings)) | {"entity": commit}


def _key_rotated(row: Row, entry: KeyRotated) -> Event:
    severity = {RotationReason.COMPROMISE: CRITICAL, RotationReason.LOSS: HIGH}.get(entry.reason, MEDIUM)
    event = base(row, ENTITY, UPDATE, severity=severity, message=f"key replaced: {entry.reason}")
    old, new = (_entity("log key", key, row.origin) for key in (entry.old_key, entry.new_key))
    return event | status(SUCCESS) | {"entity": old, "entity_result": new, "comment": entry.reason.value}


def _credential_renewed(row: Row, entry: CredentialRenewed) -> Event:
    message = f"credential for {entry.cluster} renewed until {write_time(entry.expires)}"
    return base(row, ENTITY, UPDATE, message=message) | status(SUCCESS) | {"entity": _credential(entry)}


def _credential_issued(row: Row, entry: CredentialIssued) -> Event:
    severity = MEDIUM if entry.role is CredentialRole.ADMIN else INFORMATIONAL
    message = f"credential for {entry.cluster} issued until {write_time(entry.expires)}"
    event = base(row, ENTITY, CREATE, severity=severity, message=message)
    return event | status(SUCCESS) | {"entity": _credential(entry)}


def _credential(entry: CredentialRenewed | CredentialIssued) -> Event:
    return _entity("credential", entry.audit_id, f"{entry.cluster} {entry.role.value}")


def _intent(row: Row, entry: Intent) -> Event:
    message = f"change set {entry.sequence} is about to be applied to {entry.cluster}"
    return api(
        row, OTHER, entry.cluster, "apply", entry.change_set, name="Intent", message=message,
        cluster_uid=entry.cluster_uid,
    ) | status(SUCCESS)  # fmt: skip


def _outcome(row: Row, entry: Outcome) -> Event:
    good = entry.result is OutcomeResult.APPLIED
    message = f"the change set of intent {entry.intent} was {entry.result.value}"
    event = api(
        row, OTHER, entry.cluster, "apply", f"{row.origin}#{entry.intent}", name="Outcome", message=message,
        correlation=f"{row.origin}#{entry.intent}", severity=INFORMATIONAL if good else HIGH,
    )  # fmt: skip
    return event | status(SUCCESS if good else FAILURE, entry.error)


def _member_refused(row: Row, entry: MemberRefused) -> Event:
    title = f"nothing was sent to {entry.cluster}: {_first(entry.findings)}"
    control = entry.findings[0].code if entry.findings else ""
    cluster = {"name": entry.cluster, "type": "Cluster"}
    if entry.cluster_uid:
        cluster["uid"] = entry.cluster_uid
    return base(row, COMPLIANCE, CREATE, severity=MEDIUM) | finding(row, title, control, [cluster])


def _drift(row: Row, entry: Drift) -> Event:
    title = f"{entry.count} objects on {entry.cluster} are not as the accepted commit has them"
    objects = [{"name": name, "group": {"name": entry.cluster}} for name in entry.objects]
    cluster = [{"name": entry.cluster, "type": "Cluster"}]
    return base(row, COMPLIANCE, CREATE, severity=MEDIUM) | finding(row, title, "drift", objects or cluster)


def _first(notes: tuple[FindingNote, ...]) -> str:
    return f"{notes[0].code}: {notes[0].message}" if notes else ""


EVENTS: Mapping[str, Callable[[Row, Any], Event]] = {
    TrustInitialized.kind: _trust_initialized,
    CommitAccepted.kind: _commit_accepted,
    CommitRefused.kind: _commit_refused,
    MemberRefused.kind: _member_refused,
    Intent.kind: _intent,
    Outcome.kind: _outcome,
    Drift.kind: _drift,
    KeyRotated.kind: _key_rotated,
    CredentialRenewed.kind: _credential_renewed,
    CredentialIssued.kind: _credential_issued,
    **membership.EVENTS,
}
