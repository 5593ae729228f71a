"""Where a C2SP tlog-tiles log keeps hashes and entries, and how their bytes are laid out.

Rules: a full tile has 256 hashes, a partial one 1 to 255 and its width in its path; an entry bundle is
a row of entries, each behind its length as a big-endian uint16. Parsing takes exactly the width that
the tree size demands: a missing, an extra or a cut entry raises ``LogFormatError``.

>>> tile_path(0, 1234067), bundle_path(0, 112)
('tile/0/x001/x234/067', 'tile/entries/000.p/112')
>>> parse_bundle(encode_bundle([b"a", b""]), 2)
[b'a', b'']
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.audit.codes import LogFormatError
from reconciler.audit.merkle import HASH_SIZE

WIDTH = 256
MAX_ENTRY = 0xFFFF  # bytes, by the bundle's length field
MAX_TILE_BYTES = WIDTH * HASH_SIZE
MAX_BUNDLE_BYTES = WIDTH * (MAX_ENTRY + 2)


def _number(n: int) -> str:
    groups = [f"{n % 1000:03}"]
    while n := n // 1000:
        groups.append(f"x{n % 1000:03}")
    return "/".join(reversed(groups))


def _suffix(width: int) -> str:
    return "" if width == WIDTH else f".p/{width}"


def tile_path(level: int, n: int, width: int = WIDTH) -> str:
    """The path of tile ``n`` of ``level``; ``width`` below 256 names a partial tile."""
    return f"tile/{level}/{_number(n)}{_suffix(width)}"


def bundle_path(n: int, width: int = WIDTH) -> str:
    """The path of entry bundle ``n``."""
    return f"tile/entries/{_number(n)}{_suffix(width)}"


def partials_of(full_path: str) -> str:
    """The folder of a full tile's or bundle's partial ones, which may go once the full one is there."""
    return f"{full_path}.p"


def width_of(level: int, n: int, size: int) -> int:
    """How many hashes tile ``n`` of ``level`` has in a tree of ``size`` leaves: 0 to 256."""
    return max(0, min(WIDTH, (size >> 8 * level) - n * WIDTH))


def parse_tile(data: bytes, width: int) -> list[bytes]:
    """The hashes of a tile of exactly ``width``. Raises LogFormatError."""
    if len(data) != width * HASH_SIZE:
        raise LogFormatError(
            "a tile has the wrong length", expected=f"{width * HASH_SIZE} bytes", got=f"{len(data)} bytes"
        )
    return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Entries, each at most 65,535 bytes, behind their lengths. Raises LogFormatError."""
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY:
            raise LogFormatError("an entry is too long", expected=f"{MAX_ENTRY} bytes", got=f"{len(entry)}")
        parts += (len(entry).to_bytes(2, "big"), entry)
    return b"".join(parts)


def parse_bundle(data: bytes, width: int) -> list[bytes]:
    """The ``width`` entries of a bundle, and nothing behind them. Raises LogFormatError."""
    entries: list[bytes] = []
    at = 0
    while at < len(data) and len(entries) <= width:
        length = int.from_bytes(data[at : at + 2], "big")
        end = at + 2 + length
        if at + 2 > len(data) or end > len(data):
            raise LogFormatError("an entry bundle is cut short", got=f"{len(data)} bytes")
        entries.append(data[at + 2 : end])
        at = end
    if len(entries) != width:
        raise LogFormatError(
            "an entry bundle has the wrong number of entries", expected=str(width), got=str(len(entries))
        )
    return entries
