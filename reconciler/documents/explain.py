"""Schema errors -> findings that a person can act on: place, what was expected, what is there, what to do.

Rules kept here
- Every error of the schema becomes at least one finding; one of an unknown kind gets a general text.
- Values are shown shortened, and never from fields that may hold key material.

>>> from reconciler.documents.place import Places
>>> spot = Spot("a.yaml", 0, "", Places(b"clusters: x"))
>>> schema = Schema("", {"properties": {"clusters": {"type": "array"}}})
>>> [f.message for error in schema.errors({"clusters": "x"}) for f in explain(schema, error, spot)]
['clusters is not of the right type']
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from reconciler.documents.codes import did_you_mean, shown
from reconciler.documents.formats import FORMATS
from reconciler.documents.schema import Schema
from reconciler.documents.spot import Spot, path_text
from reconciler.model import Finding, Json

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError

_INSECURE = re.compile(r"insecure|skiptls|tlsverify", re.IGNORECASE)
_TYPE_NAMES = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
_SELECTOR = "values for In and NotIn, none for Exists and DoesNotExist"
_SECRET_FIELDS = frozenset({"caBundle", "env"})  # may hold key material by mistake: never shown
_USER_INFO = re.compile(r"//[^/@]*@")


def explain(schema: Schema, error: ValidationError, spot: Spot) -> Iterator[Finding]:
    """The findings of one schema error."""
    keyword = str(error.kind.name)
    say = _SPEAKERS.get(keyword, _general)
    where = f" (asked for by {schema.name})" if schema.name else ""
    for code, pointer, message, more in say(error, schema.body, spot):
        yield spot.finding(code, pointer, f"{message}{where}", rule=keyword, **more)


Said = Iterator[tuple[str, list[str | int], str, dict[str, str]]]


def _unknown(error: ValidationError, body: Json, _spot: Spot) -> Said:
    known = list(_owner(body, error.schema_path).get("properties", ()))
    for name in error.kind.value:
        pointer = [*error.instance_path, str(name)]
        if _INSECURE.search(str(name)):
            yield "FW1344", pointer, f"{path_text(pointer)}: TLS verification cannot be skipped", {}
            continue
        hint = did_you_mean(str(name), known, f"known fields: {', '.join(known) or 'none'}")
        yield "FW1321", pointer, f"the field {path_text(pointer)} is unknown", {"hint": hint}


def _missing(error: ValidationError, _body: Json, _spot: Spot) -> Said:
    name = str(error.kind.value)
    text = path_text([*error.instance_path, name])
    if name == "values" and "matchExpressions" in error.instance_path:
        yield "FW1345", error.instance_path, f"{text} is missing", {"expected": _SELECTOR}
    else:
        yield "FW1322", error.instance_path, f"{text} is missing", {"hint": f"add {name}"}


def _type(error: ValidationError, _body: Json, spot: Spot) -> Said:
    wanted = list(error.kind.value)
    text, got = path_text(error.instance_path), _TYPE_NAMES.get(type(error.instance), "null")
    facts = {"expected": " or ".join(wanted), "got": _got(error, got)}
    if "string" in wanted and got in ("boolean", "integer", "number"):
        yield (
            "FW1323",
            error.instance_path,
            f"{text} is a {'boolean' if got == 'boolean' else 'number'}: quote it",
            facts | _quote(error, spot),
        )
    else:
        yield "FW1320", error.instance_path, f"{text} is not of the right type", facts


def _choice(error: ValidationError, _body: Json, spot: Spot) -> Said:
    options = error.kind.value if error.kind.name == "enum" else [error.kind.value]
    facts = {"expected": " or ".join(shown(option) for option in options), "got": _got(error)}
    text = path_text(error.instance_path)
    if isinstance(error.instance, bool) and all(isinstance(option, str) for option in options):
        yield "FW1323", error.instance_path, f"{text} is a boolean: quote it", facts | _quote(error, spot)
        return
    texts = [option for option in options if isinstance(option, str)]
    hint = (
        did_you_mean(error.instance, texts, "use one of the values expected")
        if texts and isinstance(error.instance, str)
        else ""
    )
    yield "FW1320", error.instance_path, f"{text} has a value that is not allowed", facts | {"hint": hint}


def _format(error: ValidationError, _body: Json, _spot: Spot) -> Said:
    name = str(error.kind.value)
    known = FORMATS.get(name)
    facts = {"expected": known.expected if known else name, "got": _got(error)}
    yield (
        known.code if known else "FW1320",
        error.instance_path,
        f"{path_text(error.instance_path)} is not valid",
        facts,
    )


def _key_format(error: ValidationError, _body: Json, _spot: Spot) -> Said:
    inner = error.kind.value
    name = str(getattr(inner, "instance", ""))
    known = (
        FORMATS.get(str(inner.kind.value)) if hasattr(inner, "kind") and inner.kind.name == "format" else None
    )
    facts = {"expected": known.expected if known else "", "got": shown(name)}
    pointer = [*error.instance_path, name]
    yield known.code if known else "FW1320", pointer, f"the key {path_text(pointer)} is not valid", facts


def _not_here(error: ValidationError, body: Json, _spot: Spot) -> Said:
    text = path_text(error.instance_path)
    said = f"remove it; {error.instance_path[-1]} means: {_description(body, error.schema_path)}"
    yield (
        "FW1325",
        error.instance_path,
        f"{text} is not allowed together with the other fields",
        {"hint": said},
    )


def _count(error: ValidationError, body: Json, _spot: Spot) -> Said:
    keyword, text = error.kind.name, path_text(error.instance_path)
    if "matchExpressions" in error.instance_path:
        yield "FW1345", error.instance_path, f"{text} does not fit its operator", {"expected": _SELECTOR}
        return
    owner = _owner(body, error.schema_path)
    if owner.get("minProperties") == owner.get("maxProperties") == 1:
        expected = f"exactly one of {', '.join(owner.get('properties', ()))}"
    else:
        expected = f"{'at least' if keyword.startswith('min') else 'at most'} {error.kind.value}"
    got = str(len(error.instance)) if isinstance(error.instance, dict | list) else ""
    yield (
        "FW1320",
        error.instance_path,
        f"{text} has the wrong number of entries",
        {"expected": expected, "got": got},
    )


def _general(error: ValidationError, _body: Json, _spot: Spot) -> Said:
    limit = error.kind.value if isinstance(error.kind.value, str | int | float) else ""
    facts = {"expected": f"{error.kind.name} {limit}".rstrip(), "got": _got(error)}
    yield "FW1320", error.instance_path, f"{path_text(error.instance_path)} is not valid", facts


_SPEAKERS = {
    "additionalProperties": _unknown,
    "unevaluatedProperties": _unknown,
    "required": _missing,
    "type": _type,
    "enum": _choice,
    "const": _choice,
    "format": _format,
    "propertyNames": _key_format,
    "falseSchema": _not_here,
    "minItems": _count,
    "maxItems": _count,
    "minProperties": _count,
    "maxProperties": _count,
}


def _quote(error: ValidationError, spot: Spot) -> dict[str, str]:
    written = None if spot.inline else spot.places.plain_text(spot.index, (*spot.base, *error.instance_path))
    return {"hint": f'quote it: "{written or _json(error.instance)}"'}


def _json(value: Json) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _got(error: ValidationError, otherwise: str = "") -> str:
    """The value as messages show it: scalars only, without what may be secret."""
    value = error.instance
    if _SECRET_FIELDS & {step for step in error.instance_path if isinstance(step, str)}:
        return ""
    if isinstance(value, dict | list) or value is None:
        return otherwise or _TYPE_NAMES.get(type(value), "null")
    if isinstance(value, str):
        return shown(_USER_INFO.sub("//***@", value))
    return _json(value)


def _owner(body: Json, schema_path: Sequence[str | int]) -> dict[str, Any]:
    """The subschema that holds the keyword at the end of a schema path."""
    owner = list(_along(body, schema_path))[-1]
    return owner if isinstance(owner, dict) else {}


def _description(body: Json, schema_path: Sequence[str | int]) -> str:
    """What the schema says of a field that a condition forbids: the nearest description upwards."""
    said = ""
    for part in _along(body, schema_path):
        known = part.get("properties") if isinstance(part, dict) else None
        field = known.get(schema_path[-1]) if isinstance(known, dict) else None
        said = field.get("description", said) if isinstance(field, dict) else said
    return said


def _along(body: Json, schema_path: Sequence[str | int]) -> Iterator[Json]:
    """The parts of a schema along a path without its last step. Ends early where a fleet's schema has an
    ``$id`` or ``$anchor`` that the path does not follow."""
    yield body
    for step in schema_path[:-1]:
        try:
            body = body[step]
        except (KeyError, IndexError, TypeError):
            return
        yield body
