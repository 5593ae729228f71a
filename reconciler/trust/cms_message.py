"""The form of a detached CMS signature (RFC 5652 section 5) with one signer; nothing is verified here.

Rules: DER to the byte; versions fit; no content; the signed attributes in the order and with the values that
DER gives a SET, so that what is checked is what was signed.

>>> parse_cms(der).digest_name  # doctest: +SKIP
'sha256'
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509

from reconciler.trust.der import check_der, content, elements
from reconciler.trust.errors import MalformedSignatureError
from reconciler.trust.wire import WireError

MAX_CERTIFICATES: Final = 10
MAX_ATTRIBUTES: Final = 32
_DATA: Final = "1.2.840.113549.1.7.1"
_ONCE = _CONTENT_TYPE, _MESSAGE_DIGEST, _SIGNING_TIME = [f"1.2.840.113549.1.9.{n}" for n in (3, 4, 5)]


@dataclass(frozen=True, slots=True)
class CmsSignature:
    """What a signature says. ``signed`` are the bytes that it covers; algorithms are names or dotted OIDs."""

    issuer: bytes  # DER of the issuer's name, with ``serial``; or empty, with ``key_id``
    serial: int
    key_id: bytes
    digest_name: str  # "sha256"; anything else than SHA-2 as it is called
    algorithm: str  # dotted OID
    parameters: Any = field(repr=False)  # of the algorithm, for RSA-PSS
    message_digest: bytes
    signing_time: datetime | None
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    certificates: tuple[bytes, ...] = field(repr=False)

    def made_by(self, certificate: x509.Certificate) -> bool:
        """Whether it names this certificate as its signer's."""
        if self.key_id:
            found = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
            return found.value.digest == self.key_id
        return certificate.serial_number == self.serial and certificate.issuer.public_bytes() == self.issuer


def parse_cms(der: bytes) -> CmsSignature:
    """Parse DER. Raises MalformedSignatureError."""
    from asn1crypto import cms  # type: ignore[import-untyped]

    try:
        check_der(der)
        return _signed_data(cms.ContentInfo.load(der, strict=True))
    except WireError as error:
        raise malformed(str(error)) from error
    except Exception as error:
        # asn1crypto parses as values are read, and raises whatever its Python code meets.
        raise malformed("a structure that is not CMS signed data") from error


def malformed(got: str) -> MalformedSignatureError:
    """The error for a signature that is not as it must be."""
    hint = "sign again with an unmodified smimesign or gitsign; gpgsm writes BER, which is not accepted"
    return MalformedSignatureError("CMS signature is not well formed", got=got, hint=hint)


def _signed_data(info: Any) -> CmsSignature:
    if info["content_type"].native != "signed_data":
        raise WireError("no signed data")
    data = info["content"]
    inner = data["encap_content_info"]
    if inner["content_type"].dotted != _DATA or not _absent(inner["content"]):
        raise WireError("content in the signature, or of another type than data")
    if len(data["signer_infos"]) != 1:
        raise WireError(f"{len(data['signer_infos'])} signers")
    signer = data["signer_infos"][0]
    issuer, serial, key_id = _identifier(signer)
    if data["version"].native != signer["version"].native:
        raise WireError("versions that do not fit")
    digest = signer["digest_algorithm"]
    if digest.dump() not in [listed.dump() for listed in data["digest_algorithms"]]:
        raise WireError("a digest that is not announced")
    attributes = _attributes(signer["signed_attrs"])
    if attributes[_CONTENT_TYPE].dotted != _DATA:
        raise WireError("a signed content type other than data")
    when = attributes.get(_SIGNING_TIME)
    return CmsSignature(
        issuer,
        serial,
        key_id,
        _plain(digest),
        signer["signature_algorithm"]["algorithm"].dotted,
        signer["signature_algorithm"]["parameters"],
        attributes[_MESSAGE_DIGEST].native,
        when.native.astimezone(UTC) if when is not None else None,
        # The attributes carry an implicit tag; what is signed has that of a SET (section 5.4).
        b"\x31" + signer["signed_attrs"].dump()[1:],
        signer["signature"].native,
        _certificates(data["certificates"]),
    )


def _absent(value: Any) -> bool:
    """An optional field that is not there; asn1crypto has no None."""
    from asn1crypto.core import Void  # type: ignore[import-untyped]

    return isinstance(value, Void)


def _identifier(signer: Any) -> tuple[bytes, int, bytes]:
    sid, version = signer["sid"], signer["version"].native
    if sid.name == "issuer_and_serial_number" and version == "v1":
        return sid.chosen["issuer"].dump(), sid.chosen["serial_number"].native, b""
    if sid.name == "subject_key_identifier" and version == "v3" and sid.chosen.native:
        return b"", 0, sid.chosen.native
    raise WireError("a version that does not fit")


def _attributes(signed: Any) -> dict[str, Any]:
    """Their values by dotted OID; content type and message digest are there."""
    if _absent(signed):
        raise WireError("no signed attributes")
    raw = elements(content(signed.dump()))
    if raw != sorted(raw) or not 1 <= len(raw) <= MAX_ATTRIBUTES:
        raise WireError("signed attributes that are not in DER order")
    found: dict[str, Any] = {}
    for attribute in signed:
        name, values = attribute["type"].dotted, attribute["values"]
        if name in found or (name in _ONCE and len(values) != 1):
            raise WireError("a signed attribute twice")
        found[name] = values[0] if name in _ONCE else None
    if not {_CONTENT_TYPE, _MESSAGE_DIGEST} <= found.keys():
        raise WireError("no content type or no message digest among the signed attributes")
    return found


def _plain(algorithm: Any) -> str:
    """The name of a hash whose parameters are absent or NULL."""
    if algorithm["parameters"].native is not None:
        raise WireError("a hash with parameters")
    return str(algorithm["algorithm"].native)


def _certificates(certificates: Any) -> tuple[bytes, ...]:
    if _absent(certificates):
        return ()
    if len(certificates) > MAX_CERTIFICATES:
        raise WireError("too many certificates")
    if any(choice.name != "certificate" for choice in certificates):
        raise WireError("a certificate that is not X.509")
    found = tuple(choice.chosen.dump() for choice in certificates)
    for certificate in found:
        # Libraries overlook it, and a certificate would have as many fingerprints.
        if content(elements(content(certificate))[2])[:1] != b"\0":
            raise WireError("a certificate whose signature does not end at a byte")
    return found
