"""X.509 authorities of a trust root: chains of certificates, and certificate revocation lists (RFC 5280).

Rules:
- Only listed roots count, never the system's. Certificates in a signature help to build a chain, no more.
- ``cryptography`` builds and checks the chain at the moment that counts: signatures, names, name constraints,
  path lengths, validity. Issuers are CAs whose key may sign certificates; the leaf is none, its key may sign,
  and its purpose is code signing or e-mail protection. Ed25519 is accepted for leaves only (the library's
  rule), SHA-1, short RSA and other curves nowhere.
- Unless the authority says that it has no revocation lists, every certificate of the chain but the root needs
  one by its issuer that is current at that moment (``crls``); otherwise nobody is trusted.

A certificate of ten minutes, as Fulcio issues them to gitsign, has expired when its commit is first seen
later than that: ValidityError. Moments claimed by the signer, or by a log that is not ours, do not count.

>>> people = parse_authority("people", roots_pem, crls_pem)  # doctest: +SKIP
>>> [str(c.subject) for c in find_chain(leaf, extra, [people], at=first_seen).chain]  # doctest: +SKIP
['<Name(CN=alice)>', '<Name(CN=Issuing)>', '<Name(CN=Root)>']
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from reconciler.trust.crls import MAX_PEM, UNREADABLE, Revocations, parse_revocations
from reconciler.trust.errors import AuthorityError, SignerListError, ValidityError
from reconciler.trust.moments import moment

MAX_CERTIFICATES: Final = 50
MAX_DEPTH: Final = 4  # certificates between leaf and root
_PURPOSES = {ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION}


@dataclass(frozen=True, slots=True)
class X509Authority:
    """Whose certificates count. ``intermediates`` are not trusted by themselves."""

    name: str
    roots: tuple[x509.Certificate, ...] = field(repr=False)
    intermediates: tuple[x509.Certificate, ...] = field(default=(), repr=False)
    revocations: Revocations = field(default_factory=lambda: Revocations(""), repr=False)


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain that holds, leaf first, root last."""

    authority: X509Authority
    chain: tuple[x509.Certificate, ...]


def parse_authority(
    name: str, roots_pem: str, crls_pem: str | None = None, revocation_required: bool = True
) -> X509Authority:
    """An authority from PEM. Certificates that are issued by themselves are roots, others intermediates.

    Raises SignerListError, and RevocationDataError for lists that are unreadable or not understood.
    """
    certificates = _load(name, roots_pem)
    roots = tuple(c for c in certificates if c.issuer == c.subject)
    if not roots:
        raise _unusable(name, "no root")
    rest = tuple(c for c in certificates if c not in roots)
    revocations = parse_revocations(name, crls_pem or "", required=revocation_required)
    return X509Authority(name, roots, rest, revocations)


def find_chain(
    leaf: x509.Certificate,
    extra: Sequence[x509.Certificate],
    authorities: Sequence[X509Authority],
    at: datetime,
) -> Chain:
    """The one authority that vouches for ``leaf`` at that moment, and how.

    Raises AuthorityError, ValidityError, RevokedError, RevocationDataError, SignerListError.
    """
    results = [_chain(authority, leaf, extra, at) for authority in authorities]
    found = [result for result in results if isinstance(result, Chain)]
    if not found:
        raise _unvouched(leaf, extra, authorities, [str(result) for result in results], at)
    if len(found) > 1:
        names = ", ".join(chain.authority.name for chain in found)
        hint = "list each root once"
        raise SignerListError("more than one authority issued the certificate", got=names, hint=hint)
    for certificate, issuer in pairwise(found[0].chain):
        found[0].authority.revocations.check(certificate, issuer, at)
    return found[0]


def _chain(
    authority: X509Authority, leaf: x509.Certificate, extra: Sequence[x509.Certificate], at: datetime
) -> Chain | str:
    """The chain to a root of this authority, or the library's reason why there is none."""
    builder = verification.PolicyBuilder().store(verification.Store(list(authority.roots))).time(at)
    builder = builder.max_chain_depth(MAX_DEPTH).extension_policies(ca_policy=_ISSUER, ee_policy=_LEAF)
    try:
        verified = builder.build_client_verifier().verify(leaf, [*authority.intermediates, *extra])
    except (verification.VerificationError, *UNREADABLE) as error:
        return f"{authority.name}: {_reason(str(error))}"
    # A root that signs by itself would be a chain of one.
    alone = f"{authority.name}: a root that signs by itself"
    return Chain(authority, tuple(verified.chain)) if len(verified.chain) > 1 else alone


