"""Gives an object up: our labels, annotations and field ownership go, and everything else stays as it is.

Rules: one merge patch at the version that was read, so nothing that came in between is lost. The entries of
our field manager in ``managedFields`` are dropped, so that whoever applies the object next owns its fields
without a conflict; where ours were the only ones, the list is reset (``[{}]``, as the API has it).

>>> seen = {"uid": "u", "resourceVersion": "7"}
>>> patch = release_patch({**seen, "labels": {LABEL_MANAGED_BY: "fleetward", "a": "b"}})
>>> patch["metadata"]["labels"]
{'app.kubernetes.io/managed-by': None}
>>> release_patch({**seen, "labels": {"a": "b"}}) is None
True
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.model import APPLYSET_ID, FIELD_MANAGER, LABEL_MANAGED_BY, LABEL_PART_OF, Json

_LABELS = {LABEL_PART_OF: APPLYSET_ID, LABEL_MANAGED_BY: FIELD_MANAGER}
_PREFIX = "fleetward.io/"
MERGE = "application/merge-patch+json"


def release_patch(metadata: Mapping[str, Json]) -> dict[str, Json] | None:
    """The merge patch for an object with this metadata, None where nothing on it is ours."""
    labels = metadata.get("labels") or {}
    annotations = metadata.get("annotations") or {}
    mine = [key for key, value in _LABELS.items() if labels.get(key) == value]
    notes = [key for key in annotations if key.startswith(_PREFIX)]
    fields = metadata.get("managedFields") or []
    others = [entry for entry in fields if entry.get("manager") != FIELD_MANAGER]
    if not mine and not notes and len(others) == len(fields):
        return None
    change: dict[str, Json] = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
    if mine:
        change["labels"] = dict.fromkeys(mine)
    if notes:
        change["annotations"] = dict.fromkeys(notes)
    if len(others) < len(fields):
        change["managedFields"] = others or [{}]
    return {"metadata": change}
