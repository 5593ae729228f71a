"""Every file of the fleet, from the cache or from Git, into documents that have an identity.

Rules kept here
- A file's result is kept under ``doc/<blob>/<schema digest>``, and only when nothing is wrong with it. All
  results are asked for in one go, so that an unchanged fleet costs one query and no parsing.
- A value in the cache that is not what ``pack`` makes counts as absent.
- Bounds of the whole fleet stop the reading, with a finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from reconciler.documents.codes import finding
from reconciler.documents.content import pack, read_file, unpack
from reconciler.documents.fleet import Document
from reconciler.documents.kinds import area_of
from reconciler.documents.limits import MAX_DOCUMENTS, MAX_FLEET_BYTES
from reconciler.documents.schema import SchemaSet
from reconciler.documents.whole import Candidate
from reconciler.model import Finding, Json, Snapshot, SourceRef


class Cache(Protocol):
    """Port to derived values by key; forgetting any of them costs time and nothing else."""

    def get(self, key: str) -> bytes | None:
        """The value, or None."""
        ...

    def put(self, key: str, value: bytes) -> None:
        """Keep one value."""
        ...

    def get_many(self, keys: Iterable[str]) -> Mapping[str, bytes]:
        """Those of the keys that are there."""
        ...

    def put_many(self, items: Mapping[str, bytes]) -> None:
        """Keep all values."""
        ...


class Reading:
    """What the files of one snapshot hold. ``run`` fills the public lists."""

    def __init__(self, snapshot: Snapshot, schemas: SchemaSet, cache: Cache | None) -> None:
        self.candidates: list[Candidate] = []
        self.findings: list[Finding] = []
        self.unreadable: set[str] = set()  # areas in which there may be documents that nobody knows of
        self._snapshot = snapshot
        self._schemas = schemas
        self._cache = cache
        self._fresh: dict[str, bytes] = {}
        self._bytes = 0

    def run(self) -> None:
        """Read until the end, or until a bound of the whole fleet is reached."""
        files = [(path, blob, area) for path, blob in self._snapshot.files.items() if (area := area_of(path))]
        keys = [self._key(blob) for _, blob, _ in files]
        kept = self._cache.get_many(keys) if self._cache is not None else {}
        for path, blob, area in files:
            self._file(path, blob, area, kept.get(self._key(blob)))
            if self._bytes > MAX_FLEET_BYTES or len(self.candidates) > MAX_DOCUMENTS:
                self._too_large(path)
                break
        if self._cache is not None and self._fresh:
            self._cache.put_many(self._fresh)

    def _key(self, blob: str) -> str:
        return f"doc/{blob}/{self._schemas.digest}"

    def _file(self, path: str, blob: str, area: str, value: bytes | None) -> None:
        rows = unpack(value) if value is not None else None
        if rows is None or value is None:
            self._read(path, blob, area)
        else:
            self._bytes += len(value)
            self._add(path, blob, area, rows)

    def _read(self, path: str, blob: str, area: str) -> None:
        data = self._snapshot.read(path)
        self._bytes += len(data)
        content = read_file(path, data, self._schemas)
        self.findings += content.findings
        if not content.complete:
            self.unreadable.add(area)
        if self._cache is not None and not content.findings:
            self._fresh[self._key(blob)] = pack(content)
        self._add(path, blob, area, ((d.line, d.value) for d in content.documents), content.bad)

    def _add(
        self,
        path: str,
        blob: str,
        area: str,
        rows: Iterable[tuple[int, Json]],
        bad: frozenset[int] = frozenset(),
    ) -> None:
        for index, (line, body) in enumerate(rows):
            document = _identified(path, blob, index, line, body)
            if document is None:
                self.unreadable.add(area)
            else:
                self.candidates.append(Candidate(document, area, index not in bad))

    def _too_large(self, path: str) -> None:
        expected = f"at most {MAX_DOCUMENTS} documents and {MAX_FLEET_BYTES} bytes"
        self.findings.append(finding("FW1302", path, 0, "the fleet is too large", expected=expected))


def _identified(path: str, blob: str, index: int, line: int, body: Json) -> Document | None:
    """The Document, or None for a value that does not say what it is."""
    if not isinstance(body, dict):
        return None
    api_version, kind, metadata = body.get("apiVersion"), body.get("kind"), body.get("metadata")
    if not isinstance(api_version, str) or not isinstance(kind, str) or not isinstance(metadata, dict):
        return None
    name, namespace = metadata.get("name"), metadata.get("namespace") or ""
    if not isinstance(name, str) or not isinstance(namespace, str):
        return None
    return Document(api_version, kind, name, namespace, body, SourceRef(path, line), f"{blob}#{index}")
