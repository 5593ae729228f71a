"""What people say about a commit, signed: approvals and heartbeats.

Rules:
- A statement is an in-toto Statement v1 in canonical JSON, the text of a signed Git tag that points to its
  commit. So every way of signing that git knows works, and the tag proves itself (docs/decisions/0016).
- It names repository, ref and commit: it says nothing about another repository, branch or commit.
- An approval covers what its commit reaches and its ``base`` does not: what was there to be reviewed.
- A heartbeat says that the ref was at its commit, and until when that may be believed.

>>> text = write(Approval("git@git.example:fleet.git", "refs/heads/main", "1" * 40, base="0" * 40))
>>> read(text, Approval).base == "0" * 40
True
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, TypeVar

import orjson

from reconciler import dsse
from reconciler.trust.errors import StatementError

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
MAX_TEXT: Final = 64 << 10
_ID = re.compile(r"[0-9a-f]{40}\Z")
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody reviewed what ``commit`` has and ``base`` has not, for ``ref`` of ``repository``."""

    predicate_type: ClassVar[str] = "https://fleetward.io/approval/v1"
    repository: str
    ref: str
    commit: str
    base: str


@dataclass(frozen=True, slots=True)
class HeartbeatStatement:
    """``ref`` of ``repository`` was at ``commit``; not to be believed from ``expires`` (UTC) on."""

    predicate_type: ClassVar[str] = "https://fleetward.io/heartbeat/v1"
    repository: str
    ref: str
    commit: str
    expires: datetime


Statement = TypeVar("Statement", Approval, HeartbeatStatement)


def write(statement: Approval | HeartbeatStatement) -> str:
    """The statement's text, canonical JSON in one line of ASCII."""
    predicate: dict[str, str] = {"ref": statement.ref}
    if isinstance(statement, Approval):
        predicate["base"] = statement.base
    else:
        predicate["expires"] = statement.expires.astimezone(UTC).strftime(_TIME)
    value = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": statement.repository, "digest": {"gitCommit": statement.commit}}],
        "predicateType": statement.predicate_type,
        "predicate": predicate,
    }
    return dsse.canonical(value).decode()


def read(text: str, kind: type[Statement]) -> Statement:
    """The statement of this text. Raises StatementError for anything that ``write`` would not write."""
    try:
        value = orjson.loads(text) if len(text) <= MAX_TEXT else None
        statement = _parse(value, kind)
        same = write(statement) == text
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise _malformed(kind, "fields that are missing or of another type") from error
    if not same or not _ID.match(statement.commit) or not statement.ref.startswith("refs/"):
        raise _malformed(kind, "unknown fields, bad ids, or JSON that is not canonical")
    return statement


def _parse(value: Any, kind: type[Statement]) -> Statement:
    (subject,), predicate = value["subject"], value["predicate"]
    if value["predicateType"] != kind.predicate_type:
        raise ValueError
    named = subject["name"], predicate["ref"], subject["digest"]["gitCommit"]
    if not all(isinstance(text, str) and text for text in named):
        raise TypeError
    if issubclass(kind, Approval):
        if not _ID.match(predicate["base"]):
            raise ValueError
        return kind(*named, base=predicate["base"])
    return kind(*named, expires=datetime.strptime(predicate["expires"], _TIME).replace(tzinfo=UTC))


def _malformed(kind: type[Approval | HeartbeatStatement], got: str) -> StatementError:
    hint = "make it with `fleetward approve` or `fleetward trust heartbeat`"
    return StatementError(
        "not a statement of this kind", expected=f"predicate {kind.predicate_type}", got=got, hint=hint
    )
