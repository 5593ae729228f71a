"""What is wrong with the fleet as a whole: places, identities, and names that nothing answers to.

Rules kept here
- A document lies in the folder of its kind; clusters/<name>.yaml holds the Cluster <name>.
- (group, kind, namespace, name) is there once; both places are named when it is not.
- A name counts as known when any document has it, even a bad one, so that one mistake gives one finding; when
  a file that could hold the name cannot be read, nothing is said about missing names.

>>> from reconciler.model import SourceRef
>>> role = Document("v1", "ConfigMap", "a", "", {}, SourceRef("policies/rbac/a.yaml", 1), "b#0")
>>> [found.hint for found, _ in misplaced(Candidate(role, "policies/rbac", True))]
['plain manifests belong in policies/manifests/']
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from unicodedata import normalize

from reconciler.documents.codes import did_you_mean, finding, shown
from reconciler.documents.fleet import GROUP, Document
from reconciler.documents.kinds import AREA_OF_KIND, CLUSTERS, MANIFESTS, area_of, stray
from reconciler.model import API_VERSION, Finding, Severity

Pointer = list[str | int]
Located = tuple[Finding, Pointer]  # the finding says line 0 until its pointer is looked up


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document that has an identity, where it lies, and whether its content is good."""

    document: Document
    area: str
    good: bool


def path_findings(paths: Iterable[str]) -> Iterator[Finding]:
    """Paths that collide on a disk that ignores case, and files that look meant to be read but are not."""
    seen: dict[str, str] = {}
    for path in paths:
        folded = path.lower() if path.isascii() else normalize("NFC", path).casefold()
        first = seen.setdefault(folded, path)
        if first != path and (area_of(first) or area_of(path)):
            yield finding("FW1336", path, 0, f"the path differs from {shown(first)} only in case")
        if area_of(path) is None:
            hint = stray(path)
            if hint:
                message = "the file is not read: it is not where the fleet's files are"
                yield finding("FW1332", path, 0, message, hint=hint, severity=Severity.WARNING)


def misplaced(candidate: Candidate) -> Iterator[Located]:
    """The findings of a document that lies in the wrong folder or file."""
    document, area = candidate.document, candidate.area
    if document.group != GROUP and area != MANIFESTS:
        hint = did_you_mean(document.api_version, [API_VERSION], f"plain manifests belong in {MANIFESTS}/")
        message = f"only {GROUP} kinds are read in {area}"
        yield _about(document, "FW1330", message, got=shown(document.api_version), hint=hint), ["apiVersion"]
    elif document.group == GROUP and AREA_OF_KIND.get(document.kind, area) != area:
        home = AREA_OF_KIND[document.kind]
        where = home if home.endswith(".yaml") else f"{home}/"
        facts = {"expected": where, "got": area, "hint": f"move it to {where}"}
        yield _about(document, "FW1332", f"a {document.kind} does not belong here", **facts), ["kind"]
    elif area == CLUSTERS and document.source.path != f"{CLUSTERS}/{document.name}.yaml":
        expected = f"{CLUSTERS}/{document.name}.yaml"
        message = "the file is not named after its cluster"
        yield _about(document, "FW1334", message, expected=expected), ["metadata", "name"]


def repeated(candidates: Iterable[Candidate]) -> Iterator[tuple[Candidate, Located]]:
    """Each document whose identity an earlier one has already."""
    seen: dict[tuple[str, str, str, str], Document] = {}
    for candidate in candidates:
        document = candidate.document
        name = "" if document.kind == "Federation" and document.group == GROUP else document.name  # only one
        key = (document.group, document.kind, document.namespace, name)
        first = seen.setdefault(key, document)
        if first is not document:
            message = f"{document.subject} is defined twice: here and at {first.source}"
            yield candidate, (_about(document, "FW1335", message), ["metadata", "name"])


def _about(
    document: Document, code: str, message: str, *, expected: str = "", got: str = "", hint: str = ""
) -> Finding:
    source, subject = document.source, document.subject
    return finding(
        code, source.path, source.line, message, subject=subject, expected=expected, got=got, hint=hint
    )
