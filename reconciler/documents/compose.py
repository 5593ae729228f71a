"""Bytes of one file -> YAML nodes with lines: the first half of ``reader``, and all that ``place`` needs.

Rules kept here
- Size before decoding, encoding and control characters before parsing, depth while parsing.
- An explicit tag stays on the node; ``node.tag`` is ``PLAIN`` for an untagged scalar or collection and
  ``QUOTED`` for a quoted or block scalar.
- A ``v1`` ``List`` counts as its items, an empty document as none.

>>> nodes, problems = compose(b"a: 1\\n---\\n---\\nb: 2\\n")
>>> [line_of(node) for root in nodes for node in document_nodes(root)], problems
([1, 4], [])
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from yaml import MarkedYAMLError, YAMLError
from yaml._yaml import CParser
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from reconciler.documents.codes import Problem
from reconciler.documents.limits import MAX_DEPTH, MAX_FILE_BYTES, MAX_FINDINGS, MAX_NODES
from reconciler.documents.scalars import WORDS

PLAIN, QUOTED = None, False
_BOM = b"\xef\xbb\xbf"
_CONTROL_BYTES = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_TAG_DIRECTIVE = re.compile(rb"(?m:^|\r|\xef\xbb\xbf|\xc2\x85|\xe2\x80[\xa8\xa9])%TAG")
# C0 and C1 controls, marks that change the direction of text on screen, byte order marks, non-characters.
CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]"
)


class StopError(YAMLError):
    """Ends the reading of a file for a problem of our own."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class _Composer(CParser):
    """libyaml's composer, which calls these three for every node: no resolving, and the depth is bounded."""

    depth = 0
    nodes = 0

    def resolve(self, kind: type[Node], _value: str | None, implicit: Any) -> Any:
        """Tells plain scalars from quoted ones; explicit tags never come here."""
        return QUOTED if kind is ScalarNode and not implicit[0] else PLAIN

    def descend_resolver(self, parent: Node | None, _index: Any) -> None:
        """Called before a node is composed; stops libyaml's recursion before the stack ends."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise StopError(too_many(line_of(parent)))
        self.depth += 1
        if self.depth > MAX_DEPTH + 1:
            raise StopError(too_deep(line_of(parent)))

    def ascend_resolver(self) -> None:
        """Called after a node."""
        self.depth -= 1


def text_problems(data: bytes) -> list[Problem]:
    """What is wrong with the bytes before anything is parsed: size, encoding, control characters."""
    if len(data) > MAX_FILE_BYTES:
        got = f"{len(data)} bytes"
        return [Problem("FW1301", 0, "the file is too large", f"at most {MAX_FILE_BYTES} bytes", got)]
    directive = _TAG_DIRECTIVE.search(data) if b"%TAG" in data else None
    if directive:  # libyaml compares each with all others: a minute for 1 MiB of them
        line = data.count(b"\n", 0, directive.start()) + 1
        return [Problem("FW1310", line, "tags are not read", "no %TAG directive", "%TAG")]
    if data.isascii():
        return [_control(data.count(b"\n", 0, m.start()), m[0].decode()) for m in _some(_CONTROL_BYTES, data)]
    try:
        text = data.removeprefix(_BOM).decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return [Problem("FW1303", line, "the file is not UTF-8", "UTF-8", f"byte 0x{data[error.start]:02x}")]
    return [_control(text.count("\n", 0, m.start()), m[0]) for m in _some(CONTROL, text)]


def compose(data: bytes) -> tuple[list[Node], list[Problem]]:
    """The root nodes of a file that has no ``text_problems``, and at most one problem where it breaks off."""
    parser = _Composer(data.removeprefix(_BOM))
    nodes: list[Node] = []
    try:
        while parser.check_node():
            node = parser.get_node()
            if node is not None:
                nodes.append(node)
    except StopError as stop:
        return nodes, [stop.problem]
    except YAMLError as error:
        return nodes, [_syntax(data, error)]
    return nodes, []


def document_nodes(root: Node) -> list[Node]:
    """The nodes of the documents under a root: itself, the items of a ``v1`` ``List``, none if empty."""
    if root.__class__ is ScalarNode and root.tag is PLAIN and WORDS.get(root.value, True) is None:
        return []
    if root.__class__ is MappingNode and _text(root, "kind") == "List" and _text(root, "apiVersion") == "v1":
        items = child(root, "items")
        return list(items.value) if items.__class__ is SequenceNode else [root]
    return [root]


def child(node: Node, key: str) -> Any:
    """The value node of a mapping's key, None if it has none. Of repeated keys the first counts."""
    return next((value_node for key_node, value_node in node.value if key_node.value == key), None)


def line_of(node: Node | None) -> int:
    """The node's line, counted from 1."""
    return node.start_mark.line + 1 if node is not None else 0


def too_deep(line: int) -> Problem:
    """The problem of a value that is nested deeper than MAX_DEPTH."""
    return Problem("FW1308", line, "values are nested too deeply", f"at most {MAX_DEPTH} levels")


def too_many(line: int) -> Problem:
    """The problem of a file that has more than MAX_NODES values."""
    return Problem("FW1309", line, "the file has too many values", f"at most {MAX_NODES}")


def _text(root: Node, key: str) -> Any:
    return getattr(child(root, key), "value", None)


def _some(pattern: re.Pattern[Any], text: Any) -> Iterator[re.Match[Any]]:
    return islice(pattern.finditer(text), MAX_FINDINGS)


def _control(newlines: int, character: str) -> Problem:
    what = "a byte order mark inside the text" if character == "\ufeff" else "a control character"
    return Problem("FW1304", newlines + 1, f"the text has {what}", "", f"U+{ord(character):04X}")


def _syntax(data: bytes, error: YAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark if isinstance(error, MarkedYAMLError) else None
    if mark is None or not isinstance(error, MarkedYAMLError):
        return Problem("FW1305", 0, "the YAML cannot be read")
    lines = data.splitlines() or [b""]
    source = lines[min(mark.line, len(lines) - 1)]
    reason = " ".join(part for part in (error.context, error.problem) if part)
    if b"\t" in source[: len(source) - len(source.lstrip())] or "'\\t'" in reason:
        return Problem("FW1306", mark.line + 1, "a tab is used as indentation", "spaces", "a tab")
    return Problem("FW1305", mark.line + 1, f"the YAML cannot be read: {reason}")
