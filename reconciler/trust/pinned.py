"""The join endpoint's own small PKI: a CA that tokens pin, and the certificate that it issues.

Rules:
- P-256 keys, mode 0600. The CA lives ten years and signs nothing but the endpoint's certificates, which live
  ``LEAF`` and are made anew at every start of the endpoint, and before they end: a key is never older than
  the process.
- Clients believe the CA because a token names it: SHA-256 of its SubjectPublicKeyInfo (as RFC 7469 pins). No
  trust store of a system has a part in it.

>>> from reconciler.pki import pin_of
>>> ca = new_authority("primary.example")
>>> pin_of(ca.certificate)[:7]
'sha256:'
>>> leaf_pem, key_pem = issue_leaf(ca, ("primary.example", "192.0.2.1"), datetime.now(UTC))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from reconciler.pki import PEM, SKEW, Issuer, Life, leaf, named, new_key, private_pem, self_signed
from reconciler.trust.errors import KeyFileError

LEAF: Final = timedelta(days=90)
_AUTHORITY = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class EndpointAuthority:
    """The CA with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def pem(self) -> bytes:
        """Certificate and private key, PEM: a secret."""
        return self.certificate.public_bytes(PEM) + private_pem(self.key)


def new_authority(name: str) -> EndpointAuthority:
    """A new CA for the endpoint at ``name``."""
    key, now = new_key(), datetime.now(UTC)
    subject = named(f"fleetward join {name}"[:64])
    return EndpointAuthority(self_signed(subject, key, Life(now - SKEW, now + _AUTHORITY)), key)


def parse_authority(pem: bytes) -> EndpointAuthority:
    """What ``EndpointAuthority.pem`` gave. Raises KeyFileError."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        key = serialization.load_pem_private_key(pem[pem.index(b"-----BEGIN PRIVATE") :], password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise KeyFileError("not the join endpoint's CA", expected="a certificate and its P-256 key in PEM")
    return EndpointAuthority(certificate, key)


def issue_leaf(ca: EndpointAuthority, names: Sequence[str], now: datetime) -> tuple[bytes, bytes]:
    """A certificate (with the CA's after it) for these host names and addresses, and its new key: PEM."""
    key, life = new_key(), Life(now - SKEW, now + LEAF)
    certificate = leaf(
        Issuer(ca.certificate, ca.key), named("fleetward join endpoint"), key, life, names=names,
        usages=[ExtendedKeyUsageOID.SERVER_AUTH],
    )  # fmt: skip
    return certificate.public_bytes(PEM) + ca.certificate.public_bytes(PEM), private_pem(key)
