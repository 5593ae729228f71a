"""Snapshot -> Fleet: reads every file of the fleet, checks it, and brings all findings at once.

Rules kept here
- Nothing stops at the first mistake: a file that cannot be read takes nothing but itself out of the fleet.
- ``Loaded.fleet`` holds the good documents, so that later steps can give their findings too; whoever wants to
  act on it must first see that no finding is an error.
- Same snapshot, same answer: documents and findings are in path order.

Steps: 1. schemas; 2. paths; 3. each file (``reading``, ``content``); 4. places and identities (``whole``);
5. names (``references``); 6. typed values (``build``). Findings of 4 and 5 know a JSON path; only for them is
the text parsed again, for the line.

>>> load(Snapshot("", "", {}, NoBlobs())).findings[0].message
'there is no federation.yaml'
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from reconciler.documents.build import build_cluster, build_federation
from reconciler.documents.codes import finding
from reconciler.documents.fleet import GROUP, Document, Federation, Fleet
from reconciler.documents.kinds import CLUSTERS, FEDERATION
from reconciler.documents.place import Places
from reconciler.documents.reading import Cache, Reading
from reconciler.documents.references import Names, reference_findings
from reconciler.documents.schema import SchemaSet, schema_set
from reconciler.documents.whole import Candidate, Located, misplaced, path_findings, repeated
from reconciler.errors import RepositoryError
from reconciler.model import Finding, Severity, Snapshot, SourceRef


@dataclass(frozen=True, slots=True)
class Loaded:
    """``fleet`` is None when there is no usable Federation; findings are sorted by path and line."""

    fleet: Fleet | None
    findings: tuple[Finding, ...]


class NoBlobs:
    """The blobs of a snapshot without files."""

    def read(self, blob: str) -> bytes:
        """Raises RepositoryError."""
        raise RepositoryError("no such blob", got=blob)


def load(snapshot: Snapshot, *, cache: Cache | None = None, accepted: Snapshot | None = None) -> Loaded:
    """Read a fleet. ``accepted`` is the last accepted commit: its schemas must be passed as well, so that a
    commit cannot loosen them. Raises RepositoryError when Git cannot give a file."""
    with _collector_paused():
        schemas, findings = schema_set([snapshot] if accepted is None else [snapshot, accepted])
        findings += path_findings(snapshot.files)
        reading = Reading(snapshot, schemas, cache)
        reading.run()
        whole = _Whole(snapshot, reading, schemas)
        fleet = whole.fleet()
        everything = dict.fromkeys([*findings, *reading.findings, *whole.findings])
        return Loaded(fleet, tuple(sorted(everything, key=_order)))


@contextmanager
def _collector_paused() -> Iterator[None]:
    """No cyclic garbage collection while millions of values are made that stay: it took 40 % of the time.

    Nothing made here is cyclic, so nothing piles up.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _Whole:
    """Steps 4 to 6, over all documents together."""

    def __init__(self, snapshot: Snapshot, reading: Reading, schemas: SchemaSet) -> None:
        self.findings: list[Finding] = []
        self._schemas = schemas
        self._snapshot = snapshot
        self._candidates = reading.candidates
        self._unreadable = reading.unreadable
        self._places: dict[str, Places] = {}
        self._dropped: set[str] = set()  # places (path and digest) of documents that are not good

    def fleet(self) -> Fleet | None:
        """The fleet of all good documents; None without a Federation. Fills ``findings``."""
        self._placed()
        document = next((c.document for c in self._of_kind("Federation") if self._is_good(c)), None)
        federation = build_federation(document) if document else None
        self._referenced(self._names(federation))
        if federation is None:
            self._no_federation()
            return None
        good = [c.document for c in self._candidates if self._is_good(c) or c.document is document]
        clusters = [
            build_cluster(d, federation.defaults) for d in good if d.kind == "Cluster" and d.group == GROUP
        ]
        clusters.sort(key=lambda cluster: cluster.name)
        snapshot, schemas = self._snapshot, self._schemas.schemas
        return Fleet(snapshot.commit, snapshot.tree, federation, tuple(clusters), tuple(good), schemas)

    def _placed(self) -> None:
        for candidate in self._candidates:
            self._note(candidate, misplaced(candidate))
        for candidate, located in repeated(self._candidates):
            self._note(candidate, [located])

    def _referenced(self, names: Names) -> None:
        for candidate in self._candidates:
            if self._is_good(candidate):
                self._note(candidate, reference_findings(candidate.document, names))

    def _names(self, federation: Federation | None) -> Names:
        files = [path.split("/") for path in self._snapshot.files if path.startswith(f"{CLUSTERS}/")]
        clusters = {c.document.name for c in self._of_kind("Cluster")}
        # A registration that cannot be read is still one: its own finding is enough.
        clusters |= {parts[1].removesuffix(".yaml") for parts in files if len(parts) == 2}
        roles = {c.document.name: c.document for c in self._of_kind("FederatedRole")}
        return Names(clusters, None if "policies/rbac" in self._unreadable else roles, federation)

    def _no_federation(self) -> None:
        if FEDERATION not in self._snapshot.files:
            self.findings.append(finding("FW1347", FEDERATION, 0, f"there is no {FEDERATION}"))
        elif not any(self._of_kind("Federation")) and FEDERATION not in self._unreadable:
            self.findings.append(finding("FW1347", FEDERATION, 1, f"{FEDERATION} has no Federation"))

    def _of_kind(self, kind: str) -> list[Candidate]:
        return [c for c in self._candidates if c.document.kind == kind and c.document.group == GROUP]

    def _is_good(self, candidate: Candidate) -> bool:
        return candidate.good and _key(candidate.document) not in self._dropped

    def _note(self, candidate: Candidate, located: Iterable[Located]) -> None:
        for found, pointer in located:
            document = candidate.document
            line = self._places_of(document).line(int(document.digest.rpartition("#")[2]), pointer)
            self.findings.append(replace(found, source=SourceRef(document.source.path, line)))
            if found.severity is Severity.ERROR:
                self._dropped.add(_key(document))

    def _places_of(self, document: Document) -> Places:
        path = document.source.path
        if path not in self._places:
            self._places[path] = Places(self._snapshot.read(path))
        return self._places[path]


def _key(document: Document) -> str:
    return f"{document.source.path}\n{document.digest}"


def _order(found: Finding) -> tuple[str, int, str, str]:
    source = found.source or SourceRef("")
    return source.path, source.line, found.code, found.message
