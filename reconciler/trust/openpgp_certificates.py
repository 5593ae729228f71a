"""OpenPGP certificates as a trust root lists them, and as they stood at a moment.

Rules:
- A listed text is one armoured certificate: no second one, nothing around it, no secret keys. The user's
  own keyring is never read.
- What others say about the key (certifications, user attributes) is dropped: nothing here depends on it.
- A certificate *as of* a moment is the primary key, the one key that signed, and of each part the newest
  self-signature made until then. Older self-signatures are not shown to the library, so that a shortened
  life cannot be undone by going back to a longer one; later ones were not there yet.
- Revocations count as they stand, unchecked: nobody gains from believing that a listed key is not revoked.

pysequoia does what is cryptographic. It judges keys at the time that a *signature* claims and cannot be told
another; hence this module, which hands it the certificate as of the moment that counts.

>>> (certificate,) = parse_certificates(armoured)  # doctest: +SKIP
>>> certificate.fingerprint, certificate.user_ids  # doctest: +SKIP
('97e7068f463a122ddeafa5f2acc519d94c7f9cf3', ('Alice <alice@example.com>',))
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from reconciler.errors import TrustError
from reconciler.trust.errors import SignerListError
from reconciler.trust.openpgp_keys import weakness
from reconciler.trust.openpgp_packets import (
    CERTIFICATE,
    HASHES,
    SignaturePacket,
    parse_signature,
    unarmour,
)
from reconciler.trust.wire import WireError

MAX_PACKETS: Final = 1_000
MAX_USER_ID: Final = 1_000  # characters
KEY_REVOCATION, SUBKEY_REVOCATION, USER_ID_REVOCATION = 0x20, 0x28, 0x30
_REVOCATIONS = {"PublicKey": KEY_REVOCATION, "UserID": USER_ID_REVOCATION, "PublicSubkey": SUBKEY_REVOCATION}
_SELF_SIGNATURES = {"PublicKey": {0x1F}, "UserID": {0x10, 0x11, 0x12, 0x13}, "PublicSubkey": {0x18}}


@dataclass(frozen=True, slots=True)
class Part:
    """A key or a user id of a certificate, and the owner's signatures on it: (packet, what it says)."""

    kind: str  # "PublicKey", "UserID" or "PublicSubkey"
    packet: bytes = field(repr=False)
    name: str  # fingerprint in hex, or the user id
    created: datetime | None = None  # of a key
    weak: str = ""  # why the key is not accepted
    signatures: tuple[tuple[bytes, SignaturePacket], ...] = field(default=(), repr=False, hash=False)

    def newest(self, until: datetime) -> tuple[bytes, SignaturePacket] | None:
        """The owner's last word on this part until then, other than a revocation."""
        wanted = _SELF_SIGNATURES[self.kind]
        found = [pair for pair in self.signatures if pair[1].kind in wanted and pair[1].created <= until]
        return max(found, key=lambda pair: pair[1].created, default=None)

    def revoked(self, until: datetime) -> bool:
        """Whether a revocation counts at that time: a soft one from its own time on, any other always."""
        marks = (said for _, said in self.signatures if said.kind == _REVOCATIONS[self.kind])
        return any(not said.soft or said.created <= until for said in marks)


@dataclass(frozen=True, slots=True)
class OpenPgpCertificate:
    """A listed certificate. ``fingerprint`` (hex) is its primary key's, ``keys`` those of all its keys."""

    fingerprint: str
    user_ids: tuple[str, ...]
    keys: frozenset[str]
    parts: tuple[Part, ...] = field(repr=False)

    @property
    def primary(self) -> Part:
        """The primary key."""
        return self.parts[0]

    def key(self, fingerprint: str) -> Part:
        """The key with this fingerprint, one of ``keys``."""
        return next(part for part in self.parts if part.name == fingerprint and part.created)

    def identity(self, until: datetime) -> list[tuple[Part, bytes, SignaturePacket]]:
        """What makes the primary key one at that time: the newest self-signatures on it and its user ids."""
        parts = [part for part in self.parts if part.kind != "PublicSubkey"]
        live = [part for part in parts if part is self.primary or not part.revoked(until)]
        return [(part, *found) for part in live if (found := part.newest(until))]

    def as_of(self, until: datetime, signing: Part) -> bytes:
        """The packets for the library: this certificate at that time, with only the key that signed."""
        packets = [self.primary.packet]  # what is said of it directly comes next, then the user ids
        for part, packet, _ in self.identity(until):
            packets += [packet] if part is self.primary else [part.packet, packet]
        if signing is not self.primary and (binding := signing.newest(until)):
            packets += [signing.packet, binding[0]]
        return b"".join(packets)


