"""Reading SSH's binary encoding (RFC 4251 section 5), strictly.

Rules: every length is checked against what is there; nothing may be left over; integers are minimal.

>>> reader = Reader(bytes.fromhex("00000003616263" "00000001" "05"))
>>> reader.string(), reader.mpint()
(b'abc', 5)
>>> reader.end()
"""

from datetime import UTC, datetime
from typing import Final

MAX_STRING: Final = 64 << 10  # bytes; no key or signature comes near it
_LAST_MOMENT = 253_402_300_799  # the last second of the year 9999


class WireError(ValueError):
    """Bytes that are not what the encoding says; callers turn it into their own error."""


class Reader:
    """A cursor over ``data``; every method raises WireError when the bytes do not fit."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        end = self._at + count
        if end > len(self._data):
            raise WireError(f"ends after {len(self._data)} bytes where {end} are needed")
        found = self._data[self._at : end]
        self._at = end
        return found

    def u32(self) -> int:
        """An unsigned 32-bit integer."""
        return int.from_bytes(self.take(4), "big")

    def u64(self) -> int:
        """An unsigned 64-bit integer."""
        return int.from_bytes(self.take(8), "big")

    def string(self, limit: int = MAX_STRING) -> bytes:
        """A length and as many bytes, ``limit`` at most."""
        size = self.u32()
        if size > limit:
            raise WireError(f"a string of {size} bytes")
        return self.take(size)

    def text(self) -> str:
        """A string that is an ASCII name, e.g. of an algorithm."""
        raw = self.string()
        if len(raw) > 64 or not raw.isascii() or not raw.decode().isprintable():
            raise WireError("a name that is no name")
        return raw.decode()

    def mpint(self) -> int:
        """A positive integer in its one minimal form."""
        raw = self.string()
        if not raw or raw[0] & 0x80 or (raw[0] == 0 and (len(raw) == 1 or not raw[1] & 0x80)):
            raise WireError("an integer that is not positive and minimal")
        return int.from_bytes(raw, "big")

    @property
    def passed(self) -> bytes:
        """Everything that was read so far."""
        return self._data[: self._at]

    @property
    def left(self) -> int:
        """How many bytes are still to come."""
        return len(self._data) - self._at

    def end(self) -> None:
        """Nothing may follow."""
        if self.left:
            raise WireError(f"{self.left} bytes too many")


def string(data: bytes) -> bytes:
    """``data`` encoded as a string."""
    return len(data).to_bytes(4, "big") + data


def moment(seconds: int) -> datetime:
    """Seconds since 1970 as a time in UTC."""
    if seconds > _LAST_MOMENT:
        raise WireError("a time after the year 9999")
    return datetime.fromtimestamp(seconds, UTC)
