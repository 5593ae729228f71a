"""One cluster's view of documents: which are placed on it, and how they read there.

Rules kept here
- Each distinct placement is judged once, however many documents carry it.
- A patched document is made once; it is None when a patch does not apply or spoils the document.

>>> from reconciler.documents import Placement
>>> Placement(clusters=("member-a",)).matches("member-b", {})
False
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.compile.overrides import apply_overrides
from reconciler.compile.profiles import mirrored_on
from reconciler.documents import (
    ANNOTATION_OVERRIDES,
    ANNOTATION_PLACEMENT,
    GROUP,
    Cluster,
    Document,
    Override,
    overrides_of,
    placement_of,
)
from reconciler.documents.fleet import Validator
from reconciler.model import Finding

Patched = tuple[Document | None, tuple[Finding, ...]]


@dataclass(frozen=True, slots=True)
class Selection:
    """Judges documents for one cluster; keeps what it has judged."""

    cluster: Cluster
    schemas: Mapping[str, Sequence[Validator]] = field(default_factory=dict)  # the fleet's
    _placed: dict[str, bool] = field(default_factory=dict)
    _patched: dict[tuple[str, str], Patched] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What overrides can tell clusters apart by."""
        return repr(sorted(self.cluster.labels.items()))

    def places(self, document: Document) -> bool:
        """Whether the document goes to the cluster."""
        if document.group == GROUP and document.kind == "Federation":
            return mirrored_on(document, self.cluster)
        if document.group == GROUP:
            return placement_of(document).selects(self.cluster)
        text = _annotation(document, ANNOTATION_PLACEMENT)
        if not text:
            return True
        placed = self._placed.get(text)
        if placed is None:
            placed = self._placed[text] = placement_of(document).selects(self.cluster)
        return placed

    def overrides(self, document: Document) -> Sequence[Override]:
        """The document's overrides that are meant for the cluster, in order."""
        if document.group != GROUP and not _annotation(document, ANNOTATION_OVERRIDES):
            return ()
        return [item for item in overrides_of(document) if item.selector.selects(self.cluster)]

    def patched(self, document: Document) -> Patched:
        """The document as the cluster gets it, and findings FW1401 to FW1403."""
        overrides = self.overrides(document)
        if not overrides:
            return document, ()
        key = (document.source.path, document.digest)
        if key not in self._patched:
            self._patched[key] = apply_overrides(document, overrides, self.schemas)
        return self._patched[key]


def _annotation(document: Document, name: str) -> str:
    annotations = document.body["metadata"].get("annotations")
    return str(annotations.get(name) or "") if annotations else ""
