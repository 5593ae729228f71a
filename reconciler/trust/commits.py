"""Whose signature it is, over the raw bytes of a commit or of a signed statement.

Rules:
- Fail closed: ``verify_signature`` returns a signer or raises; there is no falsy answer.
- The trust root is that of the commit *before*; the caller passes it, so a commit can never add the key that
  it is signed with.
- Everything is judged at ``at``, the moment when the signature was first seen, never at a time that the
  signer wrote: a retired key could sign under any date.
- What the signer may sign is judged in ``judge``.

Steps: 1. there is a signature; 2. its format is known; 3. it is well formed, for Git, and strong; 4. the root
lists its key, or an authority that certified it; 5. key, certificate and signer are valid at ``at`` and not
revoked; 6. it matches the payload.

>>> verify_signature(commit.payload, commit.signature, fleet.federation.root, now).name  # doctest: +SKIP
'alice'
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from reconciler.trust import sshsig
from reconciler.trust.errors import (
    PrincipalError,
    RevokedError,
    SignatureFormatError,
    UnknownKeyError,
    UnsignedError,
)
from reconciler.trust.keyring import Held, Keyring, keyring_of
from reconciler.trust.sshcert import check_certificate, check_window
from reconciler.trust.sshkeys import SshKey

if TYPE_CHECKING:
    from reconciler.documents import TrustedSigner, TrustRoot

NAMESPACE: Final = "git"
_OPENPGP = b"-----BEGIN PGP SIGNATURE-----"
_CMS = b"-----BEGIN SIGNED MESSAGE-----"


class Method(StrEnum):
    """How somebody signed."""

    SSH = "ssh"
    SSH_CERTIFICATE = "ssh-certificate"
    OPENPGP = "openpgp"
    X509 = "x509"


@dataclass(frozen=True, slots=True)
class VerifiedSigner:
    """Who signed, with which key; ``authority`` certified it, "" for a key that the root lists itself."""

    name: str
    fingerprint: str
    method: Method = Method.SSH
    authority: str = ""


def verify_signature(
    payload: bytes, signature: bytes | None, root: "TrustRoot", at: datetime
) -> VerifiedSigner:
    """Who signed ``payload``. Raises a TrustError that says precisely why nobody did."""
    keyring = keyring_of(root)
    if not signature:
        hint = "sign it: `git config gpg.format ssh`, then `git commit --amend -S`"
        raise UnsignedError("commit is not signed", hint=hint)
    if signature.startswith(sshsig.BEGIN):
        return _ssh(payload, signature, keyring, at)
    if signature.startswith(_OPENPGP):
        return _openpgp(payload, signature, keyring, at)
    if signature.startswith(_CMS):
        return _x509(payload, signature, keyring, at)
    hint = "sign with an SSH key: `git config gpg.format ssh`"
    got = repr(signature[:40].split(b"\n", 1)[0].decode("ascii", "backslashreplace"))
    raise SignatureFormatError(
        "signature format is not known", expected="SSH, OpenPGP or X.509 (CMS)", got=got, hint=hint
    )


def _ssh(payload: bytes, signature: bytes, keyring: Keyring, at: datetime) -> VerifiedSigner:
    parsed = sshsig.parse(signature)
    # The purpose is checked first: a signature made for something else says nothing about this commit.
    sshsig.check_purpose(parsed, namespace=NAMESPACE)
    for authority in keyring.ssh_authorities.values():
        if authority.krl and authority.krl.revokes_key(parsed.key):
            raise _revoked(parsed.key, authority.name)
    if parsed.certificate is not None:
        authority = check_certificate(parsed.certificate, keyring.ssh_authorities, at)
        names = parsed.certificate.principals
        signer = _certified(keyring.named(names, authority.name), names, authority.name, at)
        found = VerifiedSigner(signer.name, parsed.key.fingerprint, Method.SSH_CERTIFICATE, authority.name)
    else:
        held = keyring.ssh.get(parsed.key.blob)
        if held is None:
            raise _unknown(f"{parsed.key.type} {parsed.key.fingerprint}")
        found = _held(held, Method.SSH, at)
    sshsig.verify(parsed, payload, namespace=NAMESPACE)
    return found


def _openpgp(payload: bytes, signature: bytes, keyring: Keyring, at: datetime) -> VerifiedSigner:
    from reconciler.trust import openpgp

    verified = openpgp.verify(signature, payload, keyring.certificates, at)
    return _held(keyring.openpgp[verified.certificate], Method.OPENPGP, at)


def _x509(payload: bytes, signature: bytes, keyring: Keyring, at: datetime) -> VerifiedSigner:
    from reconciler.trust import cms

    verified = cms.verify(signature, payload, keyring.x509_authorities, at)
    signers = keyring.named(verified.names, verified.authority)
    signer = _certified(signers, verified.names, verified.authority, at)
    return VerifiedSigner(signer.name, verified.fingerprint, Method.X509, verified.authority)


def _held(held: Held, method: Method, at: datetime) -> VerifiedSigner:
    name = f"the key {held.fingerprint} of {held.signer.name!r}"
    check_window(name, held.key.valid_after, held.key.valid_before, at)
    check_window(f"signer {held.signer.name!r}", held.signer.valid_after, held.signer.valid_before, at)
    return VerifiedSigner(held.signer.name, held.fingerprint, method)


def _certified(
    signers: "Mapping[str, TrustedSigner]", names: tuple[str, ...], authority: str, at: datetime
) -> "TrustedSigner":
    if len(signers) != 1:
        what = " and ".join(sorted(signers)) or "nobody"
        raise PrincipalError(
            "the certificate does not name one signer",
            expected="a principal of exactly one signer",
            got=f"{', '.join(names)[:200]} by authority {authority}, which is {what}",
            hint="give the signer this principal in federation.yaml, or have the certificate issued again",
        )
    (signer,) = signers.values()
    check_window(f"signer {signer.name!r}", signer.valid_after, signer.valid_before, at)
    return signer


def _revoked(key: SshKey, authority: str) -> RevokedError:
    hint = "find out why it is still in use; sign again with another key"
    return RevokedError("the key was revoked", got=f"{key.fingerprint}, by {authority}", hint=hint)


def _unknown(key: str) -> UnknownKeyError:
    hint = "if its owner may sign, add the key to signers in federation.yaml, in a commit by a known signer"
    return UnknownKeyError("no signer has this key", got=key, hint=hint)
