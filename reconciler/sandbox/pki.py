"""One certificate authority per cluster, and the certificates it issues.

- Keys are P-256: made in a millisecond, and every client that people use takes them.
- Every certificate has what strict verifiers (Python 3.13, OpenSSL 3) ask for: key usage, key identifiers.
- A certificate issued here serves as client and as server, so tests can also make an expired server or
  one with a wrong name out of a cluster's own authority.

>>> import tempfile
>>> authority = create(Path(tempfile.mkdtemp()), "member-a")
>>> made = authority.issue("admin", common_name="admin", organizations=["system:masters"])
>>> x509.load_pem_x509_certificate(made.cert.read_bytes()).subject.rfc4514_string()
'CN=admin,O=system:masters'
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from reconciler.errors import SandboxError
from reconciler.sandbox import files

_SKEW = timedelta(minutes=5)  # a container's clock may be behind its host's
_LIFE = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate and its private key, as PEM files."""

    cert: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Authority:
    """A cluster's CA, with the folder its certificates go to."""

    directory: Path
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def issue(
        self, file_name: str, *, common_name: str, organizations: Sequence[str] = (),
        not_after: datetime | None = None, sans: Sequence[str] = (),
    ) -> Credential:  # fmt: skip
        """A new key with a certificate for it, as ``<file_name>.crt`` and ``.key``."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in organizations]
        names.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
        builder = _builder(x509.Name(names), self.certificate.subject, key, not_after)
        builder = _leaf(builder, self.key.public_key(), sans)
        credential = Credential(self.directory / f"{file_name}.crt", self.directory / f"{file_name}.key")
        files.write(credential.cert, _pem(builder.sign(self.key, hashes.SHA256())))
        files.write(credential.key, private_pem(key), mode=0o600)
        return credential


def create(directory: Path, name: str) -> Authority:
    """A new authority in ``directory``: ``ca.crt`` and ``ca.key``."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} sandbox CA")])
    builder = _builder(subject, subject, key, None)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(ca=True), critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    files.write(directory / "ca.crt", _pem(certificate))
    files.write(directory / "ca.key", private_pem(key), mode=0o600)
    return Authority(directory, certificate, key)


def load(directory: Path) -> Authority:
    """The authority that ``create`` left in ``directory``."""
    try:
        certificate = x509.load_pem_x509_certificate((directory / "ca.crt").read_bytes())
        key = serialization.load_pem_private_key((directory / "ca.key").read_bytes(), password=None)
    except (OSError, ValueError) as error:
        raise SandboxError("cannot read the cluster's CA", got=str(error), where=str(directory)) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise SandboxError("not a sandbox's key", expected="a P-256 key", where=str(directory / "ca.key"))
    return Authority(directory, certificate, key)


def key_pair(private: Path, public: Path) -> None:
    """A key pair without a certificate: what service account tokens are signed with."""
    key = ec.generate_private_key(ec.SECP256R1())
    files.write(private, private_pem(key), mode=0o600)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    files.write(public, key.public_key().public_bytes(serialization.Encoding.PEM, form))


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS #8, which every client reads."""
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, not_after: datetime | None
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    end = not_after or now + _LIFE
    begin = min(now - _SKEW, end - timedelta(hours=1))  # one that expired must have begun before that
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(begin).not_valid_after(end)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return builder.add_extension(identifier, critical=False)


def _leaf(
    builder: x509.CertificateBuilder, issuer: ec.EllipticCurvePublicKey, sans: Sequence[str]
) -> x509.CertificateBuilder:
    usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(ca=False), critical=True)
    builder = builder.add_extension(usages, critical=False).add_extension(identifier, critical=False)
    if sans:
        names = x509.SubjectAlternativeName([_alternative(name) for name in sans])
        builder = builder.add_extension(names, critical=False)
    return builder


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


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
