"""What the bodies of an entry say: the change set of an intent, the objects of an outcome, a provenance.

Rules: a body is read by its digest, which the signed checkpoint vouches for; here it is decoded, bounded,
and its own signature is not verified (``trust.open_change_set`` does that). A body that is not of the form
that its entry says raises ``BodyFormatError``.

>>> objects_of(b'{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[]}')
Traceback (most recent call last):
reconciler.audit.codes.BodyFormatError: FW1850: not a change set. To fix: upgrade, or treat the log as damaged
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import orjson

from reconciler.audit import fields as f
from reconciler.audit.codes import BodyError, BodyFormatError
from reconciler.audit.entry import CommitAccepted, Entry, Intent, Outcome
from reconciler.audit.outcomes import OUTCOMES_SCHEMA, read_outcomes
from reconciler.audit.provenance import PROVENANCE_SCHEMA, read_provenance
from reconciler.model import Json, ObjectRef

CHANGE_SET = "https://fleetward.io/change-set/v1"  # its in-toto predicate type
MAX_OBJECTS = 100_000


class Bodies(Protocol):
    """Where bodies are read: ``LogView``."""

    def body(self, digest: str) -> bytes:
        """The body filed under ``sha256:<hex>``. Raises BodyError."""
        ...


@dataclass(frozen=True, slots=True)
class DecodedBody:
    """A body of ``size`` bytes; ``form`` names its schema, ``content`` is it as JSON, None if not decoded.

    ``problem`` says why it cannot be shown: missing, altered, or of another form.
    """

    digest: str
    form: str
    size: int
    content: Json
    problem: str = ""


def bodies_of(log: Bodies, entry: Entry) -> Iterator[DecodedBody]:
    """The entry's bodies, decoded; what is wrong with one does not hide the others."""
    for digest in entry.body_digests():
        data = b""
        try:
            data = log.body(digest)
            form, content = _decode(entry, data)
        except (BodyError, BodyFormatError) as error:
            yield DecodedBody(digest, "", len(data), None, str(error))
        else:
            yield DecodedBody(digest, form, len(data), content)


def _decode(entry: Entry, data: bytes) -> tuple[str, Json]:
    match entry:
        case Intent():
            return CHANGE_SET, change_set_statement(data)
        case Outcome():
            return OUTCOMES_SCHEMA, [f.write_fields(row) for row in read_outcomes(data)]
        case CommitAccepted():
            return PROVENANCE_SCHEMA, [f.write_fields(row) for row in read_provenance(data)]
    return "", None


def change_set_statement(envelope: bytes) -> Json:
    """The in-toto statement in a change set's DSSE envelope; its signature is not verified."""
    return _open(envelope)[0]


def objects_of(envelope: bytes) -> tuple[ObjectRef, ...]:
    """The objects of a change set. Raises BodyFormatError."""
    return _open(envelope)[1]


def _open(envelope: bytes) -> tuple[Json, tuple[ObjectRef, ...]]:
    try:
        payload = base64.b64decode(orjson.loads(envelope)["payload"], validate=True)
        statement = orjson.loads(payload)
        changes = statement["predicate"]["changes"]
        refs = tuple(_ref(change) for change in changes[:MAX_OBJECTS])
        whole = (
            statement["predicateType"] == CHANGE_SET
            and isinstance(changes, list)
            and len(refs) == len(changes)
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        statement, refs, whole = None, (), False
    if not whole:
        raise BodyFormatError("not a change set", hint="upgrade, or treat the log as damaged")
    return statement, refs


def _ref(change: Json) -> ObjectRef:
    named = change["object"]
    parts = [named[part] for part in ("group", "kind", "namespace", "name")]
    if not all(isinstance(part, str) for part in parts):
        raise TypeError("an object's name is not a text")
    return ObjectRef(*parts)
