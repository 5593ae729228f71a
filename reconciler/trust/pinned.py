"""The join endpoint's own small PKI: a CA that tokens pin, and the certificate that it issues.

Rules:
- P-256 keys, mode 0600. The CA lives ten years and signs nothing but the endpoint's certificates, which live
  ``LEAF`` and are made anew at every start of the endpoint: its key is never older than the process.
- Clients believe the CA because a token names it: SHA-256 of its SubjectPublicKeyInfo (as RFC 7469 pins). No
  trust store of a system has a part in it.

>>> ca = new_authority("primary.example")
>>> pin_of(ca.certificate)[:7]
'sha256:'
>>> leaf_pem, key_pem = issue_leaf(ca, ("primary.example", "192.0.2.1"), datetime.now(UTC))
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from reconciler.trust.errors import KeyFileError
from reconciler.trust.jointoken import spki_digest

LEAF: Final = timedelta(days=90)
_AUTHORITY = timedelta(days=3650)
_SKEW = timedelta(minutes=5)  # the other side's clock may be behind


@dataclass(frozen=True, slots=True)
class EndpointAuthority:
    """The CA with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def pem(self) -> bytes:
        """Certificate and private key, PEM: a secret."""
        return self.certificate.public_bytes(serialization.Encoding.PEM) + _private_pem(self.key)


def new_authority(name: str) -> EndpointAuthority:
    """A new CA for the endpoint at ``name``."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"fleetward join {name}"[:64])])
    builder = _builder(subject, subject, key, now, _AUTHORITY)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(ca=True), critical=True)
    return EndpointAuthority(builder.sign(key, hashes.SHA256()), key)


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
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fleetward join endpoint")])
    builder = _builder(subject, ca.certificate.subject, key, now, LEAF)
    usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(ca=False), critical=True)
    builder = builder.add_extension(usages, critical=False).add_extension(identifier, critical=False)
    alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
    certificate = builder.add_extension(alternatives, critical=False).sign(ca.key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    return certificate.public_bytes(pem) + ca.certificate.public_bytes(pem), _private_pem(key)


def pin_of(certificate: x509.Certificate) -> str:
    """``sha256:<hex>`` of the certificate's SubjectPublicKeyInfo."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return spki_digest(certificate.public_key().public_bytes(serialization.Encoding.DER, form))


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - _SKEW).not_valid_after(now + life)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return builder.add_extension(identifier, critical=False)


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, key_cert_sign=ca, crl_sign=ca, key_encipherment=False,
        data_encipherment=False, key_agreement=False, content_commitment=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
