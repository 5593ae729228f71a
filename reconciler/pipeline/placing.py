"""Findings of the compiler know the document and a path inside it; people need the line.

The compile room is pure and has no text, so it names the field as a JSON pointer in ``Finding.rule``
("spec:/spec/rules/0", "schema:/spec/replicas"). Only when there is a finding is the file read again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from reconciler.documents import Fleet, locate
from reconciler.model import Finding, Snapshot, SourceRef

_PREFIXES = ("schema:/", "spec:/")


def place_all(snapshot: Snapshot, fleet: Fleet | None, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings with the lines of their fields, each once."""
    if fleet is None or not findings:
        return tuple(findings)
    indices = {document.source: int(document.digest.rpartition("#")[2]) for document in fleet.documents}
    return tuple(dict.fromkeys(_place(snapshot, indices, finding) for finding in findings))


def _place(snapshot: Snapshot, indices: Mapping[SourceRef, int], finding: Finding) -> Finding:
    source = finding.source
    if source is None or not finding.rule.startswith(_PREFIXES) or source not in indices:
        return finding
    pointer = [_unescape(part) for part in finding.rule.partition(":/")[2].split("/")]
    line = locate(snapshot.read(source.path), indices[source], pointer)
    return replace(finding, source=SourceRef(source.path, line))


def _unescape(part: str) -> str | int:
    # RFC 6901; a key of digits only is rare enough to be shown at its parent's line.
    name = part.replace("~1", "/").replace("~0", "~")
    return int(name) if name.isdecimal() else name
