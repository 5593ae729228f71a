"""Custom kinds of the same commit: a CustomResourceDefinition's schema as a strict JSON Schema.

Rules kept here (structural schemas, apiextensions.k8s.io/v1)
- A field that the schema does not name is pruned by the API server without a word: here it is an error,
  unless ``x-kubernetes-preserve-unknown-fields`` keeps it. What is below allOf, anyOf, oneOf and not judges
  values and names no fields.
- ``nullable`` adds null; ``x-kubernetes-int-or-string`` is both types; a draft-4 ``exclusiveMinimum: true``
  becomes a number; a required field with a default may be absent (the API server fills it first).
- ``apiVersion``, ``kind`` and ``metadata`` are always allowed at the top and in embedded resources.
- CEL rules (``x-kubernetes-validations``) are left to the API server.

>>> strict({"type": "object", "properties": {"size": {"type": "integer", "nullable": True}}})
{'type': 'object', 'properties': {'size': {'type': ['integer', 'null']}}, 'additionalProperties': False}
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from reconciler.compile.formats import format_rules, go_pattern
from reconciler.compile.kubeschemas import META, Validator, schemas_for
from reconciler.documents import Document
from reconciler.model import Json

CRD_GROUP, CRD_KIND = "apiextensions.k8s.io", "CustomResourceDefinition"
_KEPT = (
    *("enum", "maximum", "minimum", "maxLength", "minLength", "maxItems", "minItems"),
    *("uniqueItems", "multipleOf", "maxProperties", "minProperties"),
)
_JUDGES = ("allOf", "anyOf", "oneOf")
_IMPLICIT: dict[str, Json] = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {}}


@dataclass(frozen=True, slots=True)
class CustomKind:
    """A kind that this commit defines. ``schemas``: version -> its openAPIV3Schema as JSON, "" for none.

    ``digest`` covers all of it, as part of cached results' keys.
    """

    namespaced: bool
    served: tuple[str, ...]
    schemas: Mapping[str, bytes]
    digest: str


def custom_kind(crd: Document) -> tuple[tuple[str, str], CustomKind] | None:
    """((group, kind), CustomKind) of a CustomResourceDefinition; None if it lacks what a kind needs.

    What is wrong with such a definition is found when it is validated as an object itself.
    """
    try:
        spec: dict[str, Any] = crd.body["spec"]
        versions = {item["name"]: item for item in spec["versions"]}
        served = tuple(sorted(name for name, item in versions.items() if item.get("served")))
        schemas = {
            name: _dump((item.get("schema") or {}).get("openAPIV3Schema")) for name, item in versions.items()
        }
        key = (spec["group"], spec["names"]["kind"])
        return key, CustomKind(spec["scope"] == "Namespaced", served, schemas, _digest(spec))
    except (KeyError, TypeError, AttributeError, ValueError):
        return None


def _dump(schema: Json) -> bytes:
    return orjson.dumps(schema, option=orjson.OPT_SORT_KEYS) if schema else b""


def _digest(spec: Json) -> str:
    return hashlib.sha256(_dump(spec)).hexdigest()[:32]


@lru_cache(maxsize=512)
def validator(schema: bytes, version: str) -> Validator:
    """The validator of a custom resource on a member of Kubernetes ``version``.

    ``schema`` is not empty. Raises ValueError when it cannot be used.
    """
    shipped = schemas_for(version)
    if shipped is None:
        raise ValueError(f"no schemas for Kubernetes {version}")
    try:
        return shipped.custom_validator(_root(orjson.loads(schema)))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a structural schema: {error!r}") from error


def _root(schema: dict[str, Any]) -> dict[str, Json]:
    """The top of a custom resource: its metadata is Kubernetes' own, whatever else the schema asks of it."""
    root = strict(schema, resource=True)
    declared = (schema.get("properties") or {}).get("metadata") or {}
    # Only names are restricted here (the API server allows no more), and never closed: ObjectMeta is.
    restricted = strict(declared, judging=True)
    allowed = [{"$ref": f"#/$defs/{META}"}, restricted]
    required = sorted({*root.get("required", ()), "apiVersion", "kind", "metadata"})
    return root | {"properties": root["properties"] | {"metadata": {"allOf": allowed}}, "required": required}


def strict(schema: dict[str, Any], *, judging: bool = False, resource: bool = False) -> dict[str, Json]:
    """A structural schema as JSON Schema 2020-12.

    ``judging``: below allOf and the like, where unknown fields are nobody's business. ``resource``: a whole
    Kubernetes object.
    """
    result: dict[str, Json] = _types(schema)
    result |= {name: schema[name] for name in _KEPT if name in schema} | format_rules(schema.get("format"))
    result |= _bounds(schema) | ({"pattern": go_pattern(schema["pattern"])} if "pattern" in schema else {})
    if schema.get("nullable") and "enum" in result:
        result["enum"] = [*result["enum"], None]
    if "items" in schema:
        result["items"] = strict(schema["items"], judging=judging)
    result |= _fields(schema, judging, resource or bool(schema.get("x-kubernetes-embedded-resource")))
    result |= {
        name: [strict(item, judging=True) for item in schema[name]] for name in _JUDGES if name in schema
    }
    return result | ({"not": strict(schema["not"], judging=True)} if "not" in schema else {})


def _types(schema: dict[str, Any]) -> dict[str, Json]:
    if schema.get("x-kubernetes-int-or-string"):
        names = ["integer", "string"]
    else:
        names = [schema["type"]] if schema.get("type") else []
    if names and schema.get("nullable"):
        names.append("null")
    return {"type": names if len(names) > 1 else names[0]} if names else {}


def _bounds(schema: dict[str, Any]) -> dict[str, Json]:
    return {
        exclusive: schema[bound]
        for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum"))
        if schema.get(exclusive) and bound in schema
    }


def _fields(schema: dict[str, Any], judging: bool, resource: bool) -> dict[str, Json]:
    """``properties``, ``required`` and ``additionalProperties``."""
    named: dict[str, Any] = schema.get("properties") or {}
    properties = {name: strict(item, judging=judging) for name, item in named.items()}
    if resource:
        properties = _IMPLICIT | properties
    required = [name for name in schema.get("required") or () if "default" not in named.get(name, {})]
    result: dict[str, Json] = {"properties": properties} if properties or resource else {}
    result |= {"required": required} if required else {}
    if isinstance(schema.get("additionalProperties"), dict):
        return result | {"additionalProperties": strict(schema["additionalProperties"], judging=judging)}
    closed = schema.get("type") == "object" and not judging and not _open(schema)
    return result | ({"additionalProperties": False} if closed else {})


def _open(schema: dict[str, Any]) -> bool:
    return bool(schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("additionalProperties"))
