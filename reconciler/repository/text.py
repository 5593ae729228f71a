"""Bytes from strangers, made safe to show.

>>> printable(b"caf\\xc3\\xa9 \\x1b[31mred\\xff", 40)
'café \\\\x1b[31mred\\\\xff'
"""


def printable(raw: bytes | str, limit: int) -> str:
    """``raw`` as text, cut to ``limit`` characters; invalid UTF-8, control and invisible ones are escaped."""
    text = raw.decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else raw
    if not text.isprintable():
        text = "".join(
            c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[: limit + 1]
        )
    return text if len(text) <= limit else text[: limit - 1] + "…"
