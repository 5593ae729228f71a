"""C2SP tlog-cosignature, Ed25519 (type 0x04): a witness's timestamped signature on a checkpoint.

Rules: what is signed is ``cosignature/v1``, the time and the checkpoint's text; the signature is the time as
eight big-endian bytes and 64 bytes of Ed25519. A cosignature by a known key must be right, or the whole
note is refused (signed-note); those by unknown keys are ignored. A time of 0 or over 2**63 - 1 is wrong.

>>> cosigned_message("log.example\\n1\\nAAAA\\n", 1679315147).decode().split("\\n")[:3]
['cosignature/v1', 'time 1679315147', 'log.example']
>>> key = CosignatureKey("witness.example/w1", bytes(32))
>>> CosignatureKey.parse(str(key)) == key, VerifierKey("witness.example/w1", bytes(32)) == key
(True, False)
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from reconciler.audit.codes import CosignatureError, LogFormatError, LogSignatureError
from reconciler.audit.note import VerifierKey, parse_note, signature_line

COSIGNATURE = 4
MAX_TIME = (1 << 63) - 1
_FORM = struct.Struct(">Q64s")


def cosigned_message(text: str, time: int) -> bytes:
    """What a witness signs at ``time`` (POSIX seconds) for a checkpoint's note text."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


@dataclass(frozen=True, slots=True)
class CosignatureKey(VerifierKey):
    """A witness's name and Ed25519 public key, signature type 0x04."""

    algorithm: ClassVar[int] = COSIGNATURE

    def verify(self, text: bytes, signature: bytes) -> None:
        """Raises CosignatureError."""
        self.verified_time(text.decode(), signature)

    def verified_time(self, text: str, signature: bytes) -> int:
        """The POSIX time of a cosignature that fits the checkpoint's ``text``. Raises CosignatureError."""
        time, ed25519 = self._parts(signature)
        try:
            VerifierKey.verify(self, cosigned_message(text, time), ed25519)
        except LogSignatureError as error:
            raise self._wrong("does not fit the checkpoint") from error
        return time

    def _parts(self, signature: bytes) -> tuple[int, bytes]:
        try:
            time, ed25519 = _FORM.unpack(signature)
        except struct.error:
            raise self._wrong(f"has {len(signature)} bytes instead of {_FORM.size}") from None
        if not 0 < time <= MAX_TIME:
            raise self._wrong(f"has the time {time}")
        return time, ed25519

    def _wrong(self, what: str) -> CosignatureError:
        return CosignatureError(
            f"the cosignature of {self.name}+{self.key_id:08x} {what}",
            hint="the checkpoint was altered, or this is not the witness's key: ask its operator",
        )


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A verified cosignature: by ``key``, made at ``time`` (POSIX seconds)."""

    key: CosignatureKey
    time: int
    value: bytes

    @property
    def line(self) -> str:
        """The signature line, without its newline."""
        return signature_line(self.key.name, self.key.key_id, self.value)


def cosignatures(note: bytes, keys: Iterable[CosignatureKey]) -> dict[CosignatureKey, Cosignature]:
    """Who of ``keys`` cosigned a checkpoint, each one's latest.

    Says nothing of the log's own signature. Raises LogFormatError, or CosignatureError for a wrong one.
    """
    parsed, found = parse_note(note), dict[CosignatureKey, Cosignature]()
    known = {(key.name, key.key_id): key for key in keys}
    for signature in parsed.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is None:
            continue
        time = key.verified_time(parsed.text, signature.value)
        if key not in found or found[key].time < time:
            found[key] = Cosignature(key, time, signature.value)
    return found


def answered_cosignature(note: bytes, lines: bytes, key: CosignatureKey) -> Cosignature | None:
    """The cosignature by ``key`` in a witness's answer: signature lines for the checkpoint ``note``.

    None if there is only that of others. Raises LogFormatError or CosignatureError.
    """
    text = parse_note(note).text
    whole = text.encode() + b"\n" + lines
    if parse_note(whole).text != text:
        raise LogFormatError("not signature lines")
    return cosignatures(whole, [key]).get(key)


def with_cosignatures(note: bytes, name: str, added: Sequence[Cosignature]) -> bytes:
    """The checkpoint under the signatures by ``name`` (the log) that it has, and ``added``; no others.

    What nobody here can verify is not published again. Raises LogFormatError.
    """
    parsed, again = parse_note(note), {(one.key.name, one.key.key_id) for one in added}
    kept = [s for s in parsed.signatures if s.name == name and (s.name, s.key_id) not in again]
    own = [signature_line(s.name, s.key_id, s.value) for s in kept]
    return "\n".join((parsed.text, *own, *(one.line for one in added), "")).encode()
