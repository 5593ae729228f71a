"""Where a document goes and how it differs there: ``placement`` and ``overrides`` as typed values.

Rules kept here
- Our own kinds carry both in ``spec``; a plain manifest carries them as YAML or JSON text in the annotations
  ``fleetward.io/placement`` and ``fleetward.io/overrides``.
- A document that ``load`` let into the Fleet has passed the schema, so reading it here cannot fail.
- No placement means every cluster.

>>> parse_placement({"clusterSelector": {"matchLabels": {"tier": "prod"}}}).match_labels
{'tier': 'prod'}
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from reconciler.documents.fleet import GROUP, Document, Override, Placement, Requirement
from reconciler.documents.reader import read
from reconciler.model import Json

ANNOTATION_PLACEMENT = f"{GROUP}/placement"
ANNOTATION_OVERRIDES = f"{GROUP}/overrides"
ANNOTATION_CONFLICT = f"{GROUP}/conflict"


def placement_of(document: Document) -> Placement:
    """The document's placement; ``Placement()`` (everywhere) when it has none."""
    if document.group == GROUP:
        return parse_placement(document.body["spec"].get("placement", {}))
    text = _annotation(document, ANNOTATION_PLACEMENT)
    return _placement_from_text(text) if text else Placement()


def overrides_of(document: Document) -> tuple[Override, ...]:
    """The document's overrides in the order in which they apply."""
    if document.group == GROUP:
        return parse_overrides(document.body["spec"].get("overrides", []))
    text = _annotation(document, ANNOTATION_OVERRIDES)
    return _overrides_from_text(text) if text else ()


def parse_placement(value: dict[str, Json]) -> Placement:
    """``{clusters, clusterSelector}`` of a value that has passed the schema."""
    clusters = value.get("clusters")
    selector = value.get("clusterSelector", {})
    return Placement(
        clusters=None if clusters is None else tuple(clusters),
        match_labels=selector.get("matchLabels", {}),
        match_expressions=tuple(_requirement(item) for item in selector.get("matchExpressions", ())),
    )


def parse_overrides(value: list[Json]) -> tuple[Override, ...]:
    """``[{clusterSelector, patch}]`` of a value that has passed the schema."""
    return tuple(Override(parse_placement(_selector_only(item)), item["patch"]) for item in value)


def _selector_only(item: dict[str, Json]) -> dict[str, Json]:
    return {"clusterSelector": item.get("clusterSelector", {})}


def _requirement(item: dict[str, Any]) -> Requirement:
    return Requirement(item["key"], item["operator"], tuple(item.get("values") or ()))


def _annotation(document: Document, name: str) -> str:
    annotations = document.body["metadata"].get("annotations") or {}
    return str(annotations.get(name, ""))


# A fleet has few placements and many documents, and each is asked once per cluster.
@lru_cache(maxsize=4096)
def _placement_from_text(text: str) -> Placement:
    return parse_placement(value_of_text(text))


@lru_cache(maxsize=4096)
def _overrides_from_text(text: str) -> tuple[Override, ...]:
    return parse_overrides(value_of_text(text))


def value_of_text(text: str) -> Json:
    """The value of an annotation's YAML or JSON text; None if it is not exactly one document."""
    documents = read(text.encode(errors="surrogateescape")).documents
    return documents[0].value if len(documents) == 1 else None
