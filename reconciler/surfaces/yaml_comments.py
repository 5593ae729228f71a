"""Where ruamel.yaml keeps comment lines, and how they stay when a field is removed or replaced.

It hangs the lines between two fields onto the value before them, however deep that value ends. Here such
lines are called the *tail* of a field: they are about what follows, so they must not go with the field, and a
field that is added at the end has to come before them.
"""

from __future__ import annotations

from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark
from ruamel.yaml.scalarstring import FoldedScalarString, LiteralScalarString
from ruamel.yaml.tokens import CommentToken

_VALUE, _BEFORE = 2, 1  # slots of a mapping's entry in ``ca.items``: after its value, before its key


def replace(mapping: CommentedMap, key: str, node: Any) -> None:
    """Set a field to a new node; what was on the old one's own lines goes."""
    old = mapping.get(key)
    before = key if key in mapping else next(reversed(mapping), None)
    tail = _cut(mapping, before) if before is not None else ""
    if key in mapping:
        mapping.ca.items.pop(key, None)
    if isinstance(old, CommentedMap | CommentedSeq) and isinstance(node, CommentedMap | CommentedSeq):
        (node.fa.set_flow_style if old.fa.flow_style() else node.fa.set_block_style)()
    mapping[key] = node
    _hang(mapping, key, tail)


def remove(mapping: CommentedMap, key: str) -> None:
    """Take a field out; its tail goes to the field before it, or stands before the one after it."""
    keys = list(mapping)
    at = keys.index(key)
    tail = _cut(mapping, key)
    lead = (mapping.ca.items.get(key) or [None] * 4)[_BEFORE]
    mapping.ca.items.pop(key, None)
    del mapping[key]
    if at:
        _hang(mapping, keys[at - 1], tail)
    elif len(keys) > 1:
        _lead(mapping, keys[1], tail, lead or [])


def _end(parent: Any, key: Any) -> tuple[Any, Any]:
    """The scalar, empty or flow collection that the field's text ends with."""
    value = parent[key]
    while isinstance(value, CommentedMap | CommentedSeq) and value and not value.fa.flow_style():
        last = len(value) - 1 if isinstance(value, CommentedSeq) else next(reversed(value))
        parent, key, value = value, last, value[last]
    return parent, key


def _slot(parent: Any) -> int:
    return 0 if isinstance(parent, CommentedSeq) else _VALUE


def _is_block(value: Any) -> bool:
    """A block scalar ends its own last line, so its comment begins with the next one."""
    return isinstance(value, LiteralScalarString | FoldedScalarString)


def _cut(parent: Any, key: Any) -> str:
    """Take a field's tail off: whole lines, with their indentation."""
    parent, key = _end(parent, key)
    entry = parent.ca.items.get(key)
    token = entry[_slot(parent)] if entry else None
    if token is None:
        return ""
    own, newline, tail = token.value.partition("\n")
    if _is_block(parent[key]):
        own, tail = "", token.value
    if own:
        token.value = own + newline
    else:
        entry[_slot(parent)] = None
    return str(tail)


def _hang(parent: Any, key: Any, tail: str) -> None:
    """Put lines below a field, after those that are there."""
    if not tail:
        return
    parent, key = _end(parent, key)
    entry = parent.ca.items.setdefault(key, [None] * 4)
    token = entry[_slot(parent)]
    if token is None:
        start = "" if _is_block(parent[key]) else "\n"
        entry[_slot(parent)] = CommentToken(start + tail, CommentMark(0), None)
    else:
        token.value = token.value.rstrip(" ") + ("" if token.value.endswith("\n") else "\n") + tail


def _lead(mapping: CommentedMap, key: str, tail: str, lead: list[Any]) -> None:
    """Put lines above a field that has become the first of its mapping."""
    column = mapping.lc.col
    for line in tail.splitlines():
        text = line.strip()
        lead = [*lead, CommentToken(f"{text}\n", CommentMark(column if text else 0), None)]
    entry = mapping.ca.items.setdefault(key, [None] * 4)
    entry[_BEFORE] = [*lead, *(entry[_BEFORE] or [])] or None
