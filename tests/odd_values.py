"""A good document in which one value is another: for parsers of files whose form somebody else chose."""

from __future__ import annotations

import copy
import datetime
from collections.abc import Iterator
from typing import Any

import yaml
from hypothesis import strategies as st

# Also what YAML has and JSON has not: keys that are no text, bytes, sets, dates, large numbers.
ODD = (
    None, True, 5, -1, 1.5, 10**30, float("nan"), float("inf"), datetime.date(2026, 1, 1), b"hi", {"q"},
    "", "x", "\u00e9\u2028", "a\0b", "\u00e9=", "====", "..", "/etc", "/" * 5000,
    [], [5], [None], [[]], {}, {"a": 1}, {5: 6}, {None: None},
)  # fmt: skip
# What PyYAML fails at by other exceptions than its own, or reads without an end.
TEXTS = (
    "? ", "1: 2", "a: 2026-13-45", "a: 2026-01-01T25:00:00Z", "a: !!int x", "a: !!timestamp x",
    "a: !!binary x=", "a: !!set {b}", "a: 0b", "&a {b: *a}", "[" * 2000,
)  # fmt: skip


def altered(*documents: Any) -> st.SearchStrategy[bytes]:
    """One of the documents as YAML, with any one of its values replaced; or a text that is none."""
    places = [(document, place) for document in documents for place in _places(document)]
    made = st.tuples(st.sampled_from(places), st.sampled_from(ODD)).map(
        lambda drawn: yaml.dump(_with(*drawn[0], drawn[1])).encode()
    )
    return made | st.sampled_from(TEXTS).map(str.encode) | st.binary(max_size=80)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _places(inner, (*path, key))


def _with(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    whole = copy.deepcopy(document)
    part = whole
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    return whole
