"""Label selectors as ``kubectl -l`` takes them: text -> requirements with Kubernetes' semantics.

Rules kept here
- The grammar is that of ``labels.Parse`` in k8s.io/apimachinery without ``<`` and ``>``: ``a=b``, ``a==b``,
  ``a!=b``, ``a in (b,c)``, ``a notin (b,c)``, ``a``, ``!a``, joined by commas, of which all have to hold.
- ``!=`` and ``notin`` hold where the label is absent. The empty selector selects everything.
- Keys and values are checked, so that a typing error selects nothing only after it was reported.

>>> [(r.key, r.operator, r.values) for r in parse_selector("tier=edge, region in (eu, us),!spare")]
[('tier', 'In', ('edge',)), ('region', 'In', ('eu', 'us')), ('spare', 'DoesNotExist', ())]
"""

from __future__ import annotations

import re

from reconciler.documents import Placement, Requirement
from reconciler.documents.formats import is_label_key, is_label_value
from reconciler.errors import SettingsError

MAX_SELECTOR = 4096  # characters
_TOKEN = re.compile(r"[ \t\r\n]*(==|!=|[=!(),<>]|[^ \t\r\n=!(),<>]+)[ \t\r\n]*")
_SYMBOLS = frozenset(["==", "!=", "=", "!", "(", ")", ",", "<", ">", ""])
_GRAMMAR = "key=value, key!=value, key in (a,b), key notin (a,b), key or !key, joined by commas"


def placement(text: str) -> Placement:
    """The selector as a Placement. Raises SettingsError."""
    return Placement(match_expressions=parse_selector(text))


def parse_selector(text: str) -> tuple[Requirement, ...]:
    """All requirements of a selector. Raises SettingsError."""
    if len(text) > MAX_SELECTOR:
        raise SettingsError("the selector is too long", expected=f"at most {MAX_SELECTOR} characters")
    tokens = _Tokens(text)
    if tokens.next == "":
        return ()
    found = [_requirement(tokens)]
    while tokens.next == ",":
        tokens.take()
        found.append(_requirement(tokens))
    if tokens.next:
        raise tokens.error(f"{tokens.next!r} after a whole requirement")
    return tuple(found)


class _Tokens:
    """The words and symbols of a selector in order; ``next`` is "" at the end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._left = _TOKEN.findall(text)
        self.next: str = self._left[0] if self._left else ""

    def take(self) -> str:
        """The next token, and one step on."""
        taken = self._left.pop(0) if self._left else ""
        self.next = self._left[0] if self._left else ""
        return str(taken)

    def word(self, what: str) -> str:
        """The next token, which has to be a word."""
        if self.next in _SYMBOLS:
            raise self.error(
                f"{self.next!r} where a {what} belongs" if self.next else f"no {what} at the end"
            )
        return self.take()

    def error(self, got: str) -> SettingsError:
        """What to raise for this selector."""
        return SettingsError("not a label selector", where=self._text, expected=_GRAMMAR, got=got)


def _requirement(tokens: _Tokens) -> Requirement:
    absent = tokens.next == "!"
    if absent:
        tokens.take()
    key = tokens.word("label key")
    if not is_label_key(key):
        raise tokens.error(f"the key {key!r}, which is none")
    if absent or tokens.next in ("", ","):
        return Requirement(key, "DoesNotExist" if absent else "Exists")
    operator = tokens.take()
    values: tuple[str, ...]
    if operator in ("=", "==", "!="):
        values = ("",) if tokens.next in ("", ",") else (tokens.word("label value"),)
    elif operator in ("in", "notin"):
        values = _values(tokens)
    else:
        raise tokens.error(f"{operator!r} where an operator belongs")
    if wrong := [value for value in values if not is_label_value(value)]:
        raise tokens.error(f"the value {wrong[0]!r}, which is none")
    return Requirement(key, "NotIn" if operator in ("!=", "notin") else "In", values)


def _values(tokens: _Tokens) -> tuple[str, ...]:
    """``(a,b)``; an empty place between commas is the empty value."""
    if tokens.take() != "(":
        raise tokens.error("no '(' after in or notin")
    values = []
    while True:
        values.append("" if tokens.next in (",", ")") else tokens.word("label value"))
        closing = tokens.take()
        if closing == ")":
            return tuple(dict.fromkeys(values))
        if closing != ",":
            raise tokens.error(f"{closing!r} where ',' or ')' belongs" if closing else "no ')'")
