"""Text from outside, made harmless for a terminal.

Names and messages can come from anybody who can open a pull request; control characters and
bidirectional overrides are shown as escapes, so that nothing moves the cursor or reorders a line.

>>> safe("a\\x1b[31mb")
'a\\\\x1b[31mb'
"""

import unicodedata

_DANGEROUS = {"Cc", "Cf", "Zl", "Zp", "Cs"}
_NO_CHARACTERS = "\ufffe\uffff"  # which XML 1.0 has not, so that a JUnit report could not be read


def safe(text: str, *, keep: str = "") -> str:
    """The text with every control or format character (except those in ``keep``) as its escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(char) if _is_dangerous(char) and char not in keep else char for char in text)


def _is_dangerous(char: str) -> bool:
    return unicodedata.category(char) in _DANGEROUS or char in _NO_CHARACTERS


def _escape(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")
