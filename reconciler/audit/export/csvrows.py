"""CSV (RFC 4180): a header, one row an entry, and below an outcome one row for each of its objects.

- The header never changes; columns are only added at its end.
- A cell that a spreadsheet would take for a formula (it begins with ``=``, ``+``, ``-``, ``@``, a tab or a
  line break) gets an apostrophe before it. Who parses the file by program takes that one off again.
- An object's row has the kind ``outcome.object`` and the index of its outcome.

>>> harmless("=HYPERLINK(1)"), harmless("member-a")
("'=HYPERLINK(1)", 'member-a')
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from reconciler.audit import fields as f
from reconciler.audit.entry import (
    CommitAccepted,
    CommitRefused,
    CredentialIssued,
    CredentialRenewed,
    Drift,
    FindingNote,
    Intent,
    KeyRotated,
    MemberRefused,
    Outcome,
    TrustInitialized,
)
from reconciler.audit.export import membership
from reconciler.audit.export.rows import Row
from reconciler.audit.outcomes import ObjectRow

HEADER = (
    "index", "time", "kind", "actor", "cluster", "commit", "subject", "result", "count", "digest", "audit_id",
    "object_uid", "message", "leaf_hash",
)  # fmt: skip
OBJECT = "outcome.object"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
Cells = dict[str, str | int]


def harmless(cell: str) -> str:
    """The cell, so that no spreadsheet computes it."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def lines(rows: Iterator[Row]) -> Iterator[bytes]:
    """The header, then the rows, each ending in CR LF; UTF-8."""
    yield _line(HEADER)
    for row in rows:
        entry = row.entry
        cells: Cells = {
            "index": row.index,
            "time": f.write_time(row.time),
            "kind": entry.kind,
            "actor": entry.actor,
            "cluster": getattr(entry, "cluster", ""),
            "commit": getattr(entry, "commit", ""),
            "leaf_hash": row.leaf.hex(),
        }
        yield _cells(cells | CELLS[entry.kind](entry))
        for item in row.objects:
            yield _cells(cells | {"kind": OBJECT} | _object(item))


def _cells(cells: Cells) -> bytes:
    return _line([cells.get(name, "") for name in HEADER])


def _line(cells: Sequence[str | int]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow([cell if isinstance(cell, int) else harmless(cell) for cell in cells])
    return text.getvalue().encode()


def _object(row: ObjectRow) -> Cells:
    return {
        "subject": row.object,
        "result": row.result.value,
        "digest": row.digest,
        "audit_id": row.audit_id,
        "object_uid": row.uid,
        "message": row.error,
    }


def _trust_initialized(entry: TrustInitialized) -> Cells:
    return {"subject": entry.repository, "message": f"{entry.ref}, log key {entry.public_key}"}


def _commit_accepted(entry: CommitAccepted) -> Cells:
    signers = f"signed by {', '.join(entry.signers)}"
    return {"subject": entry.ref, "count": entry.commits, "digest": entry.gate.digest, "message": signers}


def _refused(entry: CommitRefused | MemberRefused) -> Cells:
    notes: tuple[FindingNote, ...] = entry.findings
    first = f"{notes[0].code}: {notes[0].message}" if notes else ""
    subject = notes[0].subject if notes else ""
    return {"subject": subject, "result": "refused", "count": entry.count, "message": first}


def _intent(entry: Intent) -> Cells:
    plan = entry.counts
    message = f"change set {entry.sequence}: create {plan.create}, update {plan.update}, delete {plan.delete}"
    count = plan.create + plan.update + plan.delete
    return {"subject": entry.cluster_uid, "count": count, "digest": entry.change_set, "message": message}


def _outcome(entry: Outcome) -> Cells:
    message = f"intent {entry.intent}{': ' if entry.error else ''}{entry.error}"
    count = sum(f.write_fields(entry.counts).values())
    return {"result": entry.result.value, "count": count, "digest": entry.body, "message": message}


def _drift(entry: Drift) -> Cells:
    first = entry.objects[0] if entry.objects else ""
    return {"subject": first, "count": entry.count, "message": ", ".join(entry.objects)}


def _key_rotated(entry: KeyRotated) -> Cells:
    return {"subject": entry.old_key, "result": entry.reason.value, "message": entry.new_key}


def _credential(entry: CredentialRenewed | CredentialIssued) -> Cells:
    return {
        "subject": entry.cluster_uid,
        "result": entry.role.value,
        "audit_id": entry.audit_id,
        "message": f"until {f.write_time(entry.expires)}",
    }


CELLS: Mapping[str, Callable[[Any], Cells]] = {
    TrustInitialized.kind: _trust_initialized,
    CommitAccepted.kind: _commit_accepted,
    CommitRefused.kind: _refused,
    MemberRefused.kind: _refused,
    Intent.kind: _intent,
    Outcome.kind: _outcome,
    Drift.kind: _drift,
    KeyRotated.kind: _key_rotated,
    CredentialRenewed.kind: _credential,
    CredentialIssued.kind: _credential,
    **membership.CELLS,
}
