"""Certificates as fleetward makes them: a P-256 authority that signs itself, and leaves (RFC 5280).

Each has what strict verifiers (Python 3.13, OpenSSL 3) ask for: key usage, key identifiers.

>>> from datetime import UTC
>>> life = Life(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
>>> key, ca = new_key(), new_key()
>>> authority = self_signed(named("an authority"), ca, life)
>>> made = leaf(Issuer(authority, ca), named("a server"), key, life, names=["server.example", "192.0.2.1"])
>>> made.issuer.rfc4514_string()
'CN=an authority'
"""

import hashlib
import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SKEW: Final = timedelta(minutes=5)  # the other side's clock may be behind: begin so much earlier
PEM: Final = serialization.Encoding.PEM
_CLIENT_AND_SERVER = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)


class Life(NamedTuple):
    """When a certificate is good (UTC)."""

    begin: datetime
    end: datetime


class Issuer(NamedTuple):
    """An authority's certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def new_key() -> ec.EllipticCurvePrivateKey:
    """P-256: made in a millisecond, and every client that people use takes it."""
    return ec.generate_private_key(ec.SECP256R1())


def named(common_name: str, organizations: Sequence[str] = ()) -> x509.Name:
    """The name of a subject; to Kubernetes the user and its groups."""
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in organizations]
    return x509.Name([*names, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def self_signed(subject: x509.Name, key: ec.EllipticCurvePrivateKey, life: Life) -> x509.Certificate:
    """The certificate of an authority that has no other below it."""
    builder = _builder(subject, subject, key, life)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return builder.add_extension(_usage(ca=True), critical=True).sign(key, hashes.SHA256())


def leaf(
    issuer: Issuer, subject: x509.Name, key: ec.EllipticCurvePrivateKey, life: Life, *, names: Sequence[str],
    usages: Sequence[x509.ObjectIdentifier] = _CLIENT_AND_SERVER,
) -> x509.Certificate:  # fmt: skip
    """A certificate for ``key``; ``names`` are host names and addresses, and may be none."""
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    builder = _builder(subject, issuer.certificate.subject, key, life)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(ca=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    builder = builder.add_extension(identifier, critical=False)
    if names:
        alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(issuer.key, hashes.SHA256())


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS #8 (RFC 5208), not encrypted, which every client reads: a secret."""
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def pin_of(certificate: x509.Certificate) -> str:
    """The ``spki_digest`` of the certificate's key, as RFC 7469 pins."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return spki_digest(certificate.public_key().public_bytes(serialization.Encoding.DER, form))


def spki_digest(der: bytes) -> str:
    """``sha256:<hex>`` of a SubjectPublicKeyInfo: how keys and pins are named."""
    return f"sha256:{hashlib.sha256(der).hexdigest()}"


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, life: Life
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(life.begin).not_valid_after(life.end)
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
