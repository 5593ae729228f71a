"""How one field of a log entry is written as JSON and strictly read back. Pure.

Rules: a ``Codec`` reads exactly what it writes and raises ``ValueError`` for anything else; every text
and list is bounded, measured in the bytes that it takes in JSON, so that an entry stays below 64 KiB.
A field's codec stands in its type: ``commit: CommitId`` is ``Annotated[str, Codec]``.

>>> clip('say "no"', 8)  # quotes take two bytes each
'say…'
>>> COMMIT.parse("main")
Traceback (most recent call last):
ValueError: not a commit id: 'main'
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import orjson

from reconciler.audit.codes import BodyFormatError
from reconciler.model import Json

FIRST = 50  # how many findings, failures or objects an entry holds; the count tells of the rest
_TIME = re.compile(
    "[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}[.][0-9]{3}Z"  # no hour 24
)


@dataclass(frozen=True, slots=True)
class Codec:
    """``parse``: JSON to value, raising ValueError; ``dump``: value to JSON."""

    parse: Callable[[Json], Any]
    dump: Callable[[Any], Json] = lambda value: value


def canonical(value: Json) -> bytes:
    """Sorted keys, no spaces, UTF-8. Raises ValueError for what JSON cannot hold."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise ValueError(str(error)) from error


def json_size(text: str) -> int:
    """Bytes of ``text`` in JSON, without the quotes."""
    return len(canonical(text)) - 2


def _fits(text: str, limit: int) -> bool:
    """Printable and at most ``limit`` bytes of JSON; a printable character takes 4 at the most."""
    return text.isprintable() and (len(text) * 4 <= limit or json_size(text) <= limit)


def clip(text: str, limit: int) -> str:
    """``text`` on one line without control characters, cut to ``limit`` bytes of JSON."""
    if len(text) <= limit and _fits(text, limit):
        return text
    clean = "".join(c if c.isprintable() else " " for c in text[:limit])
    while json_size(clean) > limit - 3:
        clean = clean[:-1]
    return clean.rstrip() + "…" if len(clean) < len(text) else clean


def text(limit: int, *, empty: bool = False) -> Codec:
    """A string of printable characters, at most ``limit`` bytes of JSON."""

    def parse(value: Json) -> str:
        if not isinstance(value, str) or not (value or empty):
            raise ValueError(f"not a text: {value!r:.60}")
        if not _fits(value, limit):
            raise ValueError(f"a text with control characters or over {limit} bytes: {value!r:.60}")
        return value

    return Codec(parse)


def matching(pattern: str, what: str, *, empty: bool = False) -> Codec:
    """A string that matches ``pattern`` as a whole."""
    compiled = re.compile(pattern)

    def parse(value: Json) -> str:
        if isinstance(value, str) and (compiled.fullmatch(value) or (empty and not value)):
            return value
        raise ValueError(f"not {what}: {value!r:.60}")

    return Codec(parse)


def number(value: Json) -> int:
    """A whole number from 0 to 2**53-1, which every JSON reader keeps exact."""
    if type(value) is not int or not 0 <= value < 1 << 53:
        raise ValueError(f"not a number from 0: {value!r:.60}")
    return value


def _flag(value: Json) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"not true or false: {value!r:.60}")  # noqa: TRY004  as every codec
    return value


def listing(item: Codec, limit: int) -> Codec:
    """A tuple of at most ``limit`` items."""

    def parse(value: Json) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) > limit:
            raise ValueError(f"not a list of at most {limit} items")
        return tuple(item.parse(one) for one in value)

    return Codec(parse, lambda values: [item.dump(one) for one in values])


def record(kind: type[Any]) -> Codec:
    """A dataclass of annotated fields as a JSON object with exactly its fields."""
    return Codec(lambda value: read_fields(kind, value), write_fields)


def choice(kind: type[StrEnum]) -> Codec:
    """One value of an enumeration."""
    return Codec(kind, str)


