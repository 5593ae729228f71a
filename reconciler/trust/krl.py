"""OpenSSH's key revocation lists (PROTOCOL.krl): parsed, and asked.

Rules:
- Bounded: the list, its sections and the number of its entries. Nothing is left over, in any section.
- Fail closed: unknown sections, critical extensions, flags and reserved fields refuse the whole list; what it
  meant to revoke would otherwise be believed.
- Signature sections refuse it too, as OpenSSH 9.4 and later do: the list comes in a signed commit, and a
  signature that nobody checks would only look like one.
- Serial 0 is no serial (the authority did not count): it is never revoked, and a list that names it is
  refused, by OpenSSH too. Such a certificate is revoked by its key id or its key.
- Fingerprints are of the plain key. SHA-1 is read, since it can only take trust away. Their order, which
  PROTOCOL.krl asks for and OpenSSH does not check, changes nothing and is not checked.

What revokes a certificate: its serial or key id under its authority, or under the section for all
authorities; its key; the authority's key.

>>> header = bytes.fromhex("5353484b524c0a00" "00000001" "0000000000000007" "000000006553f100")
>>> krl = parse_krl(header + bytes(16))
>>> krl.number, krl.generated.isoformat(), krl.entries
(7, '2023-11-14T22:13:20+00:00', 0)
"""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from reconciler.errors import TrustError
from reconciler.trust.errors import RevocationDataError
from reconciler.trust.sshkeys import SshKey, parse_key
from reconciler.trust.wire import Reader, WireError, moment

MAX_KRL: Final = 4 << 20  # bytes
MAX_ENTRIES: Final = 250_000  # ranges of serials, key ids, keys, fingerprints
_MAGIC = b"SSHKRL\n\0"
_LAST = 2**64 - 1
_CERTIFICATES, _KEYS, _SHA1, _SIGNATURE, _SHA256, _EXTENSION = 1, 2, 3, 4, 5, 255
_LIST, _RANGE, _BITMAP, _KEY_ID, _CERT_EXTENSION = 0x20, 0x21, 0x22, 0x23, 0x39
_ALL = b""  # in place of an authority's key


class Certified(Protocol):
    """What a certificate must show to be looked up; ``certkeys.SshCertificate`` does."""

    @property
    def key(self) -> SshKey: ...
    @property
    def serial(self) -> int: ...
    @property
    def key_id(self) -> str: ...
    @property
    def authority(self) -> SshKey: ...


@dataclass(frozen=True, slots=True)
class Issued:
    """What is revoked of one authority's certificates.

    ``serials`` are ranges (first, last): in order, and with a gap between any two.
    """

    serials: tuple[tuple[int, int], ...]
    key_ids: frozenset[bytes]

    def __contains__(self, certificate: Certified) -> bool:
        if certificate.key_id.encode() in self.key_ids:
            return True
        at = bisect_right(self.serials, (certificate.serial, _LAST)) - 1
        return at >= 0 and certificate.serial <= self.serials[at][1]


@dataclass(frozen=True, slots=True)
class Krl:
    """A revocation list. ``number`` grows with every edition; ``generated`` is when this one was made.

    ``issued`` is keyed by the wire form of the authority's key, "" for all of them.
    """

    number: int
    generated: datetime
    issued: Mapping[bytes, Issued] = field(repr=False)
    keys: frozenset[bytes] = field(repr=False)  # wire forms
    sha1: frozenset[bytes] = field(repr=False)
    sha256: frozenset[bytes] = field(repr=False)

    @property
    def entries(self) -> int:
        """How many entries: keys, fingerprints, key ids and ranges of serials."""
        of_authorities = (len(i.serials) + len(i.key_ids) for i in self.issued.values())
        return len(self.keys) + len(self.sha1) + len(self.sha256) + sum(of_authorities)

    def revokes_key(self, key: SshKey) -> bool:
        """Whether the key is listed, by itself or by a fingerprint."""
        return (
            key.blob in self.keys
            or hashlib.sha256(key.blob).digest() in self.sha256
            or hashlib.sha1(key.blob, usedforsecurity=False).digest() in self.sha1
        )

    def revokes_certificate(self, certificate: Certified) -> bool:
        """Whether the certificate is listed, or its key, or the key of its authority."""
        if self.revokes_key(certificate.key) or self.revokes_key(certificate.authority):
            return True
        found = (self.issued.get(scope) for scope in (certificate.authority.blob, _ALL))
        return any(certificate in issued for issued in found if issued)


def parse_krl(data: bytes) -> Krl:
    """A list as ``ssh-keygen -k`` writes it. Raises RevocationDataError."""
    if len(data) > MAX_KRL:
        raise _unreadable(f"{len(data)} bytes")
    try:
        return _Parser().run(Reader(data))
    except WireError as error:
        raise _unreadable(str(error)[:120]) from error
    except TrustError as error:  # an authority's key
        raise _unreadable(f"{error.message}: {error.got}") from error


