"""The part of GitHub's expression language that our workflows use, evaluated on a plain context.

Rules kept here
- Literals in single quotes, dotted names, ``==``, ``!=``, ``!``, ``&&``, ``||``, ``always()``.
- A name that the context does not have is "", as on GitHub; whatever else is not understood is an error, so
  that a workflow cannot grow an expression that these tests silently skip.

>>> evaluate("github.event.number == '7' && vars.ON", {"github": {"event": {"number": "7"}}, "vars": {}})
''
>>> expand("PR ${{ github.event.number }}", {"github": {"event": {"number": 7}}})
'PR 7'
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|&&|\|\||==|!=|!|\(|\)|[A-Za-z_][\w.-]*)")
_FUNCTIONS = {"always": True}


def expand(text: str, context: Mapping[str, Any]) -> str:
    """``text`` with each ``${{ }}`` replaced by its value."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: _shown(evaluate(found[1], context)), text)


def evaluate(expression: str, context: Mapping[str, Any]) -> Any:
    """The value of one expression. Raises ValueError for what is not understood."""
    tokens = _tokens(expression)
    value = _either(tokens, context)
    if tokens:
        raise ValueError(f"not understood in {expression!r}: {tokens}")
    return value


def _tokens(expression: str) -> list[str]:
    tokens, position, text = [], 0, expression.strip()
    while position < len(text):
        found = _TOKEN.match(text, position)
        if not found:
            raise ValueError(f"not understood: {text[position:]!r}")
        tokens.append(found[1])
        position = found.end()
    return tokens


def _either(tokens: list[str], context: Mapping[str, Any]) -> Any:
    value = _both(tokens, context)
    while tokens[:1] == ["||"]:
        tokens.pop(0)
        other = _both(tokens, context)
        value = value or other
    return value


def _both(tokens: list[str], context: Mapping[str, Any]) -> Any:
    value = _compared(tokens, context)
    while tokens[:1] == ["&&"]:
        tokens.pop(0)
        other = _compared(tokens, context)
        value = value and other
    return value


def _compared(tokens: list[str], context: Mapping[str, Any]) -> Any:
    value = _single(tokens, context)
    if tokens[:1] in (["=="], ["!="]):
        same = tokens.pop(0) == "=="
        return (_shown(value).lower() == _shown(_single(tokens, context)).lower()) is same
    return value


def _single(tokens: list[str], context: Mapping[str, Any]) -> Any:
    token = tokens.pop(0)
    if token == "!":
        return not _single(tokens, context)
    if token.startswith("'"):
        return token[1:-1].replace("''", "'")
    if tokens[:2] == ["(", ")"]:
        del tokens[:2]
        return _FUNCTIONS[token]
    return _named(token, context)


def _named(token: str, context: Mapping[str, Any]) -> Any:
    value: Any = context
    for part in token.split("."):
        value = value.get(part, "") if isinstance(value, Mapping) else ""
    return value


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {True: "true", False: "false", None: ""}[value]
    return str(value)
