"""OpenPGP signatures of commits, judged at the moment a commit was first seen.

Rules:
- ``at`` decides, never the time in the signature, which its maker chooses: git and gpg accept a retired key
  on a back-dated commit. A signature may be at most ``SKEW`` younger than ``at``.
- The key that signed and the primary key are bound, neither expired nor revoked, at ``at``. A hard
  revocation (compromised, or no reason given) counts always, a soft one (superseded, retired) from its time.
- pysequoia checks each signature, on the message and in the certificate, and must agree at the time that the
  signature claims too. So a signature older than the last renewal of its key is refused: sign again.
- Only listed certificates count; a key that two of them contain is nobody's.

Limits of pysequoia 0.1.35, and what is done: it takes no time (see ``openpgp_certificates``); it does not say
why a signature does not verify (checked before, for a reason to report; it has the last word); it tells
nothing of a subkey (read from the packets; the one self-signature read is the one that it must verify).

Steps of ``verify``: 1. armour, packet, hash; 2. a certificate has the key; 3. the key's kind; 4. the times;
5. revocations; 6. expiry; 7. the library verifies the message.

>>> verify(armoured, message, {certificate.fingerprint: certificate}, first_seen)  # doctest: +SKIP
VerifiedOpenPgp(certificate='97e7068f...', key='505f9a6f...', created=datetime.datetime(2024, 3, 1, ...))
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reconciler.trust.errors import (
    BadSignatureError,
    KeyTypeError,
    RevokedError,
    SignerListError,
    UnknownKeyError,
    ValidityError,
)
from reconciler.trust.moments import SKEW, moment
from reconciler.trust.openpgp_certificates import (
    OpenPgpCertificate,
    Part,
    library,
    parse_certificates,
)
from reconciler.trust.openpgp_packets import SignaturePacket, malformed, parse_detached
from reconciler.trust.wire import WireError

__all__ = ["OpenPgpCertificate", "VerifiedOpenPgp", "parse_certificates", "verify"]


@dataclass(frozen=True, slots=True)
class VerifiedOpenPgp:
    """Whose certificate, which of its keys (fingerprints, lower-case hex), and when by its own account."""

    certificate: str
    key: str
    created: datetime


def verify(
    armoured: bytes, message: bytes, certificates: Mapping[str, OpenPgpCertificate], at: datetime
) -> VerifiedOpenPgp:
    """Who signed ``message``, first seen ``at`` (with time zone); ``certificates`` by fingerprint.

    Raises MalformedSignatureError, WeakHashError, UnknownKeyError, KeyTypeError, ValidityError, RevokedError,
    BadSignatureError, SignerListError.
    """
    packet, signature = parse_detached(armoured)
    try:
        certificate, key = _signing_key(signature, certificates)
        created = signature.created
    except WireError as error:
        raise malformed(str(error)) from error
    _check_kind(certificate, key, at + SKEW)
    _check_times(certificate, key, created, at)
    _check_revocations(certificate, key, at + SKEW)
    shown = certificate.as_of(at + SKEW, key)
    _check_expiry(shown, certificate, key, at)
    _check_message(shown, packet, message, (certificate.fingerprint, key.name), signature.hints_at(message))
    return VerifiedOpenPgp(certificate.fingerprint, key.name, created)


def _signing_key(
    signature: SignaturePacket, certificates: Mapping[str, OpenPgpCertificate]
) -> tuple[OpenPgpCertificate, Part]:
    claims = dict.fromkeys(name for _, name in signature.issuers())
    if not claims:
        raise WireError("a signature that does not name its key")
    claimed = max(claims, key=len)
    # The short name alone is looked up as well: old versions of gpg write no other.
    found = [
        (certificate, fingerprint)
        for certificate in certificates.values()
        for fingerprint in certificate.keys
        if fingerprint.endswith(claimed)
    ]
    if not found:
        hint = (
            "if its owner may sign, add the key to signers in federation.yaml, in a commit by a known signer"
        )
        raise UnknownKeyError("no signer has this key", got=f"OpenPGP {claimed}", hint=hint)
    if len(found) > 1:
        hint = "list each certificate once, and no key that two of them contain"
        raise SignerListError("one key is in two certificates", got=claimed, hint=hint)
    certificate, fingerprint = found[0]
    if not signature.made_by(fingerprint):
        raise WireError("a signature that names two keys")
    return certificate, certificate.key(fingerprint)


def _check_kind(certificate: OpenPgpCertificate, key: Part, until: datetime) -> None:
    if key.weak:
        hint = "use Ed25519, RSA of 2048 bits or more, or ECDSA on a NIST curve"
        raise KeyTypeError("key type is not accepted", got=key.weak, hint=hint)
    if key is certificate.primary:
        bindings = [said for _, _, said in certificate.identity(until)]
    else:
        bindings = [newest[1]] if (newest := key.newest(until)) else []
    if bindings and not any(said.may_sign for said in bindings):
        hint = "sign with a key that has the usage `sign`"
        raise KeyTypeError("the key is not for signing", got=key.name, hint=hint)


def _check_times(certificate: OpenPgpCertificate, key: Part, created: datetime, at: datetime) -> None:
    if created > at + SKEW:
        got, hint = moment(created), "set the clock of the machine that signs, and sign again"
        raise ValidityError(
            "signature is from the future", expected=f"until {moment(at)}", got=got, hint=hint
        )
    identity = [said.created for _, _, said in certificate.identity(at + SKEW)]
    newest = key.newest(at + SKEW)
    if not identity or (newest is None and key is not certificate.primary):
        hint = "list the certificate with its self-signatures (SHA-256 or better), and sign after it was made"
        raise ValidityError("the certificate does not hold for this key then", got=key.name, hint=hint)
    bound = max(min(identity), newest[1].created if newest else min(identity))
    if created < bound:
        hint = "sign the commit again: what was signed before a key's renewal does not count after it"
        expected, got = f"a signature made after {moment(bound)}", moment(created)
        raise ValidityError(
            "signature is older than its key's renewal", expected=expected, got=got, hint=hint
        )


def _check_revocations(certificate: OpenPgpCertificate, key: Part, until: datetime) -> None:
    for part in (certificate.primary, key):
        if part.revoked(until):
            hint = "find out why it is still in use; sign again with another key"
            raise RevokedError("the key was revoked", got=part.name, hint=hint)


def _check_expiry(shown: bytes, certificate: OpenPgpCertificate, key: Part, at: datetime) -> None:
    ends = [_expiration(shown, certificate)]
    newest = key.newest(at + SKEW)
    if newest and key.created and (validity := newest[1].key_validity):
        ends.append(key.created + validity)
    end = min((end for end in ends if end), default=None)
    if end and at >= end:
        hint = "extend the key's life, list its new certificate, and sign again"
        expected = f"seen before {moment(end)}"
        raise ValidityError("the key had expired", expected=expected, got=moment(at), hint=hint)


def _expiration(shown: bytes, certificate: OpenPgpCertificate) -> datetime | None:
    """When the primary key expires, by the self-signature that the library verifies and prefers."""
    hint = "list the certificate as its owner exports it now"
    failure = ValidityError(
        "the certificate has no valid self-signature", got=certificate.fingerprint, hint=hint
    )
    with library(failure):
        expiration: datetime | None = _cert(shown).expiration
        return expiration


def _check_message(
    shown: bytes, packet: bytes, message: bytes, expected: tuple[str, str], hinted: bool
) -> None:
    """The library verifies ``packet`` over ``message`` with the ``expected`` (certificate, key), alone."""
    import pysequoia

    hint = "the commit or its signature was altered: do not merge, find out where it came from"
    failure = BadSignatureError("signature does not match", got=expected[1], hint=hint)
    if not hinted:
        raise failure
    with library(failure):
        cert = _cert(shown)
        signature = pysequoia.Sig.from_bytes(packet)
        found = pysequoia.verify(message, lambda _names: [cert], signature=signature).valid_sigs
        names = [(one.certificate, one.signing_key) for one in found]
    if names != [expected]:
        raise failure


def _cert(packets: bytes) -> Any:
    import pysequoia

    return pysequoia.Cert.from_bytes(packets)
