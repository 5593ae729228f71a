"""One document by itself, of a kind that is in no fleet: strict YAML, its schema, all findings at once.

>>> value, findings = read_alone(b"kind: Join", "Join", "join.yaml")
>>> value is None, sorted({found.code for found in findings})
(True, ['FW1322'])
"""

from __future__ import annotations

from reconciler.documents.codes import finding
from reconciler.documents.explain import explain
from reconciler.documents.place import Places
from reconciler.documents.reader import read
from reconciler.documents.schema import Schema, lone_schema
from reconciler.documents.spot import Spot
from reconciler.model import Finding, Json

MAX_FILE = 64 << 10  # bytes


def read_alone(data: bytes, kind: str, path: str) -> tuple[dict[str, Json] | None, tuple[Finding, ...]]:
    """The document, None where there are findings. Never raises."""
    if len(data) > MAX_FILE:
        return None, (finding("FW1302", path, 0, "the file is too large", expected=f"{MAX_FILE} bytes"),)
    result = read(data)
    if result.problems:
        return None, tuple(problem.at(path) for problem in result.problems)
    if len(result.documents) != 1 or not isinstance(result.documents[0].value, dict):
        return None, (finding("FW1317", path, 1, f"the file is not one {kind}"),)
    body = result.documents[0].value
    found = misfits(lone_schema(kind), kind, body, path, data)
    return (None, found) if found else (body, ())


def misfits(schema: Schema, kind: str, body: Json, path: str, data: bytes) -> tuple[Finding, ...]:
    """What keeps a document, read from ``data`` in the file ``path``, from fitting the schema of its kind."""
    spot = Spot(path, 0, kind, Places(data))
    found = (one for error in schema.errors(body) for one in explain(schema, error, spot))
    return tuple(dict.fromkeys(found))
