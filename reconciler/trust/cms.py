"""CMS signatures of commits (RFC 5652), as smimesign and gitsign write them: detached, one signer, X.509.

Rules:
- The armour is exact (``SIGNED MESSAGE``) and holds DER: BER, as gpgsm writes it, is refused.
- Exactly one signer; signed attributes are there, in DER order, each once: content type ``data``, the digest
  of the message, and no signing time later than ``at``. No content inside. SHA-256, SHA-384, SHA-512.
- The signer's certificate is in the message or listed, chains to a listed root at ``at``, is not revoked,
  and names somebody: e-mail addresses and URIs of its subject alternative names. DNS names are not people.
- What the signature does not cover (unsigned attributes, CRLs, certificates in the message) proves nothing.
- RSA of 2048 bits or more (PKCS #1 or PSS), ECDSA on P-256, P-384, P-521, Ed25519.

Steps of ``verify``: 1. armour and form; 2. hash; 3. the digest is the message's; 4. the signer's certificate
and its key; 5. the signature over the signed attributes; 6. chain and revocations; 7. the names.

>>> verify(armoured, message, [people], first_seen)  # doctest: +SKIP
VerifiedX509(names=('alice@example.com',), fingerprint='SHA256:4f...', authority='people', serial=4711)
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes

from reconciler.errors import TrustError
from reconciler.trust.armour import pattern, unarmour
from reconciler.trust.authorities import X509Authority, find_chain, parse_authority
from reconciler.trust.cms_message import CmsSignature, malformed, parse_cms
from reconciler.trust.cms_schemes import check_signature
from reconciler.trust.crls import HASHES
from reconciler.trust.errors import (
    BadSignatureError,
    PrincipalError,
    UnknownKeyError,
    ValidityError,
    WeakHashError,
)
from reconciler.trust.moments import SKEW, moment
from reconciler.trust.wire import WireError

__all__ = ["VerifiedX509", "X509Authority", "parse_authority", "verify"]

_ARMOUR = pattern(b"SIGNED MESSAGE")
_EMAIL = re.compile(r"[!-?A-~]+@[!-?A-~]+")
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[!-~]+")
MAX_NAMES: Final = 20


@dataclass(frozen=True, slots=True)
class VerifiedX509:
    """Whom the certificate names, which one it is (SHA-256 of its DER, hex), and who vouches for it."""

    names: tuple[str, ...]
    fingerprint: str
    authority: str
    serial: int


def verify(
    armoured: bytes, message: bytes, authorities: Sequence[X509Authority], at: datetime
) -> VerifiedX509:
    """Who signed ``message``, first seen ``at`` (with time zone).

    Raises MalformedSignatureError, WeakHashError, BadSignatureError, ValidityError, UnknownKeyError,
    KeyTypeError, AuthorityError, RevokedError, RevocationDataError, PrincipalError, SignerListError.
    """
    try:
        signature = parse_cms(unarmour(armoured, _ARMOUR)[0])
    except WireError as error:
        raise malformed(str(error)) from error
    _check_digest(signature, message)
    _check_time(signature, at)
    with _readable():
        extra = [x509.load_der_x509_certificate(raw) for raw in signature.certificates]
        leaf = _signer(signature, [*extra, *(c for a in authorities for c in a.intermediates)])
        check_signature(signature, leaf)
        found = find_chain(leaf, extra, authorities, at)
        fingerprint = "SHA256:" + leaf.fingerprint(hashes.SHA256()).hex()
        return VerifiedX509(_names(leaf), fingerprint, found.authority.name, leaf.serial_number)


def _check_digest(signature: CmsSignature, message: bytes) -> None:
    if signature.digest_name not in HASHES:
        hint = "sign again with SHA-256, the default of smimesign and gitsign"
        expected = " or ".join(HASHES)
        raise WeakHashError("hash is not accepted", expected=expected, got=signature.digest_name, hint=hint)
    digest = hashlib.new(signature.digest_name, message).digest()
    if not hmac.compare_digest(digest, signature.message_digest):
        hint = "the commit or its signature was altered: do not merge, find out where it came from"
        raise BadSignatureError("signature is over another message", hint=hint)


def _check_time(signature: CmsSignature, at: datetime) -> None:
    if signature.signing_time and signature.signing_time > at + SKEW:
        hint = "set the clock of the machine that signs, and sign again"
        expected, got = f"until {moment(at)}", moment(signature.signing_time)
        raise ValidityError("signature is from the future", expected=expected, got=got, hint=hint)


def _signer(signature: CmsSignature, certificates: Sequence[x509.Certificate]) -> x509.Certificate:
    found = {c for c in certificates if signature.made_by(c)}
    if len(found) != 1:
        hint = "have the signer's certificate put into the signature, as smimesign and gitsign do"
        got = f"{len(found)} certificates that fit"
        raise UnknownKeyError("the signer's certificate is not there", expected="one", got=got, hint=hint)
    return found.pop()


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    """E-mail addresses and URIs, as they are written. Raises PrincipalError for none, and for odd ones."""
    found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    emails = found.get_values_for_type(x509.RFC822Name)
    uris = found.get_values_for_type(x509.UniformResourceIdentifier)
    sound = all(map(_EMAIL.fullmatch, emails)) and all(map(_URI.fullmatch, uris))
    if not sound or not 1 <= len(emails) + len(uris) <= MAX_NAMES:
        hint = "have the certificate issued again, with its holder's e-mail address as alternative name"
        got = f"{len(emails)} addresses and {len(uris)} URIs" + ("" if sound else ", not all well formed")
        raise PrincipalError("the certificate names nobody", expected="an e-mail or URI", got=got, hint=hint)
    return (*emails, *uris)


@contextmanager
def _readable() -> Iterator[None]:
    """Certificates are parsed as they are used; whatever the library cannot read is malformed."""
    try:
        yield
    except TrustError:
        raise
    except InvalidSignature as error:
        hint = "the commit or its signature was altered: do not merge, find out where it came from"
        raise BadSignatureError("signature does not match", hint=hint) from error
    except Exception as error:
        raise malformed("a certificate that does not parse") from error
