"""One certificate authority per cluster, and the certificates it issues.

- A certificate issued here serves as client and as server, so tests can also make an expired server or
  one with a wrong name out of a cluster's own authority.

>>> import tempfile
>>> authority = create(Path(tempfile.mkdtemp()), "member-a")
>>> made = authority.issue("admin", common_name="admin", organizations=["system:masters"])
>>> x509.load_pem_x509_certificate(made.cert.read_bytes()).subject.rfc4514_string()
'CN=admin,O=system:masters'
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from reconciler.errors import SandboxError
from reconciler.pki import SKEW, Issuer, Life, leaf, named, new_key, private_pem, self_signed
from reconciler.sandbox import files

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
        key, issuer = new_key(), Issuer(self.certificate, self.key)
        subject = named(common_name, organizations)
        certificate = leaf(issuer, subject, key, _life(not_after), names=sans)
        credential = Credential(self.directory / f"{file_name}.crt", self.directory / f"{file_name}.key")
        files.write(credential.cert, _pem(certificate))
        files.write(credential.key, private_pem(key), mode=0o600)
        return credential


def create(directory: Path, name: str) -> Authority:
    """A new authority in ``directory``: ``ca.crt`` and ``ca.key``."""
    key = new_key()
    certificate = self_signed(named(f"{name} sandbox CA"), key, _life())
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
    key = new_key()
    files.write(private, private_pem(key), mode=0o600)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    files.write(public, key.public_key().public_bytes(serialization.Encoding.PEM, form))


def _life(not_after: datetime | None = None) -> Life:
    now = datetime.now(UTC)
    end = not_after or now + _LIFE
    return Life(min(now - SKEW, end - timedelta(hours=1)), end)  # one that expired must have begun before


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