def one_of(values: Collection[str], what: str) -> Codec:
    """One of these texts."""

    def parse(value: Json) -> str:
        if isinstance(value, str) and value in values:
            return value
        raise ValueError(f"not {what}: {value!r:.60}")

    return Codec(parse)


def constant(expected: str) -> Codec:
    """This very text."""
    return one_of((expected,), f"{expected!r}")


def optional(codec: Codec) -> Codec:
    """What ``codec`` takes, or null."""
    return Codec(
        lambda value: None if value is None else codec.parse(value),
        lambda value: None if value is None else codec.dump(value),
    )


def _read_time(value: Json) -> datetime:
    if isinstance(value, str) and _TIME.fullmatch(value):
        return datetime.fromisoformat(value)
    raise ValueError(f"not a UTC time with milliseconds: {value!r:.60}")


def write_time(moment: datetime | None) -> str:
    """RFC 3339, UTC, cut to milliseconds. Raises ValueError for a naive time."""
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise ValueError("not a time with its zone")
    return f"{moment.astimezone(UTC).isoformat(timespec='milliseconds')[:23]}Z"


FLAG = Codec(_flag)
TIME = Codec(_read_time, write_time)
COMMIT = matching("[0-9a-f]{40}|[0-9a-f]{64}", "a commit id")
CommitId = Annotated[str, COMMIT]
MaybeCommit = Annotated[str, matching("[0-9a-f]{40}|[0-9a-f]{64}", "a commit id", empty=True)]
Digest = Annotated[str, matching("sha256:[0-9a-f]{64}", "a sha256 digest")]
MaybeDigest = Annotated[str, matching("sha256:[0-9a-f]{64}", "a sha256 digest", empty=True)]
Number = Annotated[int, Codec(number)]
Name = Annotated[str, text(256)]
MaybeName = Annotated[str, text(256, empty=True)]
Subject = Annotated[str, text(512, empty=True)]
Message = Annotated[str, text(512, empty=True)]
Long = Annotated[str, text(2048)]


def _json_name(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def codecs_of(kind: type[Any]) -> dict[str, tuple[str, Codec]]:
    """JSON name -> (attribute, codec) of a dataclass's annotated fields; made once a class."""
    known = _CODECS.get(kind)
    if known is None:
        from typing import get_type_hints

        hints = get_type_hints(kind, include_extras=True)
        known = {
            _json_name(name): (name, hint.__metadata__[0])
            for name, hint in hints.items()
            if hasattr(hint, "__metadata__")
        }
        _CODECS[kind] = known
    return known


_CODECS: dict[type[Any], dict[str, tuple[str, Codec]]] = {}


def write_fields(value: Any) -> dict[str, Json]:
    """The JSON object of a dataclass. Raises ValueError, which names the field."""
    found: dict[str, Json] = {}
    for key, (name, codec) in codecs_of(type(value)).items():
        try:
            found[key] = codec.dump(getattr(value, name))
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{key}: {error}") from error
    return found


def read_fields(kind: type[Any], value: Json) -> Any:
    """The dataclass of a JSON object that has exactly its fields. Raises ValueError."""
    codecs = codecs_of(kind)
    if not isinstance(value, dict) or value.keys() != codecs.keys():
        found = ", ".join(sorted(value)) if isinstance(value, dict) else type(value).__name__
        raise ValueError(f"expected the fields {', '.join(sorted(codecs))}; got {found:.300}")
    read: dict[str, Any] = {}
    for key, (name, codec) in codecs.items():
        try:
            read[name] = codec.parse(value[key])
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from error
    return kind(**read)


def read_body(kind: type[Any], body: bytes, what: str) -> Any:
    """The dataclass of a body's canonical bytes. Raises BodyFormatError for any other bytes."""
    try:
        value = orjson.loads(body)
        found = read_fields(kind, value)
        canonical_bytes = canonical(value)
    except ValueError as error:
        raise BodyFormatError(f"not {what}: {error}", hint="upgrade, or treat the log as damaged") from error
    if canonical_bytes != body:
        raise BodyFormatError(f"not {what}: not in canonical form", hint="treat the log as damaged")
    return found
