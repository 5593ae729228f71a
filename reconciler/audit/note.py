"""C2SP signed-note with Ed25519 (type 0x01): keys, signing, strict opening.

Rules: UTF-8 without control characters but newline; the text ends at the last blank line; every line
after it is a signature. A signature by a known (name, id) must verify, or the note is refused; unknown
signatures are ignored; a note without one good signature is refused. Base64 must be the canonical one.

>>> key = VerifierKey("log.example", bytes(32))
>>> VerifierKey.parse(str(key)) == key
True
>>> signature_line("n", 1, b"sig")
'— n AAAAAXNpZw=='
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar, Self

from reconciler.audit.codes import LogFormatError, LogSignatureError
from reconciler.model import Signer

ED25519 = 1
MAX_NOTE = 1 << 20  # bytes
MAX_SIGNATURES = 100


def is_name(name: str) -> bool:
    """Not empty, no Unicode space, no plus, no control character."""
    return bool(name) and not any(c.isspace() or c == "+" or c < " " for c in name)


def decode_base64(text: str, what: str) -> bytes:
    """Canonical standard base64, or LogFormatError."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not raw or base64.b64encode(raw).decode() != text:
        raise LogFormatError(f"{what} is not canonical base64")
    return raw


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A named Ed25519 public key; ``str`` gives the vkey ``<name>+<id>+<base64>``.

    ``cosignature.CosignatureKey`` is the same of another signature type.
    """

    algorithm: ClassVar[int] = ED25519
    name: str
    public_key: bytes  # 32 bytes, RFC 8032

    def __post_init__(self) -> None:
        if not is_name(self.name) or len(self.public_key) != 32:
            raise LogFormatError(
                "not a note key", expected="a name without spaces or plus, and 32 bytes of Ed25519 key"
            )

    @property
    def key_id(self) -> int:
        """First four bytes of SHA-256(name, newline, type, key)."""
        seed = self.name.encode() + b"\n" + bytes([self.algorithm]) + self.public_key
        return int.from_bytes(sha256(seed).digest()[:4], "big")

    def __str__(self) -> str:
        encoded = base64.b64encode(bytes([self.algorithm]) + self.public_key).decode()
        return f"{self.name}+{self.key_id:08x}+{encoded}"

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Raises LogFormatError for anything but a vkey of this signature type with the right id."""
        name, key_id, encoded = _parts(vkey, 3)
        raw = decode_base64(encoded, "a verifier key")
        if raw[0] != cls.algorithm:
            raise LogFormatError(
                "a verifier key of another type", expected=f"type {cls.algorithm}", got=str(raw[0])
            )
        key = cls(name, raw[1:])
        if f"{key.key_id:08x}" != key_id:
            raise LogFormatError("a verifier key's id does not fit it", expected=f"{key.key_id:08x}")
        return key

    def verify(self, text: bytes, signature: bytes) -> None:
        """Raises LogSignatureError."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text)
        except (InvalidSignature, ValueError) as error:
            raise LogSignatureError(
                f"the signature of {self.name}+{self.key_id:08x} does not fit the text",
                hint="the note was altered, or cut together from two notes: restore it",
            ) from error


def _parts(key: str, count: int) -> list[str]:
    parts = key.split("+", count - 1)
    if len(parts) != count:
        raise LogFormatError("not a note key", expected="<name>+<8 hex digits>+<base64>")
    return parts


def format_signer_key(name: str, seed: bytes, public_key: bytes) -> str:
    """The skey ``PRIVATE+KEY+<name>+<id>+<base64>`` of a 32-byte seed: a secret, never log it."""
    key_id = VerifierKey(name, public_key).key_id
    return f"PRIVATE+KEY+{name}+{key_id:08x}+{base64.b64encode(bytes([ED25519]) + seed).decode()}"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line, not verified yet."""

    name: str
    key_id: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note. Its text must not be believed before ``open_note`` returned it."""

    text: str
    signatures: tuple[Signature, ...]


def signature_line(name: str, key_id: int, value: bytes) -> str:
    """One signature line, without its newline."""
    return f"— {name} {base64.b64encode(key_id.to_bytes(4, 'big') + value).decode()}"


def sign_note(text: str, name: str, signer: Signer) -> bytes:
    """``text`` (ending in a newline) with one signature under it."""
    if not text.endswith("\n"):
        raise LogFormatError("a note's text must end in a newline")
    key = VerifierKey(name, signer.public_key)
    return f"{text}\n{signature_line(name, key.key_id, signer.sign(text.encode()))}\n".encode()


def parse_note(data: bytes) -> Note:
    """The text and signatures of a note, nothing verified. Raises LogFormatError."""
    try:
        whole = data.decode("utf-8") if len(data) <= MAX_NOTE else ""
    except UnicodeDecodeError:
        whole = ""
    text, blank, block = whole.rpartition("\n\n")
    if not blank or not block.endswith("\n") or any(c < " " and c != "\n" for c in whole):
        raise LogFormatError("not a signed note", expected="text, a blank line, signature lines, in UTF-8")
    lines = block[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise LogFormatError("a note with too many signatures", expected=f"at most {MAX_SIGNATURES}")
    return Note(text + "\n", tuple(_signature(line) for line in lines))


def _signature(line: str) -> Signature:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—" or not is_name(parts[1]):
        raise LogFormatError("a signature line is malformed", expected="— <name> <base64>")
    name, raw = parts[1], decode_base64(parts[2], "a signature")
    if len(raw) < 5:
        raise LogFormatError("a signature is too short", got=f"{len(raw)} bytes")
    return Signature(name, int.from_bytes(raw[:4], "big"), raw[4:])


def open_note(data: bytes, keys: Sequence[VerifierKey]) -> Note:
    """The note, at least one of ``keys`` having signed it and none wrongly.

    Raises LogFormatError, or LogSignatureError.
    """
    note = parse_note(data)
    known = {(key.name, key.key_id): key for key in keys}
    signed = [(known[s.name, s.key_id], s) for s in note.signatures if (s.name, s.key_id) in known]
    for key, signature in signed:
        key.verify(note.text.encode(), signature.value)
    if not signed:
        raise LogSignatureError(
            "no known key signed this note",
            expected=", ".join(f"{k.name}+{k.key_id:08x}" for k in keys) or "a key",
            got=", ".join(f"{s.name}+{s.key_id:08x}" for s in note.signatures[:5]),
            hint="name the log's public key; after a rotation keep the old one in the list",
        )
    return note
