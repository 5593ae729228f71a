"""Bytes of one file -> JSON values, strictly: anything that two tools could read differently is a problem.

Rules kept here
- Whatever the bytes are, the answer is values and problems: no exception leaves this module, and the work is
  bounded by ``limits``.
- All problems of a file are found, up to the first place where its syntax breaks off.
- Several documents in a file are fine, empty ones are skipped, a ``v1`` ``List`` is flattened into its items.
- JSON is read the same way (it is YAML). Each use of an alias is a copy of its own.

Building values here and not in PyYAML's constructor is twice as fast, and it is what makes repeated keys,
boolean keys and alias bombs visible.

>>> read(b"a: 1\\nb: [yes, '1']\\n").documents
(RawDocument(line=1, value={'a': 1, 'b': [True, '1']}),)
>>> read(b"a: 1\\na: 2\\n").problems[0].message
"the key 'a' is given twice, first at line 1"
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from reconciler.documents.codes import Problem, shown
from reconciler.documents.compose import (
    CONTROL,
    PLAIN,
    QUOTED,
    StopError,
    compose,
    document_nodes,
    line_of,
    text_problems,
    too_deep,
    too_many,
)
from reconciler.documents.limits import MAX_DEPTH, MAX_FINDINGS, MAX_NODES
from reconciler.documents.scalars import NUMBER_START, WORDS, Scalar, ScalarError, number, plain
from reconciler.model import Json

_TAG = "tag:yaml.org,2002:"
_COLLECTIONS: dict[type[Node], str] = {MappingNode: f"{_TAG}map", SequenceNode: f"{_TAG}seq"}
_TYPES: dict[str, tuple[type, ...]] = {
    f"{_TAG}int": (int,),
    f"{_TAG}float": (int, float),
    f"{_TAG}bool": (bool,),
    f"{_TAG}null": (type(None),),
}


@dataclass(frozen=True, slots=True)
class RawDocument:
    """One document that is not empty; ``line`` is that of its first key."""

    line: int
    value: Json


@dataclass(frozen=True, slots=True)
class Read:
    """What one file holds; with problems, the documents are those that could still be read."""

    documents: tuple[RawDocument, ...] = ()
    problems: tuple[Problem, ...] = ()


def read(data: bytes) -> Read:
    """All documents of a file and all problems with it. Never raises."""
    problems = text_problems(data)
    if problems:
        return Read(problems=tuple(problems))
    nodes, broken = compose(data)
    builder = _Builder()
    documents: list[RawDocument] = []
    try:
        for node in nodes:
            documents.extend(_documents(node, builder.build(node, 1)))
    except StopError as stop:
        builder.problems.append(stop.problem)
    return Read(tuple(documents), tuple(builder.problems + broken))


def _documents(root: Node, value: Json) -> Iterator[RawDocument]:
    nodes = document_nodes(root)
    if nodes == [root]:
        yield RawDocument(line_of(root), value)
    elif nodes:
        yield from map(RawDocument, map(line_of, nodes), value["items"])


class _Builder:
    """Nodes -> values. One per file, so that the bound on values holds for the file."""

    __slots__ = ("nodes", "problems")

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.nodes = 0

    def build(self, node: Node, depth: int) -> Json:
        """The value of a node. Raises StopError when a bound is reached."""
        kind = node.__class__
        if kind is ScalarNode:
            return self._scalar(node)
        self._spend(node, depth)
        if node.tag is not PLAIN and node.tag != _COLLECTIONS[kind]:
            self._refuse_tag(node)
        if kind is SequenceNode:
            return [self.build(item, depth + 1) for item in node.value]
        return self._mapping(node, depth + 1)

    def _spend(self, node: Node, depth: int) -> None:
        self.nodes += len(node.value) + 1
        if self.nodes > MAX_NODES:
            raise StopError(too_many(line_of(node)))
        if depth > MAX_DEPTH:  # only aliases get here: what is written was bounded while composing
            raise StopError(too_deep(line_of(node)))

    def _mapping(self, node: Node, depth: int) -> dict[str, Json]:
        result: dict[str, Json] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            # The fast way is for what nearly every key is: a plain word.
            if (
                key_node.tag is not PLAIN
                or key_node.__class__ is not ScalarNode
                or key in _SPECIAL_KEYS
                or key[0] in NUMBER_START
            ):
                key = self._key(key_node)
            if key is None:
                continue
            if key in result:
                first = next(line_of(k) for k, _ in node.value if k.value == key)
                self._note("FW1307", key_node, f"the key {shown(key)} is given twice, first at line {first}")
                continue
            result[key] = self.build(value_node, depth)
        return result

    def _key(self, node: Node) -> str | None:
        """A key that is not a plain word: quoted, or a problem (None)."""
        text = node.value
        if node.__class__ is not ScalarNode:
            self._note("FW1311", node, "a key is not a string", "a string", "a mapping or list")
        elif node.tag is PLAIN and text == "<<":
            self._note("FW1316", node, "merge keys are not read")
        elif node.tag is PLAIN and isinstance(WORDS.get(text), bool):
            hint = f'quote it: "{text}":'
            self._note("FW1312", node, f"the key {text} is a boolean in YAML", "a string", "a boolean", hint)
        else:
            value = self._scalar(node)
            if isinstance(value, str):
                return value
            message = f"the key {shown(text)} is not a string"
            self._note("FW1311", node, message, "a string", shown(value), f'quote it: "{text[:40]}":')
        return None

    def _scalar(self, node: Any) -> Scalar:
        text: str = node.value
        tag = node.tag
        if tag is PLAIN:
            try:
                if text in WORDS:
                    return WORDS[text]
                return number(text) if text[0] in NUMBER_START else text
            except ScalarError as error:
                self._note(error.code, node, str(error), got=shown(text))
                return None
        if tag is not QUOTED and tag != f"{_TAG}str":
            return self._tagged(node)
        if node.style == '"' and not text.isprintable():
            self._check_control(node)
        return text

    def _check_control(self, node: Node) -> None:
        bad = CONTROL.search(node.value)
        if bad:
            got = f"U+{ord(bad[0]):04X}"
            self._note("FW1304", node, "the text has an escaped control character", got=got)

    def _tagged(self, node: Node) -> Scalar:
        """A scalar with a tag: the core ones must fit, all others are refused."""
        try:
            value = plain(node.value)
        except ScalarError as error:
            self._note(error.code, node, str(error), got=shown(node.value))
            return None
        if node.tag not in _TYPES:
            self._refuse_tag(node)
        elif not isinstance(value, _TYPES[node.tag]):
            self._note("FW1310", node, "a value does not fit its tag", _short(node.tag), shown(node.value))
        return value

    def _refuse_tag(self, node: Node) -> None:
        self._note("FW1310", node, "tags are not read", "no tag", shown(_short(node.tag)))

    def _note(
        self, code: str, node: Node, message: str, expected: str = "", got: str = "", hint: str = ""
    ) -> None:
        self.problems.append(Problem(code, line_of(node), message, expected, got, hint))
        if len(self.problems) >= MAX_FINDINGS:
            raise StopError(Problem("FW1318", line_of(node), "the file has more findings than are shown"))


_SPECIAL_KEYS = frozenset({*WORDS, "<<"})


def _short(tag: str) -> str:
    return f"!!{tag.removeprefix(_TAG)}" if tag.startswith(_TAG) else tag