class _Parser:
    """Collects what the sections say; each of them may come again."""

    def __init__(self) -> None:
        self._serials: dict[bytes, list[tuple[int, int]]] = {}
        self._key_ids: dict[bytes, set[bytes]] = {}
        self._blobs: dict[int, set[bytes]] = {_KEYS: set(), _SHA1: set(), _SHA256: set()}
        self._count = 0

    def run(self, reader: Reader) -> Krl:
        if reader.take(len(_MAGIC)) != _MAGIC:
            raise WireError("no KRL")
        version = reader.u32()
        if version != 1:
            raise WireError(f"version {version}")
        number, generated = reader.u64(), moment(reader.u64())
        if reader.u64():
            raise WireError("unknown flags")
        _reserved(reader)
        reader.string()  # the comment
        while reader.left:
            self._section(reader.take(1)[0], reader)
        blobs = (frozenset(self._blobs[kind]) for kind in (_KEYS, _SHA1, _SHA256))
        return Krl(number, generated, self._issued(), *blobs)

    def _section(self, kind: int, reader: Reader) -> None:
        if kind == _SIGNATURE:
            raise WireError("a signature section, which is not accepted")
        data = Reader(reader.string(MAX_KRL))
        if kind == _CERTIFICATES:
            self._certificates(data)
        elif kind in self._blobs:
            for blob in self._strings(data):
                self._blobs[kind].add(_checked(kind, blob))
        elif kind == _EXTENSION:
            _extension(data)
        else:
            raise WireError(f"unknown section {kind}")
        data.end()

    def _certificates(self, reader: Reader) -> None:
        authority = reader.string()
        if authority:
            parse_key(authority)
        _reserved(reader)
        while reader.left:
            kind, data = reader.take(1)[0], Reader(reader.string(MAX_KRL))
            if kind == _KEY_ID:
                self._key_ids.setdefault(authority, set()).update(map(_key_id, self._strings(data)))
            elif kind == _CERT_EXTENSION:
                _extension(data)
            else:
                self._serials.setdefault(authority, []).extend(self._ranges(kind, data))
            data.end()

    def _ranges(self, kind: int, data: Reader) -> Iterator[tuple[int, int]]:
        parse = {_LIST: _listed, _RANGE: _range, _BITMAP: _bitmap}.get(kind)
        if parse is None:
            raise WireError(f"unknown certificate section {kind}")
        for first, last in parse(data):
            if not 0 < first <= last <= _LAST:
                raise WireError("serials that cannot be")
            self._counted()
            yield first, last

    def _strings(self, data: Reader) -> Iterator[bytes]:
        if not data.left:
            raise WireError("an empty section")
        while data.left:
            self._counted()
            yield data.string()

    def _counted(self) -> None:
        self._count += 1
        if self._count > MAX_ENTRIES:
            raise WireError(f"more than {MAX_ENTRIES} entries")

    def _issued(self) -> dict[bytes, Issued]:
        return {
            authority: Issued(
                _merged(self._serials.get(authority, [])), frozenset(self._key_ids.get(authority, ()))
            )
            for authority in self._serials.keys() | self._key_ids.keys()
        }


def _listed(data: Reader) -> Iterator[tuple[int, int]]:
    while data.left:
        serial = data.u64()
        yield serial, serial


def _range(data: Reader) -> Iterator[tuple[int, int]]:
    yield data.u64(), data.u64()


def _bitmap(data: Reader) -> Iterator[tuple[int, int]]:
    """Bit N of the number stands for serial ``offset + N``."""
    offset, bits = data.u64(), f"{data.mpint():b}"[::-1]
    for run in re.finditer("1+", bits):  # linear, however many runs there are
        yield offset + run.start(), offset + run.end() - 1


def _merged(ranges: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(last, merged[-1][1])
        else:
            merged.append((first, last))
    return tuple(merged)


def _checked(kind: int, blob: bytes) -> bytes:
    """A fingerprint of its right size; a key that is no certificate, of any type, accepted here or not."""
    sizes = {_SHA1: 20, _SHA256: 32}
    if kind in sizes and len(blob) != sizes[kind]:
        raise WireError(f"a fingerprint of {len(blob)} bytes")
    if kind == _KEYS and "-cert-v" in Reader(blob).text():
        raise WireError("a certificate in place of a key")
    return blob


def _key_id(raw: bytes) -> bytes:
    if b"\0" in raw:  # readers differ on what such a name is
        raise WireError("a key id with a zero byte")
    return raw


def _reserved(reader: Reader) -> None:
    if reader.string():
        raise WireError("a reserved field that is not empty")


def _extension(data: Reader) -> None:
    """An extension that is not critical is skipped."""
    name, critical, _ = data.text(), data.take(1), data.string(MAX_KRL)
    if critical != b"\0":
        raise WireError(f"unknown critical extension {name}")


def _unreadable(got: str) -> RevocationDataError:
    hint = "publish a list as `ssh-keygen -k` writes it; without one nobody's certificate can be believed"
    return RevocationDataError("revocation list cannot be read", got=got, hint=hint)
