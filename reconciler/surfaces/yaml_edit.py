"""Edits of a YAML document that keep its comments, order and layout, and change nothing that was not meant.

Rules kept here
- An edit is a function from the document to nothing. It is applied twice: to the plain value as ``documents``
  reads it, and to the tree of ruamel.yaml. What is written has to read as the first, or nothing is written:
  YAML 1.1 and 1.2, aliases and odd layouts cannot change a value unnoticed.
- An edit that changes no value gives back the very same text.
- Comment lines before and after a field stay when it is removed: what they say is for a person to judge.
  Lines below a field are about what follows it, so a new field comes before them. What is on a removed line,
  or between the lines of a removed collection, goes with it.

>>> text = "a: # one\\n  b: 1\\n  # about c\\n  c: yes\\n"
>>> print(edited(text, lambda document: remove(document["a"], "b"), name="a.yaml"), end="")
a: # one
  # about c
  c: yes
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from io import StringIO
from typing import Any

from reconciler.documents.reader import read
from reconciler.documents.scalars import WORDS
from reconciler.errors import SettingsError

Document = Any  # a mapping, plain or of ruamel.yaml
Edit = Callable[[Document], None]
# What every YAML reader takes for a text without quotes: words, and durations such as 1h30m.
_PLAIN = re.compile(r"[A-Za-z](?:[A-Za-z0-9_./:-]*[A-Za-z0-9])?|(?:[0-9]+(?:ms|[hms]))+", re.ASCII)
_LAYOUTS = ((2, 2, 0), (2, 4, 2), (4, 4, 0), (4, 4, 2), (4, 6, 2))  # indent of mapping, list; offset of "-"


def edited(text: str, edit: Edit, *, name: str) -> str:
    """``text`` of the file ``name`` after ``edit``. Raises SettingsError."""
    from ruamel.yaml.error import YAMLError

    try:
        before = _value(text, name)
        after = deepcopy(before)
        edit(after)
        if after == before:
            return text
        new = _round_trip(text, edit)
    except (YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise _unfit(name, str(error).partition("\n")[0]) from error
    again = read(new.encode())
    if again.problems or [document.value for document in again.documents] != [after]:
        raise _unfit(name, "a layout in which one change would change something else too")
    return new


def _value(text: str, name: str) -> Any:
    found = read(text.encode())
    if found.problems:
        first = found.problems[0]
        raise _unfit(f"{name}:{first.line}", first.message)
    if len(found.documents) != 1:
        raise _unfit(name, f"{len(found.documents)} documents")
    return found.documents[0].value


def _unfit(where: str, got: str) -> SettingsError:
    name = where.partition(":")[0].rpartition("/")[2]
    return SettingsError(
        f"{name} cannot be edited", where=where, got=got,
        hint="mend it first, or edit it by hand: `fleetward check --worktree` says what is wrong",
    )  # fmt: skip


def _round_trip(text: str, edit: Edit) -> str:
    """The edit on the tree of ruamel.yaml, written in the layout that leaves the text most as it is."""
    unix = text.replace("\r\n", "\n")
    lines = unix.splitlines()
    tried = [(_moved(lines, _through(unix, layout)), layout) for layout in _LAYOUTS]
    new = _through(unix, min(tried)[1], edit)
    return new.replace("\n", "\r\n") if "\r\n" in text else new


def _through(text: str, layout: tuple[int, int, int], edit: Edit | None = None) -> str:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(*layout)
    document = yaml.load(text)
    if edit:
        edit(document)
    out = StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _moved(lines: list[str], written: str) -> int:
    """How many lines a mere round trip changes."""
    now = written.splitlines()
    return sum(a != b for a, b in zip(lines, now, strict=False)) + abs(len(lines) - len(now))


def put(mapping: Any, key: str, value: Any) -> None:
    """Set a field, at the end if it is new. An equal value leaves everything as it is."""
    if key in mapping and mapping[key] == value:
        return
    if not hasattr(mapping, "ca"):  # the plain value
        mapping[key] = value
        return
    old = mapping.get(key)
    if isinstance(old, str) and isinstance(value, str):
        mapping[key] = _styled(old, value)
        return
    scalars = not isinstance(old, dict | list) and not isinstance(value, dict | list)
    if key in mapping and scalars:
        mapping[key] = _node(value)
        return
    from reconciler.surfaces import yaml_comments

    yaml_comments.replace(mapping, key if key in mapping else _scalar(key), _node(value))


def remove(mapping: Any, key: str) -> None:
    """Take a field out, if it is there."""
    if key not in mapping:
        return
    if hasattr(mapping, "ca"):
        from reconciler.surfaces import yaml_comments

        yaml_comments.remove(mapping, key)
    else:
        del mapping[key]


def block(text: str) -> str:
    """A text of several lines, to be written as a literal block."""
    from ruamel.yaml.scalarstring import LiteralScalarString

    literal: str = LiteralScalarString(text.strip() + "\n")
    return literal


def as_yaml(value: Any) -> str:
    """A JSON value as YAML, for people and for every YAML reader."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 4096
    out = StringIO()
    yaml.dump(_node(value), out)
    return out.getvalue()


def _styled(old: str, new: str) -> str:
    """A new text, quoted as the old one was."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString, SingleQuotedScalarString

    quoted = isinstance(old, DoubleQuotedScalarString | SingleQuotedScalarString)
    return type(old)(new) if quoted and "\n" not in new else _scalar(new)


def _scalar(text: str) -> str:
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString, ScalarString

    if isinstance(text, ScalarString) or (_PLAIN.fullmatch(text) and text not in WORDS):
        return text
    return block(text) if text.strip() + "\n" == text and text.isascii() else DoubleQuotedScalarString(text)


def _node(value: Any) -> Any:
    """A JSON value as ruamel.yaml's tree; texts are quoted where a reader could take them for no text."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if isinstance(value, dict):
        return CommentedMap((_scalar(key), _node(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return CommentedSeq(_node(item) for item in value)
    return _scalar(value) if isinstance(value, str) else value
