"""What an unquoted YAML scalar means: YAML 1.1 as the Kubernetes tools read it (go-yaml v2), but strict.

Rules kept here
- ``yes``/``no``/``on``/``off``/``y``/``n`` are booleans; timestamps and ``12:30`` stay text.
- ``0644`` and ``0o644`` are octal, ``0x1f`` hexadecimal, ``0b101`` binary, ``1_000`` is 1000.
- A float with an integral value becomes an integer, which is how the Kubernetes tools send it.
- What tools disagree on, or JSON cannot say, is a problem and never a guess.

>>> [plain(text) for text in ("0644", "1e3", "no", "~", "12:30", "v1", "2026-01-01")]
[420, 1000, False, None, '12:30', 'v1', '2026-01-01']
"""

from __future__ import annotations

import re

Scalar = str | int | float | bool | None
WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N"), False),
}
NUMBER_START = frozenset("0123456789+-.")
INT_MIN, INT_MAX = -(1 << 63), (1 << 63) - 1
_INFINITE = frozenset(
    f"{sign}{word}" for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN")
)
_INTEGER = re.compile(r"([-+]?)(0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO]?[0-7_]+|[1-9][0-9_]*|0)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+", re.ASCII)
_LONGEST = 400  # characters of a number; a longer one overflows anyway
_BASES = {"0x": 16, "0b": 2, "0o": 8}


class ScalarError(ValueError):
    """A scalar that must not be guessed: ``code`` is the finding's, the text says what is wrong."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def plain(text: str) -> Scalar:
    """The value of an unquoted scalar. Raises ScalarError with FW1313, FW1314 or FW1315."""
    if text in WORDS:
        return WORDS[text]
    return number(text) if text[0] in NUMBER_START else text


def number(text: str) -> str | int | float:
    """The value of an unquoted scalar that starts like a number; ``text`` itself if it is none."""
    integer = _INTEGER.fullmatch(text)
    if integer:
        return _integer(text, integer[1], integer[2].replace("_", ""))
    if text in _INFINITE:
        raise ScalarError("FW1313", "a number must be finite")
    if _LEADING_ZERO.fullmatch(text):
        raise ScalarError("FW1315", "a number with a leading zero that is not octal")
    return _float(text) if _FLOAT.fullmatch(text) else text


def _integer(text: str, sign: str, digits: str) -> int | str:
    if len(digits) > _LONGEST:
        raise ScalarError("FW1314", "an integer must fit into 64 bits")
    prefix = digits[:2].lower()
    if prefix in _BASES:
        body, base = digits[2:], _BASES[prefix]
    else:
        body, base = digits, 8 if digits.startswith("0") else 10
    if not body:  # "0x_" is text
        return text
    value = int(sign + body, base)
    if not INT_MIN <= value <= INT_MAX:
        raise ScalarError("FW1314", "an integer must fit into 64 bits")
    return value


def _float(text: str) -> int | float:
    if len(text) > _LONGEST:
        raise ScalarError("FW1314", "a number this long cannot be kept exactly")
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ScalarError("FW1313", "a number must be finite")
    return int(value) if value.is_integer() and INT_MIN <= value <= INT_MAX else value
