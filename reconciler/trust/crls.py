"""Certificate revocation lists of an X.509 authority (RFC 5280 section 5).

Rules:
- A list is complete, signed with SHA-256 or better by the issuer of the certificate in question, who may sign
  lists, and current: this update is not after the moment that counts, the next one is.
- A revocation counts always, whenever the list was made; one for a reason that leaves the past alone
  (superseded, ceased, affiliation changed, privilege withdrawn) counts from its date.

>>> parse_revocations("people", "", required=False).crls
()
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from reconciler.trust.errors import RevocationDataError, RevokedError
from reconciler.trust.moments import SKEW, moment

HASHES: Final = ("sha256", "sha384", "sha512")
MAX_PEM: Final = 16 << 20  # characters
# What cryptography raises for certificates and lists that it cannot read.
UNREADABLE: Final = (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature, x509.DuplicateExtension)
_SOFT_REASONS = {
    x509.ReasonFlags.superseded,
    x509.ReasonFlags.cessation_of_operation,
    x509.ReasonFlags.affiliation_changed,
    x509.ReasonFlags.privilege_withdrawn,
}
_EXTENSIONS = (x509.AuthorityKeyIdentifier, x509.CRLNumber)
_PEM = re.compile(r"-----BEGIN X509 CRL-----\n[A-Za-z0-9+/=\n]+-----END X509 CRL-----")


@dataclass(frozen=True, slots=True)
class Revocations:
    """What authority ``name`` says is revoked; ``required``: without a current list nobody is trusted."""

    name: str
    crls: tuple[x509.CertificateRevocationList, ...] = field(default=(), repr=False)
    required: bool = True

    def check(self, certificate: x509.Certificate, issuer: x509.Certificate, at: datetime) -> None:
        """Raise RevokedError, or RevocationDataError, unless ``certificate`` is known not to be revoked."""
        lists = [crl for crl in self.crls if _issued(crl, issuer)]
        for crl in lists:
            entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
            if entry and _counts(entry, at):
                got = f"serial {certificate.serial_number:x}, by {self.name}"
                hint = "find out why it is still in use; sign again with another key"
                raise RevokedError("the certificate was revoked", got=got, hint=hint)
        if self.required and not any(_current(crl, at) for crl in lists):
            raise self._unknown(lists, at)

    def _unknown(self, lists: list[x509.CertificateRevocationList], at: datetime) -> RevocationDataError:
        ends = [moment(crl.next_update_utc) for crl in lists if crl.next_update_utc]
        return RevocationDataError(
            "revocations are not known",
            expected=f"a list current at {moment(at)}",
            got=f"lists until {', '.join(ends)[:200]}" if ends else "no list by the issuer",
            hint=f"publish a current CRL of every issuer below {self.name!r} in federation.yaml",
        )


def parse_revocations(name: str, crls_pem: str, *, required: bool) -> Revocations:
    """The lists in PEM that authority ``name`` has; none for an empty text. Raises RevocationDataError."""
    found = _PEM.findall(crls_pem) if len(crls_pem) <= MAX_PEM else []
    if len(found) != crls_pem.count("-----BEGIN") or (crls_pem.strip() and not found):
        raise _unread(name, "text that is not CRLs in PEM")
    return Revocations(name, tuple(_parse_crl(name, text) for text in found), required)


def _issued(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """``issuer`` signed this list and may sign lists."""
    if crl.issuer != issuer.subject or not _usage(issuer).crl_sign:
        return False
    try:
        return crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
    except UNREADABLE:
        return False


def _current(crl: x509.CertificateRevocationList, at: datetime) -> bool:
    return crl.last_update_utc <= at + SKEW and crl.next_update_utc is not None and at < crl.next_update_utc


def _counts(entry: x509.RevokedCertificate, at: datetime) -> bool:
    try:
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except (x509.ExtensionNotFound, *UNREADABLE):
        return True
    return reason not in _SOFT_REASONS or entry.revocation_date_utc <= at + SKEW


def _parse_crl(name: str, text: str) -> x509.CertificateRevocationList:
    try:
        crl = x509.load_pem_x509_crl(text.encode())
        algorithm = crl.signature_hash_algorithm
        unknown = [e.oid.dotted_string for e in crl.extensions if not isinstance(e.value, _EXTENSIONS)]
        for entry in crl:
            unknown += [e.oid.dotted_string for e in entry.extensions if e.critical]
    except UNREADABLE as error:
        raise _unread(name, "a list that does not parse") from error
    if algorithm is None or algorithm.name not in HASHES:
        raise _unread(name, f"a list signed over {algorithm.name if algorithm else 'no hash'}")
    if unknown:
        # A delta, an indirect or a partial list would say less than it seems to.
        raise _unread(name, f"a list with extension {unknown[0]}, which may not be a complete one")
    return crl


def _usage(certificate: x509.Certificate) -> x509.KeyUsage:
    return certificate.extensions.get_extension_for_class(x509.KeyUsage).value


def _unread(name: str, got: str) -> RevocationDataError:
    hint = "list complete CRLs as PEM (BEGIN X509 CRL), signed with SHA-256 or better"
    return RevocationDataError(f"revocations of {name!r} cannot be read", got=got, hint=hint)
