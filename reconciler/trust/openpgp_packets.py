"""Reading OpenPGP (RFC 4880, RFC 9580): the armour, and the one signature packet in it.

Rules:
- The armour is exact: the two marker lines, an empty line, canonical base64 in lines of 1 to 76 characters,
  the checksum if there is one, LF line ends. Header lines (``Comment:``) are accepted for certificates only:
  nobody signs them. Up to two line ends may follow, as GitHub writes them.
- A signature is one packet of version 4 of known length, with nothing after it.
- Areas of subpackets are read to their last byte. What the signature does not cover (the unhashed area) may
  name the issuer and nothing else, so that nothing else can be put there.
- SHA-256, SHA-384, SHA-512.

Nothing here checks a signature: pysequoia does.

>>> unarmour(b"-----BEGIN PGP SIGNATURE-----\\n\\niAA=\\n-----END PGP SIGNATURE-----\\n", SIGNATURE).hex()
'8800'
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from reconciler.trust.armour import pattern
from reconciler.trust.armour import unarmour as unarmour_exactly
from reconciler.trust.errors import MalformedSignatureError, WeakHashError
from reconciler.trust.wire import Reader, WireError

SIGNATURE: Final = b"PGP SIGNATURE"
CERTIFICATE: Final = b"PGP PUBLIC KEY BLOCK"
MAX_ARMOUR: Final = {SIGNATURE: 64 << 10, CERTIFICATE: 512 << 10}  # bytes
MAX_SUBPACKETS: Final = 64
HASHES: Final = {8: "SHA256", 9: "SHA384", 10: "SHA512"}
_WEAK = {1: "MD5", 2: "SHA1", 3: "RIPEMD160", 11: "SHA224"}
CREATED, EXPIRES, KEY_EXPIRES, ISSUER, KEY_FLAGS, SIGNER, REASON, FINGERPRINT = 2, 3, 9, 16, 27, 28, 29, 33
_NOTATION = 20  # the one subpacket that may come more than once
_SIGNING = 0x02  # a key flag
_SOFT_REASONS = {1, 3}  # superseded, retired: the only ones that leave earlier signatures alone
_CHECKSUM = rb"(?:=([A-Za-z0-9+/]{4})\n)?"
_ARMOUR = {
    SIGNATURE: pattern(SIGNATURE, rb"\n", _CHECKSUM),
    CERTIFICATE: pattern(CERTIFICATE, rb"(?:[A-Za-z]{1,20}: [ -~]{0,200}\n){0,20}\n", _CHECKSUM),
}


@dataclass(frozen=True, slots=True)
class SignaturePacket:
    """A version 4 signature packet, unverified. ``kind`` is its type: 0x00 is one over binary data."""

    kind: int
    key_algorithm: int
    hash_algorithm: int
    hashed: Mapping[int, bytes]
    unhashed: Mapping[int, bytes]
    critical: frozenset[int]  # types of hashed subpackets that must be understood
    covered: bytes  # what of the packet is signed itself
    prefix: bytes  # the first two bytes of the digest, as a hint

    @property
    def created(self) -> datetime:
        """When it was made, as it says itself. Raises WireError."""
        raw = self.hashed.get(CREATED, b"")
        if len(raw) != 4:
            raise WireError("a signature without a time")
        return datetime.fromtimestamp(int.from_bytes(raw, "big"), UTC)

    @property
    def key_validity(self) -> timedelta | None:
        """For how long after its making a key may be used; None: for ever."""
        seconds = int.from_bytes(self.hashed.get(KEY_EXPIRES, b"")[:4], "big")
        return timedelta(seconds=seconds) if seconds else None

    @property
    def may_sign(self) -> bool:
        """A binding signature allows its key to sign data."""
        flags = self.hashed.get(KEY_FLAGS) or b"\0"
        return bool(flags[0] & _SIGNING)

    @property
    def soft(self) -> bool:
        """A revocation that counts from its time on; every other one counts always, also without a reason."""
        return self.hashed.get(REASON, b"\0")[:1] in {bytes([reason]) for reason in _SOFT_REASONS}

    def hints_at(self, message: bytes) -> bool:
        """Whether the hint fits this message: nothing covers it, so any other value could stand there."""
        trailer = b"\x04\xff" + len(self.covered).to_bytes(4, "big")
        digest = hashlib.new(HASHES[self.hash_algorithm], message + self.covered + trailer).digest()
        return digest[:2] == self.prefix

    def issuers(self) -> Iterator[tuple[int, str]]:
        """(FINGERPRINT or ISSUER, hex) of the key it claims to be made by. Raises WireError."""
        for area in (self.hashed, self.unhashed):
            if FINGERPRINT in area:
                if len(area[FINGERPRINT]) != 21 or area[FINGERPRINT][0] != 4:
                    raise WireError("an issuer that is no version 4 key")
                yield FINGERPRINT, area[FINGERPRINT][1:].hex()
            if ISSUER in area:
                yield ISSUER, area[ISSUER].hex()

    def made_by(self, fingerprint: str) -> bool:
        """Whether the claimed issuers, at least one, all mean the key with this fingerprint (hex)."""
        claims = [name for _, name in self.issuers()]
        return bool(claims) and all(len(name) in (16, 40) and fingerprint.endswith(name) for name in claims)


def unarmour(armoured: bytes, kind: bytes) -> bytes:
    """The bytes in an armour. Raises MalformedSignatureError."""
    try:
        data, checksum = unarmour_exactly(armoured, _ARMOUR[kind], limit=MAX_ARMOUR[kind])
    except WireError as error:
        hint = "sign again with an unmodified git and gpg, without `comment` and `emit-version` in gpg.conf"
        raise malformed(str(error), hint) from error
    if checksum and base64.b64decode(checksum) != crc24(data).to_bytes(3, "big"):
        raise malformed("a checksum that does not match")
    return data


def crc24(data: bytes) -> int:
    """The checksum of an armour (RFC 4880 section 6.1).

    >>> hex(crc24(b"123456789"))
    '0x21cf02'
    """
    crc = 0xB704CE
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc = (crc << 1) ^ (0x1864CFB if crc & 0x800000 else 0)
    return crc


def parse_detached(armoured: bytes) -> tuple[bytes, SignaturePacket]:
    """The one binary signature in an armour: packet, and what it says. Raises MalformedSignatureError."""
    data = unarmour(armoured, SIGNATURE)
    try:
        signature = parse_signature(_only_packet(data))
        _check_data_signature(signature)
    except WireError as error:
        raise malformed(str(error)) from error
    if signature.hash_algorithm not in HASHES:
        raise WeakHashError(
            "hash is not accepted",
            expected=" or ".join(HASHES.values()),
            got=_WEAK.get(signature.hash_algorithm, f"hash algorithm {signature.hash_algorithm}"),
            hint="sign again with gpg's default, or `digest-algo SHA256` in gpg.conf",
        )
    return data, signature


def parse_signature(body: bytes) -> SignaturePacket:
    """What a signature packet says. Raises WireError."""
    reader = Reader(body)
    version, kind, key_algorithm, hash_algorithm = reader.take(4)
    if version != 4:
        raise WireError(f"a signature of version {version}")
    size = int.from_bytes(reader.take(2), "big")
    hashed = list(_subpackets(reader.take(size)))
    unhashed = list(_subpackets(reader.take(int.from_bytes(reader.take(2), "big"))))
    if any(must for _, must, _ in unhashed):
        raise WireError("a critical subpacket that is not covered")
    return SignaturePacket(
        kind,
        key_algorithm,
        hash_algorithm,
        _once(hashed),
        _once(unhashed),
        frozenset(kind for kind, must, _ in hashed if must),
        body[: 6 + size],
        reader.take(2),
    )


def malformed(got: str, hint: str = "sign again with an unmodified git and gpg") -> MalformedSignatureError:
    """The error for a signature that is not as it must be."""
    return MalformedSignatureError("OpenPGP signature is not well formed", got=got, hint=hint)


def _check_data_signature(signature: SignaturePacket) -> None:
    if signature.kind != 0:
        raise WireError(f"a signature of type 0x{signature.kind:02x} where one over binary data is needed")
    if EXPIRES in signature.hashed:
        raise WireError("a signature that expires; remove `default-sig-expire` from gpg.conf")
    if not signature.critical <= {CREATED, ISSUER, FINGERPRINT, SIGNER}:
        raise WireError("a critical subpacket that is not understood")
    if not signature.unhashed.keys() <= {ISSUER, FINGERPRINT}:
        raise WireError("something that the signature does not cover")


def _only_packet(data: bytes) -> bytes:
    """The body of the signature packet that ``data`` is. Old and new formats (RFC 4880 section 4.2)."""
    reader = Reader(data)
    head = reader.take(1)[0]
    if head in (0x88, 0x89):
        size = int.from_bytes(reader.take(1 + (head & 1)), "big")
    elif head == 0xC2:
        size = _length(reader)
    else:
        raise WireError("no signature packet of known length")
    body = reader.take(size)
    reader.end()
    return body


def _length(reader: Reader) -> int:
    first = reader.take(1)[0]
    if first < 192:
        return first
    if first < 224:
        return ((first - 192) << 8) + reader.take(1)[0] + 192
    if first < 255:
        raise WireError("a length that is partial")
    return reader.u32()


def _subpackets(area: bytes) -> Iterator[tuple[int, bool, bytes]]:
    reader, at = Reader(area), 0
    for _ in range(MAX_SUBPACKETS):
        if at == len(area):
            return
        size, width = _subpacket_length(reader)
        kind = reader.take(1)[0]
        yield kind & 0x7F, bool(kind & 0x80), reader.take(size - 1)
        at += width + size
    raise WireError("too many subpackets")


def _subpacket_length(reader: Reader) -> tuple[int, int]:
    first = reader.take(1)[0]
    if first < 192:
        size, width = first, 1
    elif first < 255:
        size, width = ((first - 192) << 8) + reader.take(1)[0] + 192, 2
    else:
        size, width = reader.u32(), 5
    if size < 1:
        raise WireError("an empty subpacket")
    return size, width


def _once(found: Iterable[tuple[int, bool, bytes]]) -> dict[int, bytes]:
    area: dict[int, bytes] = {}
    for kind, _, data in found:
        if kind in area and kind != _NOTATION:
            raise WireError(f"two subpackets of type {kind}")
        area[kind] = data
    return area
