"""One commit object, parsed from its raw bytes: exactly what git writes, or refused.

Rules:
- Order: ``tree``, ``parent``*, ``author``, ``committer``, any other headers, an empty line, the message.
- ``tree``, ``author``, ``committer``, ``gpgsig`` and ``encoding`` occur once at most: readers that disagree
  on which of two counts could be shown two different commits under one signature.
- ``gpgsig-sha256`` is refused: git leaves it out of what is signed, so anyone can add it.
- No NUL anywhere; ids are lower-case hex; times are seconds from 1970 to the year 9999.
- ``payload`` is the raw object less the ``gpgsig`` header: what git hands to ``ssh-keygen -Y sign``.

>>> raw = (b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\\nauthor A <a@x> 0 +0000\\n"
...        b"committer A <a@x> 60 +0200\\ngpgsig one\\n two\\n\\nFirst\\n")
>>> commit = parse_commit("0" * 40, raw)
>>> commit.subject, commit.signature, commit.committer.time.isoformat()
('First', b'one\\ntwo', '1970-01-01T00:01:00+00:00')
>>> commit.payload == raw.replace(b"gpgsig one\\n two\\n", b"")
True
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from reconciler.repository.errors import MalformedObjectError
from reconciler.repository.text import printable

MAX_HEADERS: Final = 1000  # parents included
_LATEST = 253_402_300_799  # 9999-12-31T23:59:59Z
_HEADER = re.compile(rb"([A-Za-z0-9][A-Za-z0-9:._-]*) ([^\n]*(?:\n [^\n]*)*)\n")
_ID = re.compile(rb"[0-9a-f]{40}\Z")
_PERSON = re.compile(rb"([^<>\n]*) <([^<>\n]*)> ([0-9]{1,12}) [+-][0-9]{4}\Z")
_ONCE = (b"tree", b"author", b"committer", b"gpgsig", b"encoding")


@dataclass(frozen=True, slots=True)
class Person:
    """Author or committer as the commit claims; only a signature proves who made it. ``time`` is UTC."""

    name: str
    email: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit; ``signature`` is the ``gpgsig`` content, None when unsigned; ``headers`` has all in order."""

    id: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    committer: Person
    subject: str  # first line of the message, printable, at most 200 characters
    signature: bytes | None
    payload: bytes
    headers: tuple[tuple[bytes, bytes], ...]


def parse_commit(oid: str, raw: bytes) -> Commit:
    """Parse the raw object ``raw``, already known to hash to ``oid``. Raises MalformedObjectError."""
    spans, end = _headers(oid, raw)
    headers = tuple((key, value) for key, value, _, _ in spans)
    _check_order(oid, [key for key, _ in headers])
    signed = next((span for span in spans if span[0] == b"gpgsig"), None)
    parents = tuple(_hex(oid, value) for key, value in headers if key == b"parent")
    author, committer = (_person(oid, value) for _, value in headers[1 + len(parents) : 3 + len(parents)])
    return Commit(
        id=oid,
        tree=_hex(oid, headers[0][1]),
        parents=parents,
        author=author,
        committer=committer,
        subject=printable(raw[end + 1 : end + 4096].lstrip(b"\n").split(b"\n", 1)[0], 200),
        signature=None if signed is None else signed[1].replace(b"\n ", b"\n"),
        payload=raw if signed is None else raw[: signed[2]] + raw[signed[3] :],
        headers=headers,
    )


def _headers(oid: str, raw: bytes) -> tuple[list[tuple[bytes, bytes, int, int]], int]:
    """(key, value, start, end) of each header, and where the empty line is."""
    if b"\0" in raw:
        raise _malformed(oid, "a NUL byte")
    found: list[tuple[bytes, bytes, int, int]] = []
    at = 0
    while match := _HEADER.match(raw, at):
        found.append((match[1], match[2], at, match.end()))
        at = match.end()
        if len(found) > MAX_HEADERS:
            raise _malformed(oid, f"more than {MAX_HEADERS} headers")
    if raw[at : at + 1] != b"\n":
        raise _malformed(oid, f"{printable(raw[at : at + 80], 60)!r} where a header or an empty line belongs")
    return found, at


def _check_order(oid: str, keys: list[bytes]) -> None:
    for key in _ONCE:
        if keys.count(key) > 1:
            raise _malformed(oid, f"the header {key.decode()!r} {keys.count(key)} times")
    if b"gpgsig-sha256" in keys:
        raise _malformed(oid, "the header 'gpgsig-sha256', which no signature covers")
    parents = keys.count(b"parent")
    expected = [b"tree", *[b"parent"] * parents, b"author", b"committer"]
    if keys[: len(expected)] != expected:
        start = " ".join(key.decode() for key in keys[:6])
        raise _malformed(oid, f"headers in the order {start!r}")


def _hex(oid: str, value: bytes) -> str:
    if not _ID.match(value):
        raise _malformed(oid, f"an id {printable(value, 80)!r}")
    return value.decode()


def _person(oid: str, value: bytes) -> Person:
    match = _PERSON.match(value)
    if not match or int(match[3]) > _LATEST:
        raise _malformed(oid, f"a person {printable(value, 120)!r}")
    time = datetime.fromtimestamp(int(match[3]), UTC)
    return Person(printable(match[1], 200), printable(match[2], 200), time)


def _malformed(oid: str, got: str) -> MalformedObjectError:
    hint = "rewrite this commit with an unmodified git, and find out what wrote it"
    return MalformedObjectError("commit is not well formed", got=got, hint=hint, where=f"commit {oid}")
