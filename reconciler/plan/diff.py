"""Field-level differences between two Kubernetes objects.

Fields that the API server writes are not compared, values of Secrets are never shown, and lists whose
items all have a unique ``name`` are compared by name, so that an insertion is one change.

>>> diff_objects({"spec": {"replicas": 1}}, {"spec": {"replicas": 3}})
(FieldChange(path='.spec.replicas', before=1, after=3),)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest

from reconciler.model import ANNOTATION_DIGEST, Json
from reconciler.plan.changes import FieldChange

_SERVER_FIELDS = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
_HIDDEN = "(sensitive)"


def comparable(body: Json) -> Json:
    """The object without what the API server writes: status and the volatile metadata."""
    stripped = {key: value for key, value in body.items() if key != "status"}
    metadata = body.get("metadata") or {}
    stripped["metadata"] = {key: value for key, value in metadata.items() if key not in _SERVER_FIELDS}
    return stripped


def diff_objects(before: Json | None, after: Json | None) -> tuple[FieldChange, ...]:
    """Every differing field, in path order; our own digest annotation only follows and is left out."""
    old, new = comparable(before or {}), comparable(after or {})
    secret = "Secret" in (old.get("kind"), new.get("kind"))
    changes = _walk("", old, new)
    return tuple(_hide(change) if secret else change for change in changes if not _is_digest(change.path))


def _is_digest(path: str) -> bool:
    return path.endswith(f'["{ANNOTATION_DIGEST}"]')


def _hide(change: FieldChange) -> FieldChange:
    if not change.path.startswith((".data", ".stringData")):
        return change
    hidden = [None if value is None else _HIDDEN for value in (change.before, change.after)]
    return FieldChange(change.path, hidden[0], hidden[1])


def _walk(path: str, old: Json, new: Json) -> Iterator[FieldChange]:
    if type(old) is type(new) and old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _walk(_join(path, key), old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list):
        yield from _walk_lists(path, old, new)
    else:
        yield FieldChange(path, old, new)


def _walk_lists(path: str, old: list[Json], new: list[Json]) -> Iterator[FieldChange]:
    old_named, new_named = _by_name(old), _by_name(new)
    if old_named is not None and new_named is not None:
        for name in dict.fromkeys([*old_named, *new_named]):
            yield from _walk(f'{path}[name="{name}"]', old_named.get(name), new_named.get(name))
    else:
        for index, (left, right) in enumerate(zip_longest(old, new)):
            yield from _walk(f"{path}[{index}]", left, right)


def _by_name(items: list[Json]) -> dict[str, Json] | None:
    named = {item["name"]: item for item in items if isinstance(item, dict) and "name" in item}
    return named if len(named) == len(items) else None


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if _PLAIN_KEY.match(key) else f'{path}["{key}"]'