def _reason(text: str) -> str:
    """The library's reason, less its preamble and less the certificate's own name, which its maker chose."""
    text = text.split(" (encountered")[0].split(": AlgorithmIdentifier")[0]
    for preamble in ("validation failed: ", "candidates exhausted: ", "Python extension validator failed: "):
        text = text.removeprefix(preamble)
    if text.startswith("all candidates exhausted"):
        return "none of its certificates is the issuer's"
    return text.removeprefix("ValueError: ")


def _unvouched(
    leaf: x509.Certificate,
    extra: Sequence[x509.Certificate],
    known: Sequence[X509Authority],
    reasons: Sequence[str],
    at: datetime,
) -> AuthorityError | ValidityError:
    """Says whether only the time is wrong: then the chain holds when the leaf starts or ends."""
    start, end = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    others = (_chain(authority, leaf, extra, time) for authority in known for time in (start, end))
    if any(isinstance(other, Chain) for other in others):
        hint = "sign again with a certificate that is valid, and whose issuers' are"
        expected, got = f"seen from {moment(start)} to {moment(end)}", moment(at)
        return ValidityError("the certificate was not valid then", expected=expected, got=got, hint=hint)
    got = "; ".join(reasons)[:300] or "no authority is listed"
    hint = "list its root (and intermediates) in federation.yaml, if it may certify who signs"
    return AuthorityError("no authority vouches for the certificate", got=got, hint=hint)


def _load(name: str, pem: str) -> list[x509.Certificate]:
    """All certificates in the text; nothing else may be in a block."""
    blocks = pem.count("-----BEGIN")
    if len(pem) > MAX_PEM or not 1 <= blocks <= MAX_CERTIFICATES:
        raise _unusable(name, f"{blocks} certificates")
    try:
        found = x509.load_pem_x509_certificates(pem.encode())
        for certificate in found:
            certificate.extensions  # noqa: B018  (parsed when first asked for)
    except UNREADABLE as error:
        raise _unusable(name, "certificates that do not parse") from error
    if len(found) != blocks:
        raise _unusable(name, f"{len(found)} certificates in {blocks} blocks")
    return found


def _issuer_usage(_: verification.Policy, __: x509.Certificate, usage: x509.KeyUsage) -> None:
    if not usage.key_cert_sign:
        raise ValueError("an issuer that may not sign certificates")


def _issuer_purpose(
    _: verification.Policy, __: x509.Certificate, purpose: x509.ExtendedKeyUsage | None
) -> None:
    if purpose and not {*_PURPOSES, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(purpose):
        raise ValueError("an issuer for another purpose")


def _leaf_constraints(
    _: verification.Policy, __: x509.Certificate, basic: x509.BasicConstraints | None
) -> None:
    if basic and basic.ca:
        raise ValueError("an authority that signs by itself")


def _leaf_usage(_: verification.Policy, __: x509.Certificate, usage: x509.KeyUsage) -> None:
    if not (usage.digital_signature or usage.content_commitment):
        raise ValueError("a key that may not sign")


def _leaf_purpose(_: verification.Policy, __: x509.Certificate, purpose: x509.ExtendedKeyUsage) -> None:
    if not _PURPOSES & set(purpose):
        raise ValueError("a certificate for another purpose")


_ANY = verification.Criticality.AGNOSTIC
_ISSUER = (
    verification.ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, _ANY, None)
    .require_present(x509.KeyUsage, _ANY, _issuer_usage)
    .may_be_present(x509.ExtendedKeyUsage, _ANY, _issuer_purpose)
)
_LEAF = (
    verification.ExtensionPolicy.permit_all()
    .may_be_present(x509.BasicConstraints, _ANY, _leaf_constraints)
    .require_present(x509.KeyUsage, _ANY, _leaf_usage)
    .require_present(x509.ExtendedKeyUsage, _ANY, _leaf_purpose)
    .require_present(x509.SubjectAlternativeName, _ANY, None)
)


def _unusable(name: str, got: str) -> SignerListError:
    hint = "list its root certificates, and intermediates if signatures lack them, as PEM"
    return SignerListError(f"authority {name!r} cannot be used", expected="PEM", got=got, hint=hint)
