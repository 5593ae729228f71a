"""DER (X.690), strictly, before a library reads it: one element, one way to write it.

Rules: lengths are definite and minimal, tags short, integers minimal; what is constructed is so to its last
byte; depth and count are bounded.

>>> check_der(bytes.fromhex("3003020101"))
>>> check_der(bytes.fromhex("3080020101" "0000"))
Traceback (most recent call last):
reconciler.trust.wire.WireError: a length that is not definite
"""

from typing import Final

from reconciler.trust.wire import Reader, WireError

MAX_DEPTH: Final = 24
MAX_ELEMENTS: Final = 20_000
_CONSTRUCTED, _LONG_TAG, _INTEGER = 0x20, 0x1F, 0x02


def check_der(data: bytes) -> None:
    """Raise WireError unless ``data`` is exactly one element, in DER."""
    if len(elements(data)) != 1:
        raise WireError("not exactly one element")
    level, count = [data], 0
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inner(outer)]
        count += len(level)
        if count > MAX_ELEMENTS:
            raise WireError("too many elements")
        if not level:
            return
    raise WireError("too deep")


def elements(data: bytes) -> list[bytes]:
    """The elements that follow one another in ``data``, each whole. Raises WireError."""
    found, at = [], 0
    while at < len(data):
        end = at + _size(data, at)
        found.append(data[at:end])
        at = end
    return found


def content(element: bytes) -> bytes:
    """What is inside one element."""
    long = element[1] & 0x7F if element[1] & 0x80 else 0
    return element[2 + long :]


def _inner(element: bytes) -> list[bytes]:
    if element[0] & _CONSTRUCTED:
        return elements(content(element))
    if element[0] == _INTEGER:
        inside = content(element)
        if not inside or (len(inside) > 1 and inside[0] in (0, 0xFF) and (inside[0] ^ inside[1]) < 0x80):
            raise WireError("an integer that is not minimal")
    return []


def _size(data: bytes, at: int) -> int:
    """The size of the element that starts there, with tag and length."""
    reader = Reader(data[at : at + 6])
    tag, first = reader.take(2)
    if tag & _LONG_TAG == _LONG_TAG:
        raise WireError("a long tag")
    if first == 0x80:
        raise WireError("a length that is not definite")
    width = first & 0x7F if first & 0x80 else 0
    if width > 4:
        raise WireError("a length that is too long")
    raw = reader.take(width)
    length = int.from_bytes(raw, "big") if width else first
    if width and (raw[0] == 0 or length < 0x80):
        raise WireError("a length that is not minimal")
    if at + 2 + width + length > len(data):
        raise WireError("an element that ends too early")
    return 2 + width + length
