"""The JSON Schemas that documents must pass: the product's own, and those that a fleet adds.

Rules kept here
- A document must pass the product's schema of its kind and every schema that the fleet has for it
  (``schemas/v1alpha1/<Kind>.json``): a fleet can ask for more, never for less.
- A ``$ref`` is followed inside its own schema only; nothing is ever fetched.
- Patterns run on an engine that is linear in its input, whoever wrote them.
- ``SchemaSet.digest`` names everything that decides whether a document passes; it is part of cache keys.

>>> sorted(own_schemas())[:2]
['Cluster', 'FederatedNetworkRule']
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from reconciler import __version__
from reconciler.documents.codes import did_you_mean, finding, shown
from reconciler.documents.formats import FORMATS
from reconciler.documents.kinds import ALONE, AREA_OF_KIND
from reconciler.documents.limits import MAX_FINDINGS
from reconciler.documents.reader import read
from reconciler.model import API_VERSION, Finding, Json, Snapshot
from reconciler.product import product_root

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator, ValidationError

RULES = 2  # raise it when a check of this room changes what passes: caches of older rules are then not used
VERSION = API_VERSION.partition("/")[2]
DRAFT = "https://json-schema.org/draft/2020-12/schema"
_MEANT = re.compile(r"schemas/v[0-9][^/]*/.*\.json")  # schemas/ may hold others, of a log or an application
_ALONE = frozenset(f"schemas/{VERSION}/{kind}.json" for kind in ALONE)  # may be there, mean nothing
_PATH = re.compile(r"schemas/([^/]+)/([^/]+)\.json")


@dataclass(slots=True)
class Schema:
    """One schema; it is compiled when the first document needs it."""

    name: str  # path of a fleet's schema, "" for the product's own
    body: Json
    _compiled: Draft202012Validator | None = field(default=None, repr=False)

    @property
    def compiled(self) -> Draft202012Validator:
        """The validator. Raises ``jsonschema_rs.ValidationError`` for a schema that cannot be used."""
        if self._compiled is None:
            self._compiled = _compile(self.body)
        return self._compiled

    def errors(self, value: Json) -> list[ValidationError]:
        """What is wrong with a value, at most MAX_FINDINGS; empty when it passes."""
        if self.compiled.is_valid(value):
            return []
        return list(islice(self.compiled.iter_errors(value), MAX_FINDINGS))


@dataclass(frozen=True, slots=True)
class SchemaSet:
    """Everything that documents of one fleet must pass, by kind."""

    digest: str
    schemas: dict[str, tuple[Schema, ...]]


@cache
def own_schemas() -> dict[str, Schema]:
    """The product's schemas by kind, read once."""
    folder = product_root() / "schemas" / VERSION
    return {kind: Schema("", orjson.loads((folder / f"{kind}.json").read_bytes())) for kind in AREA_OF_KIND}


@cache
def lone_schema(kind: str) -> Schema:
    """The schema of a kind that is in no fleet (``kinds.ALONE``)."""
    path = product_root() / "schemas" / VERSION / f"{kind}.json"
    return Schema("", orjson.loads(path.read_bytes()))


@cache
def definition(name: str) -> Schema:
    """One definition of our own schemas by itself ("placement"), for values outside of a document."""
    definitions = own_schemas()["FederatedRole"].body["$defs"]
    return Schema("", {"$schema": DRAFT, "$ref": f"#/$defs/{name}", "$defs": definitions})


def schema_set(snapshots: Iterable[Snapshot]) -> tuple[SchemaSet, list[Finding]]:
    """Our schemas and those of the snapshots, with findings for schemas that cannot be used."""
    schemas = {kind: [schema] for kind, schema in own_schemas().items()}
    digest = sha256(f"{RULES} {__version__} {_own_digest()}".encode())
    findings: list[Finding] = []
    seen: set[tuple[str, str]] = set()
    for snapshot in snapshots:
        for path, blob in snapshot.files.items():
            if not _MEANT.fullmatch(path) or (path, blob) in seen:
                continue
            seen.add((path, blob))
            if path in _ALONE:
                continue
            problems, kind, schema = _fleet_schema(snapshot, path)
            findings += problems
            if schema is not None and schema.body != own_schemas()[kind].body:
                schemas[kind].append(schema)
                digest.update(f"\n{path}\n{blob}".encode())
    return SchemaSet(digest.hexdigest(), {kind: tuple(each) for kind, each in schemas.items()}), findings


@cache
def _own_digest() -> str:
    return sha256(orjson.dumps({kind: schema.body for kind, schema in own_schemas().items()})).hexdigest()


def _fleet_schema(snapshot: Snapshot, path: str) -> tuple[list[Finding], str, Schema | None]:
    match = _PATH.fullmatch(path)
    kind = match[2] if match else ""
    if match is None or match[1] != VERSION or kind not in AREA_OF_KIND:
        hint = did_you_mean(kind, AREA_OF_KIND, f"name it schemas/{VERSION}/<Kind>.json, or remove it")
        message = "the schema is for no kind that fleetward knows"
        return [finding("FW1324", path, 0, message, got=shown(path), hint=hint)], "", None
    result = read(snapshot.read(path))
    findings = [problem.at(path) for problem in result.problems]
    if findings:
        return findings, kind, None
    body = result.documents[0].value if len(result.documents) == 1 else None
    wrong = _unusable(body)
    return (
        [finding("FW1324", path, 1, message) for message in wrong],
        kind,
        None if wrong else Schema(path, body),
    )


def _unusable(body: Json) -> list[str]:
    """Why a value is no schema that we can use; empty when it is one."""
    if not isinstance(body, dict):
        return ["the schema is not a JSON object"]
    if body.get("$schema", DRAFT) != DRAFT:
        return [f"the schema is not of JSON Schema 2020-12 ({DRAFT})"]
    # jsonschema and not jsonschema-rs: it names everything that is wrong with a schema, not only the first.
    from jsonschema import Draft202012Validator as Reference

    meta = Reference(Reference.META_SCHEMA)
    wrong = [
        f"at {error.json_path[:200]}: not a valid schema ({error.validator})"
        for error in meta.iter_errors(body)
    ]
    return wrong[:MAX_FINDINGS] or _uncompilable(body)


def _uncompilable(body: Json) -> list[str]:
    from jsonschema_rs import ReferencingError, ValidationError

    try:
        _compile(body)
    except (ValidationError, ReferencingError, ValueError) as error:
        return [f"the schema cannot be used: {error.args[0] if error.args else error}"[:300].splitlines()[0]]
    return []


def _compile(body: Any) -> Draft202012Validator:
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(
        body,
        formats={name: each.check for name, each in FORMATS.items()},
        validate_formats=True,
        offline=True,
        pattern_options=jsonschema_rs.RegexOptions(),
    )
