"""X.509 authorities and CMS signatures for tests: by ``cryptography`` and by hand, sound and broken.

>>> people = Authority()  # doctest: +SKIP
>>> alice = people.leaf()  # doctest: +SKIP
>>> forge(MESSAGE, alice)  # doctest: +SKIP
b'-----BEGIN SIGNED MESSAGE-----...'
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from asn1crypto import algos, cms, core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

MESSAGE = b"tree 0000\nauthor A <a@x> 1 +0000\n\nmessage\n"
START = datetime(2026, 1, 1, tzinfo=UTC)
SEEN = datetime(2026, 2, 1, tzinfo=UTC)
DAY = timedelta(days=1)
EMAIL, CODE, SERVER = (
    ExtendedKeyUsageOID.EMAIL_PROTECTION,
    ExtendedKeyUsageOID.CODE_SIGNING,
    ExtendedKeyUsageOID.SERVER_AUTH,
)
ALICE: tuple[x509.GeneralName, ...] = (x509.RFC822Name("alice@example.com"),)


def new_key(kind: str = "p256") -> Any:
    match kind:
        case "rsa":
            return rsa.generate_private_key(65537, 2048)
        case "rsa1024":
            return rsa.generate_private_key(65537, 1024)  # noqa: S505  (to be refused)
        case "ed25519":
            return Ed25519PrivateKey.generate()
    curves = {"p224": ec.SECP224R1, "p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1}
    return ec.generate_private_key(curves[kind]())


def pem(certificate: x509.Certificate | x509.CertificateRevocationList) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def name_of(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def usage(*names: str) -> x509.KeyUsage:
    fields = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment")
    fields += ("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: name in names for name in fields})


@dataclass
class Holder:
    """A certificate with its key, and those of its issuers that go into a message."""

    certificate: x509.Certificate
    key: Any
    extra: tuple[x509.Certificate, ...] = ()

    @property
    def key_pem(self) -> str:
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return self.key.private_bytes(serialization.Encoding.PEM, *form).decode()  # type: ignore[no-any-return]

    @property
    def public_pem(self) -> str:
        form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(*form).decode()  # type: ignore[no-any-return]


@dataclass
class Authority:
    """A root, one intermediate below it, and what they issue."""

    kind: str = "p256"
    name: str = "Example"
    path_length: int | None = None
    middle_usage: tuple[str, ...] = ("key_cert_sign", "crl_sign")
    middle_extensions: tuple[tuple[x509.ExtensionType, bool], ...] = ()
    middle_days: int = 1000
    root: Holder = field(init=False)
    middle: Holder = field(init=False)

    def __post_init__(self) -> None:
        root_key, middle_key = new_key(self.kind), new_key(self.kind)
        signs = usage("key_cert_sign", "crl_sign")
        self.root = Holder(
            make(f"{self.name} Root", None, root_key, root_key, ca=True, key_usage=signs), root_key
        )
        middle = make(
            f"{self.name} Issuing",
            self.root,
            middle_key,
            ca=True,
            path_length=self.path_length,
            key_usage=usage(*self.middle_usage),
            extensions=self.middle_extensions,
            days=self.middle_days,
        )
        self.middle = Holder(middle, middle_key)

    def leaf(self, kind: str = "p256", *, issuer: Holder | None = None, **options: Any) -> Holder:
        key = new_key(kind)
        by = issuer or self.middle
        extra = (self.middle.certificate,) if by is self.middle else ()
        options = {"purposes": (EMAIL,), "names": ALICE, "key_usage": usage("digital_signature")} | options
        return Holder(make("alice", by, key, **options), key, extra)

    def crls(self, *revoked: Holder, reason: x509.ReasonFlags | None = None, **options: Any) -> str:
        """Lists of the intermediate (with these) and the root, current at ``SEEN`` unless said otherwise."""
        return self.crl(self.middle, *revoked, reason=reason, **options) + self.crl(self.root, **options)

    def crl(
        self,
        issuer: Holder,
        *revoked: Holder,
        reason: x509.ReasonFlags | None = None,
        since: datetime = START,
        start: datetime = START,
        days: int = 60,
        key: Any = None,
        digest: hashes.HashAlgorithm | None = None,
        extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    ) -> str:
        builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
        builder = builder.last_update(start).next_update(start + days * DAY)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        for holder in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(holder.certificate.serial_number)
            entry = entry.revocation_date(since)
            if reason:
                entry = entry.add_extension(x509.CRLReason(reason), critical=False)
            builder = builder.add_revoked_certificate(entry.build())
        return pem(builder.sign(key or issuer.key, digest or hashes.SHA256()))


def make(
    subject: str,
    issuer: Holder | None,
    key: Any,
    signing_key: Any = None,
    *,
    ca: bool = False,
    path_length: int | None = None,
    key_usage: x509.KeyUsage | None = None,
    purposes: Sequence[x509.ObjectIdentifier] = (),
    names: Sequence[x509.GeneralName] = (),
    start: datetime = START,
    days: float = 1000,
    digest: hashes.HashAlgorithm | None = None,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> x509.Certificate:
    by = issuer.certificate.subject if issuer else name_of(subject)
    builder = x509.CertificateBuilder().subject_name(name_of(subject)).issuer_name(by)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(start).not_valid_after(start + days * DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca, path_length), critical=True)
    builder = builder.add_extension(
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
    )
    if issuer:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
        builder = builder.add_extension(identifier, critical=False)
    if key_usage:
        builder = builder.add_extension(key_usage, critical=True)
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    by_key = signing_key or (issuer.key if issuer else key)
    none = isinstance(by_key, Ed25519PrivateKey)
    return builder.sign(by_key, None if none else digest or hashes.SHA256())


@dataclass
class Knobs:
    """What to do otherwise than a sound signature does."""

    digest: str = "sha256"
    pss: bool = False
    salt: int = 32
    mask: str = ""
    key_id: bool = False
    signed: bool = True  # signed attributes at all
    content_type: str | None = "data"
    message_digest: bool = True
    digest_of: bytes = MESSAGE
    signing_time: datetime | None = SEEN
    twice: str = ""  # an attribute twice
    reverse: bool = False  # attributes in the wrong order, signed like that
    content: bytes | None = None
    signers: int = 1
    version: str = ""
    announce: str = ""  # another digest algorithm than the one used
    algorithm: str = ""  # another signature algorithm than the one used
    certificates: Sequence[x509.Certificate] | None = None
    unsigned: bool = False  # an unsigned attribute
    inner_type: str = "data"


def forge(message: bytes, by: Holder, knobs: Knobs | None = None) -> bytes:
    """A signature in its armour."""
    return armour(forge_der(by, knobs or Knobs(digest_of=message)))


def armour(der: bytes) -> bytes:
    return b"-----BEGIN SIGNED MESSAGE-----\n" + base64.encodebytes(der) + b"-----END SIGNED MESSAGE-----\n"


def forge_der(by: Holder, knobs: Knobs) -> bytes:
    certificates = (by.certificate, *by.extra) if knobs.certificates is None else knobs.certificates
    inner: dict[str, Any] = {"content_type": knobs.inner_type}
    if knobs.content is not None:
        inner["content"] = core.OctetString(knobs.content, explicit=0)
    data = {
        "version": "v3" if knobs.key_id else "v1",
        "digest_algorithms": [{"algorithm": knobs.announce or knobs.digest}],
        "encap_content_info": inner,
        "certificates": [asn1_x509.Certificate.load(_der(c)) for c in certificates],
        "signer_infos": [_signer(by, knobs)] * knobs.signers,
    }
    info = cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(data)})
    return bytes(info.dump())


def _signer(by: Holder, knobs: Knobs) -> cms.SignerInfo:
    attributes = _attributes(knobs)
    signed = attributes.dump() if knobs.signed else MESSAGE
    certificate = asn1_x509.Certificate.load(_der(by.certificate))
    if knobs.key_id:
        sid = cms.SignerIdentifier("subject_key_identifier", certificate.key_identifier)
    else:
        pair = {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
        sid = cms.SignerIdentifier("issuer_and_serial_number", pair)
    algorithm, signature = _sign(by.key, knobs, signed)
    fields: dict[str, Any] = {
        "version": knobs.version or ("v3" if knobs.key_id else "v1"),
        "sid": sid,
        "digest_algorithm": {"algorithm": knobs.digest},
        "signature_algorithm": {"algorithm": knobs.algorithm} if knobs.algorithm else algorithm,
        "signature": signature,
    }
    if knobs.signed:
        fields["signed_attrs"] = attributes
    if knobs.unsigned:
        fields["unsigned_attrs"] = [{"type": "1.3.6.1.4.1.57264.3.1", "values": [core.OctetString(b"log")]}]
    return cms.SignerInfo(fields)


def _attributes(knobs: Knobs) -> cms.CMSAttributes:
    found: list[dict[str, Any]] = []
    if knobs.content_type:
        found.append({"type": "content_type", "values": [knobs.content_type]})
    if knobs.signing_time:
        when = cms.Time({"utc_time": core.UTCTime(knobs.signing_time)})
        found.append({"type": "signing_time", "values": [when]})
    if knobs.message_digest:
        digest = hashlib.new(knobs.digest, knobs.digest_of).digest()
        found.append({"type": "message_digest", "values": [digest]})
    found += [one for one in found if one["type"] == knobs.twice]
    attributes = [cms.CMSAttribute(one) for one in found]
    attributes.sort(key=lambda one: one.dump(), reverse=knobs.reverse)
    result = cms.CMSAttributes(attributes)
    if knobs.reverse:
        # The library sorts; so the encoding is put together by hand.
        body = b"".join(one.dump() for one in attributes)
        return cms.CMSAttributes.load(b"\x31" + _length(len(body)) + body)
    return result


def _length(size: int) -> bytes:
    return bytes([size]) if size < 0x80 else bytes([0x81, size])


def _sign(key: Any, knobs: Knobs, data: bytes) -> tuple[Any, bytes]:
    digest = {"md5": hashes.MD5, "sha1": hashes.SHA1, "sha224": hashes.SHA224}.get(knobs.digest)
    digest = (
        digest or {"sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}[knobs.digest]
    )
    if isinstance(key, Ed25519PrivateKey):
        return {"algorithm": "ed25519"}, key.sign(data)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return {"algorithm": f"{knobs.digest}_ecdsa"}, key.sign(data, ec.ECDSA(digest()))
    if not knobs.pss:
        return {"algorithm": "rsassa_pkcs1v15"}, key.sign(data, padding.PKCS1v15(), digest())
    mask = knobs.mask or knobs.digest
    parameters = algos.RSASSAPSSParams(
        {
            "hash_algorithm": {"algorithm": knobs.digest},
            "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": mask}},
            "salt_length": knobs.salt,
        }
    )
    mask_hash = {"sha1": hashes.SHA1, "sha256": hashes.SHA256, "sha512": hashes.SHA512}[mask]
    scheme = padding.PSS(padding.MGF1(mask_hash()), knobs.salt)
    return {"algorithm": "rsassa_pss", "parameters": parameters}, key.sign(data, scheme, digest())


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)
