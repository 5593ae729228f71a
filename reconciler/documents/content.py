"""One file -> its documents, and all that is wrong with them wherever the file lies.

Rules kept here
- The answer follows from the bytes and the schema set alone (paths only appear in findings), so that it can
  be kept by (blob id, schema digest); only files without findings are kept.
- A document is ``good`` when it has no error finding. A file that cannot be read to its end has no good ones.

>>> from reconciler.documents.schema import schema_set
>>> file = read_file("policies/rbac/a.yaml", b"apiVersion: fleetward.io/v1alpha1\\nkind: FederatedRol\\n",
...                  schema_set([])[0])
>>> file.findings[0].message, file.findings[0].hint
('the kind "FederatedRol" is unknown', 'did you mean "FederatedRole"?')
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import orjson

from reconciler.documents.codes import did_you_mean, finding, shown
from reconciler.documents.explain import explain
from reconciler.documents.fleet import GROUP
from reconciler.documents.kinds import AREA_OF_KIND
from reconciler.documents.limits import MAX_FINDINGS
from reconciler.documents.manifests import annotation_findings, manifest_findings
from reconciler.documents.place import Places
from reconciler.documents.reader import RawDocument, read
from reconciler.documents.schema import SchemaSet
from reconciler.documents.sense import sense_findings
from reconciler.documents.spot import Spot
from reconciler.model import API_VERSION, Finding, Json


@dataclass(frozen=True, slots=True)
class FileContent:
    """The documents of one file in order; ``bad`` are the indexes of those that must not be used.

    Not ``complete``: the file may have more documents, and values of these may be missing.
    """

    documents: tuple[RawDocument, ...]
    findings: tuple[Finding, ...] = ()
    bad: frozenset[int] = frozenset()
    complete: bool = True


def read_file(path: str, data: bytes, schemas: SchemaSet) -> FileContent:
    """Read and check one file. Never raises, whatever the bytes."""
    result = read(data)
    found = [problem.at(path) for problem in result.problems]
    bad = set(range(len(result.documents))) if found else set()
    places = Places(data)
    for index, document in enumerate(result.documents):
        if len(found) > MAX_FINDINGS:
            found.append(finding("FW1318", path, document.line, "the file has more findings than are shown"))
            bad.update(range(index, len(result.documents)))
            break
        wrong = list(islice(_document(path, index, document, places, schemas), MAX_FINDINGS))
        found += wrong
        bad.update([index] if wrong else [])
    return FileContent(result.documents, tuple(found), frozenset(bad), not result.problems)


def pack(content: FileContent) -> bytes:
    """A file without findings as the cache keeps it."""
    return orjson.dumps([[document.line, document.value] for document in content.documents])


def unpack(value: bytes) -> list[tuple[int, dict[str, Json]]] | None:
    """(line, body) of each document that ``pack`` kept; None for a value that ``pack`` did not make."""
    try:
        rows = orjson.loads(value)
        return [(int(line), body) for line, body in rows if body["metadata"]["name"]]
    except (orjson.JSONDecodeError, TypeError, ValueError, KeyError):
        return None


def _document(
    path: str, index: int, document: RawDocument, places: Places, schemas: SchemaSet
) -> Iterator[Finding]:
    body = document.value
    if not isinstance(body, dict):
        got = type(body).__name__
        yield finding("FW1317", path, document.line, "the document is not a mapping", got=got)
        return
    spot = Spot(path, index, _subject(body), places)
    api_version, kind = body.get("apiVersion"), body.get("kind")
    if str(api_version).partition("/")[0] == GROUP or (api_version is None and kind in AREA_OF_KIND):
        yield from _own_kind(body, spot, schemas)
    else:
        yield from manifest_findings(body, spot)


def _own_kind(body: dict[str, Json], spot: Spot, schemas: SchemaSet) -> Iterator[Finding]:
    api_version, kind = body.get("apiVersion"), body.get("kind")
    if api_version not in (API_VERSION, None):
        facts = {"expected": API_VERSION, "got": shown(api_version), "hint": f"use {API_VERSION}"}
        yield spot.finding("FW1330", ["apiVersion"], "the apiVersion is unknown", **facts)
        return
    if kind not in AREA_OF_KIND:
        hint = did_you_mean(str(kind), AREA_OF_KIND, f"kinds are {', '.join(AREA_OF_KIND)}")
        yield spot.finding("FW1331", ["kind"], f'the kind "{str(kind)[:63]}" is unknown', hint=hint)
        return
    wrong = [
        found
        for schema in schemas.schemas[kind]
        for error in schema.errors(body)
        for found in explain(schema, error, spot)
    ]
    yield from dict.fromkeys(wrong)
    if isinstance(body.get("metadata"), dict):
        yield from annotation_findings(body["metadata"], spot, own=True)
    if not wrong:
        yield from sense_findings(kind, body["spec"], spot)


def _subject(body: dict[str, Json]) -> str:
    metadata = body.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return "/".join(part for part in (body.get("kind"), name) if isinstance(part, str))[:320]
