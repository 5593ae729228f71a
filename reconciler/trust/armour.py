"""ASCII armour, exactly: what stands between two marker lines.

Rules: LF line ends; canonical base64 in lines of 1 to 76 characters; nothing before; up to two line ends
after (GitHub's signatures end in an empty line).

>>> unarmour(b"-----BEGIN X-----\\nAAEC\\n-----END X-----\\n", pattern(b"X"))[0]
b'\\x00\\x01\\x02'
"""

import base64
import binascii
import re
from typing import Final

from reconciler.trust.wire import WireError

MAX_ARMOUR: Final = 64 << 10  # bytes


def pattern(label: bytes, headers: bytes = b"", checksum: bytes = b"()") -> re.Pattern[bytes]:
    """An armour with this label; ``headers`` and ``checksum`` (one group) are patterns of whole lines."""
    begin, end = rb"-----BEGIN " + label + rb"-----\n", rb"-----END " + label + rb"-----\n{0,2}"
    return re.compile(begin + headers + rb"((?:[A-Za-z0-9+/=]{1,76}\n)+?)" + checksum + end)


def unarmour(
    armoured: bytes, armour: re.Pattern[bytes], *, limit: int = MAX_ARMOUR
) -> tuple[bytes, bytes | None]:
    """The bytes in an armour of at most ``limit`` bytes, and what its checksum says. Raises WireError."""
    match = armour.fullmatch(armoured) if len(armoured) <= limit else None
    if not match:
        raise WireError("armour that is not exact")
    lines = match[1].replace(b"\n", b"")
    try:
        data = base64.b64decode(lines, validate=True)
    except binascii.Error as error:
        raise WireError("base64 that does not decode") from error
    if base64.b64encode(data) != lines:
        raise WireError("base64 that is not canonical")
    return data, match[2]
