"""One log entry with everything that belongs to it, as text and as JSON.

Text: the fields, one a line; then the leaf hash and the checkpoint that covers it; then each body, one line
an object or commit. JSON has the same, and the bodies' contents whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reconciler.audit.bodies import CHANGE_SET, DecodedBody
from reconciler.audit.checkpoint import parse_checkpoint_text
from reconciler.audit.entry import OUTCOMES_SCHEMA, Entry, to_json
from reconciler.audit.merkle import leaf_hash
from reconciler.audit.note import parse_note
from reconciler.audit.provenance import PROVENANCE_SCHEMA
from reconciler.model import Json, ObjectRef
from reconciler.surfaces.formats.findings import Paint, plain
from reconciler.surfaces.formats.safe import safe
from reconciler.surfaces.formats.words import counted

_NAMES = {CHANGE_SET: "change set", OUTCOMES_SCHEMA: "objects", PROVENANCE_SCHEMA: "commits"}
_SIGNS = {"create": "+", "update": "~", "delete": "-", "release": "="}


@dataclass(frozen=True, slots=True)
class Details:
    """``raw`` are the entry's exact bytes, ``checkpoint`` is the signed note of the log."""

    index: int
    entry: Entry
    raw: bytes
    checkpoint: bytes
    bodies: tuple[DecodedBody, ...]


def as_dict(details: Details) -> dict[str, Any]:
    """The JSON form: ``leafHash`` (RFC 6962) and ``root`` are hex."""
    note = parse_note(details.checkpoint)
    head = parse_checkpoint_text(note.text)
    return {
        "index": details.index,
        "entry": to_json(details.entry),
        "leafHash": leaf_hash(details.raw).hex(),
        "checkpoint": {
            "origin": head.origin,
            "size": head.size,
            "root": head.root.hex(),
            "note": details.checkpoint.decode(),
        },
        "bodies": [_body_dict(body) for body in details.bodies],
    }


def _body_dict(body: DecodedBody) -> dict[str, Any]:
    shown = {"digest": body.digest, "form": body.form, "size": body.size, "content": body.content}
    return shown | ({"problem": body.problem} if body.problem else {})


def text(details: Details, paint: Paint = plain) -> str:
    """For people; every text from outside is escaped."""
    shown = as_dict(details)
    head = shown["checkpoint"]
    fields = {name: value for name, value in shown["entry"].items() if name not in ("schema", "kind")}
    lines = [f"{paint(f'entry {details.index}', 'heading')}  {safe(details.entry.kind)}"]
    lines += [line for name, value in fields.items() for line in _field(name, value)]
    lines.append(_row("leaf hash", shown["leafHash"]))
    lines.append(_row("checkpoint", f"{safe(head['origin'])}, {head['size']} entries, root {head['root']}"))
    for body in details.bodies:
        lines += _body(body, paint)
    return "\n".join(lines) + "\n"


def _row(name: str, value: str) -> str:
    return f"  {name:<13} {value}"


def _field(name: str, value: Json) -> Iterator[str]:
    """A field; a list of records has a line each."""
    if isinstance(value, list):
        yield from (_row(name if at == 0 else "", _inline(item)) for at, item in enumerate(value))
    else:
        yield _row(name, _inline(value))


def _inline(value: Json) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_inline(one)}" for name, one in value.items())
    return "-" if value in ("", None) else safe(str(value))


def _body(body: DecodedBody, paint: Paint) -> Iterator[str]:
    name = _NAMES.get(body.form, "body")
    yield f"{paint(name, 'heading')}  {safe(body.digest)}, {counted(body.size, 'byte')}"
    if body.problem:
        yield f"  {paint('error', 'error')} {safe(body.problem)}"
    elif body.form == CHANGE_SET:
        yield from map(_change, body.content["predicate"]["changes"])
    elif body.form == OUTCOMES_SCHEMA:
        yield from map(_outcome, body.content)
    elif body.form == PROVENANCE_SCHEMA:
        yield from (line for row in body.content for line in _commit(row))


def _change(change: Json) -> str:
    named = change["object"]
    ref = ObjectRef(named["group"], named["kind"], named["namespace"], named["name"])
    digests = f"{change.get('before') or '-'} -> {change.get('after') or '-'}"
    return f"  {_SIGNS.get(str(change.get('action')), '?')} {safe(str(ref))}  {safe(digests)}"


def _outcome(row: Json) -> str:
    audit = f"  Audit-ID {safe(row['auditId'])}" if row["auditId"] else ""
    error = f"  {safe(row['error'])}" if row["error"] else ""
    return f"  {row['result']:<9} {safe(row['object'])}{audit}{error}"


def _commit(row: Json) -> Iterator[str]:
    by = f" of {safe(row['authority'])}" if row["authority"] else ""
    key = f"{row['method']} {safe(row['fingerprint'])}{by}"
    yield f"  {row['commit']}  {safe(row['signer'])} ({key}), first seen {row['firstSeen']}"
    for rule in row["rules"]:
        yield f"      rule {safe(rule)}"
    for approval in row["approvals"]:
        yield f"      approved by {safe(approval['name'])} ({safe(approval['fingerprint'])})"
