"""Who wrote which field of a live object, by its ``managedFields``: the API server's own account.

- A field that somebody owns and that was not applied is named with its manager. What nobody owns is a
  default.
- Names of managers are chosen by who writes, so that holds for a manager called as ours is too.
- A list or map that is owned as a whole is named when somebody else wrote it, whatever is in it now.
- Status, and the metadata that a write of a subresource leaves, do not count; nor do the rules that the
  control plane fills into an aggregated role.

Format: ``fieldsV1`` of meta/v1 (structured-merge-diff): "f:name", 'k:{"name":"a"}', 'v:"x"', "i:0", ".".

>>> entry = {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:data": {"f:size": {}}}}
>>> list(foreign_fields({"data": {"colour": "blue"}}, {"metadata": {"managedFields": [entry]}}))
['.data.size was written by kubectl-edit (Update)']
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from reconciler.model import FIELD_MANAGER, Json

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
_ABSENT: Final = object()


def foreign_fields(applied: Json, live: Json) -> Iterator[str]:
    """Fields that somebody owns and that were not applied, and whole values that others wrote."""
    entries = live.get("metadata", {}).get("managedFields") or ()
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("fieldsV1"), dict):
            continue
        fields = entry["fieldsV1"]
        if entry.get("subresource"):  # what a subresource is there to write
            fields = {key: value for key, value in fields.items() if key not in ("f:status", "f:metadata")}
        manager, operation = str(entry.get("manager", "")), str(entry.get("operation", ""))
        ours = (manager, operation) == (FIELD_MANAGER, "Apply")
        for path in _owned("", fields, applied, ours):
            if not (path == ".rules" and "aggregationRule" in applied) and not path.startswith(".status"):
                yield f"{path} was written by {manager} ({operation})"


def _owned(path: str, fields: Json, applied: Json, ours: bool) -> Iterator[str]:
    """An entry's leaves that ``applied`` lacks, and of others' leaves those that are whole values."""
    for name, below in fields.items():
        if name == "." or not isinstance(below, dict):
            continue
        inner, value = _step(path, name, applied)
        if value is _ABSENT:
            yield inner
        elif below.keys() - {"."}:
            yield from _owned(inner, below, value, ours)
        elif not ours and "." not in below and isinstance(value, dict | list) and value:
            yield inner


def _step(path: str, name: str, applied: Json) -> tuple[str, Json]:
    """The path of a step ('k:{"name":"a"}'), and the value applied there, ``_ABSENT`` for none."""
    sort, _, rest = name.partition(":")
    if sort == "f":
        found = applied.get(rest, _ABSENT) if isinstance(applied, dict) else _ABSENT
        return join(path, rest), found
    inner = f"{path}[{rest}]"
    if not isinstance(applied, list):
        return inner, _ABSENT
    try:
        key = orjson.loads(rest)
    except orjson.JSONDecodeError:
        return inner, _ABSENT
    if sort == "k" and isinstance(key, dict):
        return inner, next((item for item in applied if _has_key(item, key)), _ABSENT)
    if sort == "v":
        return inner, next((item for item in applied if item == key), _ABSENT)
    if sort == "i" and isinstance(key, int):
        return inner, applied[key] if 0 <= key < len(applied) else _ABSENT
    return inner, _ABSENT


def _has_key(item: Json, key: Mapping[str, Json]) -> bool:
    """Whether it is the item of this key; what the API server filled in (a port's protocol) may be absent."""
    if not isinstance(item, dict) or not item.keys() & key.keys():
        return False
    return all(item[name] == value for name, value in key.items() if name in item)


def join(path: str, key: str) -> str:
    """A path as kubectl writes it: ``.data["a.b"]``."""
    return f"{path}.{key}" if _PLAIN_KEY.match(key) else f'{path}["{key}"]'


@dataclass(frozen=True, slots=True)
class Contested:
    """A field that we apply and ``manager`` owns; ``taken``: we no longer do."""

    path: str
    manager: str
    taken: bool

    def __str__(self) -> str:
        return f"{self.path} {'was taken by' if self.taken else 'is shared with'} {self.manager}"


def contested_fields(applied: Json, live: Json) -> Iterator[Contested]:
    """The fields of ``applied`` that another manager owns too, or alone.

    >>> fields = {"f:data": {"f:size": {}}}
    >>> entry = {"manager": "kubectl", "operation": "Apply", "fieldsV1": fields}
    >>> live = {"metadata": {"managedFields": [entry]}}
    >>> [str(one) for one in contested_fields({"data": {"size": "1"}}, live)]
    ['.data.size was taken by kubectl (Apply)']
    """
    entries = live.get("metadata", {}).get("managedFields") or ()
    entries = [e for e in entries if isinstance(e, dict) and isinstance(e.get("fieldsV1"), dict)]
    ours = {path for e in entries if _is_ours(e) for path in _applied("", e["fieldsV1"], applied)}
    for entry in entries:
        if not _is_ours(entry):
            manager = f"{entry.get('manager', '')} ({entry.get('operation', '')})"
            for path in _applied("", entry["fieldsV1"], applied):
                yield Contested(path, manager, path not in ours)


def _is_ours(entry: Mapping[str, Json]) -> bool:
    return (entry.get("manager"), entry.get("operation")) == (FIELD_MANAGER, "Apply")


def _applied(path: str, fields: Json, applied: Json) -> Iterator[str]:
    """The leaves of an entry that are in ``applied``."""
    for name, below in fields.items():
        if name == "." or not isinstance(below, dict):
            continue
        inner, value = _step(path, name, applied)
        if value is not _ABSENT:
            if below.keys() - {"."}:
                yield from _applied(inner, below, value)
            elif "." not in below:
                yield inner
