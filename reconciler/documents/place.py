"""JSON path -> line: where in the text of a file a field stands. Used only when a finding needs its line.

Rules kept here
- Documents are counted as ``reader`` counts them: empty ones not at all, the items of a ``List`` one by one.
- A path that is not there gives the line of its nearest parent that is (a missing field: its mapping).
- Any bytes get an answer; text that cannot be parsed has everything at line 1.

>>> locate(b"kind: A\\nspec:\\n  ports:\\n  - 80\\n  - x\\n", 0, ["spec", "ports", 1])
5
"""

from __future__ import annotations

from collections.abc import Sequence

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from reconciler.documents.compose import PLAIN, compose, document_nodes, line_of, text_problems


class Places:
    """The lines of one file, parsed once, when the first question is asked."""

    __slots__ = ("_documents", "_text")

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._documents: list[Node] | None = None

    def line(self, index: int, pointer: Sequence[str | int]) -> int:
        """The line, from 1, of a path in document ``index``: of a mapping's key, of a list's item."""
        return self._walk(index, pointer)[0]

    def plain_text(self, index: int, pointer: Sequence[str | int]) -> str | None:
        """How an unquoted scalar is written (``yes``, not True); None if it is quoted or no scalar."""
        _, node = self._walk(index, pointer)
        return str(node.value) if isinstance(node, ScalarNode) and node.tag is PLAIN else None

    def _walk(self, index: int, pointer: Sequence[str | int]) -> tuple[int, Node | None]:
        documents = self._nodes()
        if not 0 <= index < len(documents):
            return 1, None
        node = documents[index]
        line = line_of(node)
        for step in pointer:
            found = _step(node, step)
            if found is None:
                return line, None
            line, node = found
        return line, node

    def _nodes(self) -> list[Node]:
        if self._documents is None:
            roots = [] if text_problems(self._text) else compose(self._text)[0]
            self._documents = [node for root in roots for node in document_nodes(root)]
        return self._documents


def locate(text: bytes, index: int, pointer: Sequence[str | int]) -> int:
    """The line of a JSON path in document ``index`` of a file. Parses the text: ask only for findings."""
    return Places(text).line(index, pointer)


def _step(node: Node, step: str | int) -> tuple[int, Node] | None:
    if isinstance(step, int) and node.__class__ is SequenceNode and 0 <= step < len(node.value):
        return line_of(node.value[step]), node.value[step]
    if node.__class__ is MappingNode:
        for key, value in node.value:
            if key.value == step:
                return line_of(key), value
    return None