@contextmanager
def library(failure: TrustError) -> Iterator[None]:
    """Raise ``failure`` for whatever pysequoia raises; a Rust panic arrives as a BaseException."""
    try:
        yield
    except TrustError:
        raise
    except Exception:
        # Not chained: the library's message has a stack trace of this machine in it.
        raise failure from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise failure from None


def parse_certificates(armoured: str) -> tuple[OpenPgpCertificate, ...]:
    """The certificate in one listed text; always exactly one. Raises SignerListError."""
    from pysequoia import Cert
    from pysequoia.packet import PacketPile

    try:
        data = unarmour(armoured.strip().encode("ascii", "replace"), CERTIFICATE)
    except TrustError as error:
        raise _unusable(error.got) from error
    with library(_unusable("packets that do not parse")):
        try:
            certificate = _certificate(list(PacketPile.from_bytes(data)))
            # Again, in the library's order: it puts a signature that was misplaced where it belongs.
            certificate = _certificate(list(PacketPile.from_bytes(bytes(Cert.from_bytes(data)))))
        except WireError as error:
            raise _unusable(str(error)) from error
        return (certificate,)


def _certificate(packets: list[Any]) -> OpenPgpCertificate:
    if len(packets) > MAX_PACKETS:
        raise WireError(f"more than {MAX_PACKETS} packets")
    parts: list[Part] = []
    grouped = _grouped(packets)
    primary = grouped[0][0].fingerprint
    for head, rest in grouped:
        if part := _part(head, rest, primary):
            parts.append(part)
    keys = [part.name for part in parts if part.created]
    if len(set(keys)) != len(keys):
        raise WireError("one key twice")
    if parts[0].weak:
        raise WireError(f"a primary key that is not accepted: {parts[0].weak}")
    users = tuple(part.name for part in parts if part.kind == "UserID")
    return OpenPgpCertificate(primary, users, frozenset(keys), tuple(parts))


def _grouped(packets: list[Any]) -> list[tuple[Any, list[Any]]]:
    """Each key or user id with the signatures that follow it; the primary key is first, and only first."""
    grouped: list[tuple[Any, list[Any]]] = []
    for packet in packets:
        tag = _tag(packet)
        if tag in ("SecretKey", "SecretSubkey"):
            raise WireError("a secret key: take it out of the history too, and make a new one")
        if (tag == "PublicKey") != (not grouped):
            raise WireError("not exactly one certificate")
        if tag == "Signature":
            grouped[-1][1].append(packet)
        elif tag in (*_SELF_SIGNATURES, "UserAttribute"):
            grouped.append((packet, []))
        elif tag != "Trust":
            raise WireError(f"a packet that is no part of a certificate: {tag}")
    if not grouped:
        raise WireError("no certificate")
    return grouped


def _part(head: Any, rest: list[Any], primary: str) -> Part | None:
    kind = _tag(head)
    if kind == "UserAttribute":
        return None
    signatures = tuple(_own(rest, primary, _REVOCATIONS[kind]))
    if kind == "UserID":
        name = bytes(head.body).decode("utf-8", "backslashreplace")
        if len(name) > MAX_USER_ID:
            raise WireError("a user id that is too long")
        return Part(kind, bytes(head), name, signatures=signatures)
    return Part(kind, bytes(head), head.fingerprint, head.key_created, weakness(head.body), signatures)


def _own(packets: list[Any], primary: str, revocation: int) -> Iterator[tuple[bytes, SignaturePacket]]:
    """The signatures of the certificate's owner on one part, and revocations of it, whoever made them."""
    for packet in packets:
        said = parse_signature(packet.body)
        if said.kind in _REVOCATIONS.values() and said.kind != revocation:
            raise WireError("a revocation of something else than it follows")
        if said.kind == revocation or (said.made_by(primary) and said.hash_algorithm in HASHES):
            said.created  # noqa: B018  (raises where there is none)
            yield bytes(packet), said


def _tag(packet: Any) -> str:
    return str(packet.tag).removeprefix("Tag.")


def _unusable(got: str) -> SignerListError:
    hint = "list the output of `gpg --armor --export --export-options export-minimal KEY`"
    return SignerListError(
        "OpenPGP certificate cannot be used", expected="one armoured public key", got=got, hint=hint
    )
