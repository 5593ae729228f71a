"""Kubernetes' scalar syntaxes as JSON Schema, and a walk that puts them into a schema.

Rules kept here (each is what the API server itself enforces)
- ``format: int32`` and ``int64`` bound an integer; ``byte`` is base64; a Quantity is a number or
  ``<number><suffix>``; int-or-string is just that. Formats of which Kubernetes and JSON Schema have different
  ideas (``duration``) are dropped rather than judged wrongly.
- Patterns are anchored and linear (no look-around), so that a hostile value cannot make them slow.

>>> tighten({"type": "integer", "format": "int32", "description": "..."})
{'type': 'integer', 'minimum': -2147483648, 'maximum': 2147483647}
"""

from __future__ import annotations

from reconciler.model import Json

Rules = dict[str, Json]

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
DNS_LABEL: Rules = {"pattern": f"^{_LABEL}$", "maxLength": 63}
DNS_SUBDOMAIN: Rules = {"pattern": f"^{_LABEL}(\\.{_LABEL})*$", "maxLength": 253}
PATH_SEGMENT: Rules = {"pattern": "^[^/%]+$", "not": {"enum": [".", ".."]}}
LABEL_VALUE: Rules = {"pattern": f"^({_QUALIFIED})?$"}
LABEL_KEY: Rules = {"pattern": f"^([a-z0-9][-a-z0-9.]*/)?{_QUALIFIED}$", "maxLength": 317}
QUANTITY = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$"
BASE64 = r"^[A-Za-z0-9+/\r\n]*={0,2}[\r\n]*$"

_FORMATS: dict[str, Rules] = {
    "int32": {"minimum": -(2**31), "maximum": 2**31 - 1},
    "int64": {"minimum": -(2**63), "maximum": 2**63 - 1},
    "byte": {"pattern": BASE64},
    "date-time": {"format": "date-time"},
    "ipv4": {"format": "ipv4"},
    "ipv6": {"format": "ipv6"},
    "uuid": {"format": "uuid"},
}
_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "digit": "0-9",
    "lower": "a-z",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_PROSE = frozenset({"description", "format", "default"})
_QUANTITY = [{"type": ["string", "null"]}, {"type": ["number", "null"]}]
_INT_OR_STRING = [{"type": ["string", "null"]}, {"type": ["integer", "null"]}]


def format_rules(name: Json) -> Rules:
    """The keywords that a format stands for, {} for one that is not judged."""
    return _FORMATS.get(name, {}) if isinstance(name, str) else {}


def go_pattern(pattern: str) -> str:
    """A pattern of Go's RE2 for an engine that does not know ``[[:alpha:]]`` (ASCII, as in Go)."""
    for name, characters in _POSIX.items():
        pattern = pattern.replace(f"[:{name}:]", characters)
    return pattern


def tighten(schema: Json) -> Json:
    """A shipped Kubernetes schema without its prose and with its formats spelled out."""
    if isinstance(schema, list):
        return [tighten(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("oneOf") == _QUANTITY:
        return {"type": ["string", "number", "null"], "pattern": QUANTITY}
    if schema.get("oneOf") == _INT_OR_STRING:
        return {"type": ["string", "integer", "null"]}
    return {k: _tighten(k, v) for k, v in schema.items() if k not in _PROSE} | format_rules(
        schema.get("format")
    )


def _tighten(keyword: str, value: Json) -> Json:
    """Below ``properties`` the keys are names of fields (one may well be "default"), not keywords."""
    if keyword == "properties":
        return {name: tighten(schema) for name, schema in value.items()}
    return tighten(value)


def metadata_rules(schema: dict[str, Json], name: Rules) -> dict[str, Json]:
    """ObjectMeta whose labels, annotation keys, name and namespace keep to their syntax."""
    text = {"type": ["string", "null"]}
    mapping = {"type": ["object", "null"], "propertyNames": LABEL_KEY}
    fields = {
        "labels": mapping | {"additionalProperties": text | LABEL_VALUE},
        "annotations": mapping | {"additionalProperties": text},
        "name": text | name,
        "namespace": text | DNS_LABEL,
    }
    return schema | {"properties": schema["properties"] | fields}
