"""Who may issue SSH certificates, and whether one counts (OpenSSH PROTOCOL.certkeys).

Rules:
- An authority is its key. An RSA authority signs with rsa-sha2-256/512.
- An authority has a revocation list, be it an empty one, unless it is said on purpose that it has none.
- A signature does not cover the certificate beside it (PROTOCOL.sshsig), so another certificate over the same
  key can take its place. A serial or key id revokes one certificate; a lost key is revoked as a key.
- A window is half open, [valid_after, valid_before), as PROTOCOL.certkeys says.

Steps of ``check_certificate``: 1. an authority has the key that signed it; 2. the signature matches; 3. it
was valid at that time; 4. the authority's revocations are known; 5. they name neither the certificate, nor
its key, nor the authority. Which person a principal stands for is not judged here.

>>> people = ssh_authority("people", "ssh-ed25519 AAAA...", "U1NIS1JMCgA...")  # doctest: +SKIP
>>> check_certificate(certificate, {people.key.blob: people}, at=first_seen).name  # doctest: +SKIP
'people'
>>> new_year = datetime(2026, 1, 1, tzinfo=UTC)
>>> check_window("key of 'alice'", None, new_year, at=new_year)
Traceback (most recent call last):
reconciler.trust.errors.ValidityError: FW1211: key of 'alice' is no longer valid: expected before \
2026-01-01T00:00:00Z, got 2026-01-01T00:00:00Z
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from reconciler.errors import TrustError
from reconciler.trust.certkeys import SshCertificate, is_certificate, parse_certificate
from reconciler.trust.errors import (
    AuthorityError,
    RevocationDataError,
    RevokedError,
    SignerListError,
    ValidityError,
)
from reconciler.trust.krl import Krl, parse_krl
from reconciler.trust.sshkeys import SshKey, parse_key_text

__all__ = [
    "SshAuthority",
    "SshCertificate",
    "check_certificate",
    "check_window",
    "is_certificate",
    "parse_certificate",
    "ssh_authority",
]


@dataclass(frozen=True, slots=True)
class SshAuthority:
    """Who issues certificates. ``krl`` None: nothing is known of revocations, an error if required."""

    name: str
    key: SshKey
    krl: Krl | None = field(default=None, repr=False)
    revocation_required: bool = True


def ssh_authority(name: str, key: str, krl: str, *, revocable: bool = True) -> SshAuthority:
    """An authority as it is listed: its key as in a .pub file, its KRL in base64, "" for none.

    Raises SignerListError for the key, RevocationDataError for the list.
    """
    try:
        parsed = parse_key_text(key)
    except TrustError as error:
        raise SignerListError(f"the key of authority {name!r} cannot be used", got=str(error)) from error
    try:
        revoked = parse_krl(base64.b64decode("".join(krl.split()), validate=True)) if krl.strip() else None
    except (TrustError, binascii.Error, ValueError) as error:
        hint = "publish it again: `ssh-keygen -k -f FILE -s CA.pub SPEC`, then `base64 FILE`"
        what = f"revocation list of authority {name!r} cannot be read"
        raise RevocationDataError(what, got=str(error), hint=hint) from error
    return SshAuthority(name, parsed, revoked, revocable)


def check_certificate(
    certificate: SshCertificate, authorities: Mapping[bytes, SshAuthority], at: datetime
) -> SshAuthority:
    """The listed authority that issued ``certificate``; ``authorities`` is keyed by their keys' wire forms.

    ``at`` is when the commit was first seen, with a time zone.
    Raises AuthorityError, ValidityError, RevocationDataError, RevokedError.
    """
    authority = authorities.get(certificate.authority.blob)
    if authority is None:
        hint = "get a certificate from an authority in federation.yaml, or list this one there"
        got = f"{certificate.authority.type} {certificate.authority.fingerprint}"
        raise AuthorityError("no listed authority issued the certificate", got=got, hint=hint)
    _check_issued(certificate, authority)
    check_window("certificate", certificate.valid_after, certificate.valid_before, at)
    _check_revocation(certificate, authority)
    return authority


def _check_issued(certificate: SshCertificate, authority: SshAuthority) -> None:
    try:
        authority.key.verify(certificate.signature, certificate.signed)
    except TrustError as error:
        got = f"{error.message}: {error.got}" if error.got else error.message
        hint = "the certificate was altered, or signed with a weak algorithm: have it issued again"
        raise AuthorityError(
            f"authority {authority.name!r} did not issue the certificate", got=got, hint=hint
        ) from error


def _check_revocation(certificate: SshCertificate, authority: SshAuthority) -> None:
    if authority.krl is None:
        if authority.revocation_required:
            hint = "publish its KRL, an empty one at least: `ssh-keygen -k -f FILE -s CA.pub /dev/null`"
            raise RevocationDataError(f"authority {authority.name!r} has no revocation list", hint=hint)
        return
    if authority.krl.revokes_certificate(certificate):
        got = f"serial {certificate.serial}, key id {certificate.key_id!r}, {certificate.key.fingerprint}"
        hint = "find out why it is still in use; sign again with another key"
        raise RevokedError("certificate is revoked", got=got, hint=hint)


def check_window(
    name: str, valid_after: datetime | None, valid_before: datetime | None, at: datetime
) -> None:
    """Raise ValidityError unless ``at`` is in [valid_after, valid_before); None leaves a side open.

    ``name`` is what the message calls it. All times have a time zone.
    """
    if valid_after is not None and at < valid_after:
        expected = f"{_shown(valid_after)} or later"
        raise ValidityError(f"{name} is not valid yet", expected=expected, got=_shown(at))
    if valid_before is not None and at >= valid_before:
        expected = f"before {_shown(valid_before)}"
        raise ValidityError(f"{name} is no longer valid", expected=expected, got=_shown(at))


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
