"""A trust root's keys, parsed once: which signer holds which key, and who certifies principals.

Rules:
- A key is listed for one signer only; a key that does not parse makes the whole root unusable.
- Time windows are kept, not applied: ``commits`` judges them at the moment a commit was first seen.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar

from reconciler.documents.trust_root import Principal
from reconciler.errors import TrustError
from reconciler.trust.errors import SignerListError
from reconciler.trust.sshcert import SshAuthority, ssh_authority
from reconciler.trust.sshkeys import parse_key_text

if TYPE_CHECKING:
    from reconciler.documents import TrustedKey, TrustedSigner, TrustRoot
    from reconciler.documents.trust_root import Authority
    from reconciler.trust.authorities import X509Authority
    from reconciler.trust.openpgp_certificates import OpenPgpCertificate

MAX_KEYS: Final = 10_000
MAX_ROOTS: Final = 16  # kept
T = TypeVar("T")
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Held:
    """A key, whose it is, and its fingerprint as its own tools show it."""

    signer: "TrustedSigner"
    key: "TrustedKey"
    fingerprint: str


@dataclass(slots=True)
class Keyring:
    """Who holds what: SSH keys by wire form, OpenPGP certificates by fingerprint, authorities, principals."""

    ssh: dict[bytes, Held] = field(default_factory=dict)
    openpgp: dict[str, Held] = field(default_factory=dict)
    certificates: "dict[str, OpenPgpCertificate]" = field(default_factory=dict)
    ssh_authorities: "dict[bytes, SshAuthority]" = field(default_factory=dict)
    x509_authorities: "list[X509Authority]" = field(default_factory=list)
    principals: "dict[Principal, TrustedSigner]" = field(default_factory=dict)

    def add_signer(self, signer: "TrustedSigner") -> None:
        """Raises SignerListError for a key that does not parse or that is listed already."""
        for key in signer.keys:
            parsed = _parsed(f"a key of signer {signer.name!r}", parse_key_text, key.text)
            _insert(self.ssh, parsed.blob, Held(signer, key, parsed.fingerprint))
        for key in signer.openpgp:
            self._add_openpgp(signer, key)
        self.principals |= dict.fromkeys(signer.principals, signer)
        if len(self.ssh) + len(self.openpgp) > MAX_KEYS:
            raise SignerListError("too many keys", expected=f"at most {MAX_KEYS}")

    def _add_openpgp(self, signer: "TrustedSigner", key: "TrustedKey") -> None:
        from reconciler.trust.openpgp_certificates import parse_certificates

        found = _parsed(f"an OpenPGP certificate of signer {signer.name!r}", parse_certificates, key.text)
        for certificate in found:
            _insert(self.openpgp, certificate.fingerprint, Held(signer, key, certificate.fingerprint))
            self.certificates[certificate.fingerprint] = certificate

    def add_authority(self, authority: "Authority") -> None:
        """Raises SignerListError, RevocationDataError."""
        if authority.ssh:
            made = ssh_authority(authority.name, authority.ssh, authority.krl, revocable=authority.revocable)
            self.ssh_authorities[made.key.blob] = made
        if authority.x509:
            from reconciler.trust.authorities import parse_authority

            self.x509_authorities.append(
                parse_authority(authority.name, authority.x509, authority.crl, authority.revocable)
            )

    def named(self, principals: Iterable[str], authority: str) -> "Mapping[str, TrustedSigner]":
        """The signers that a certificate of ``authority`` with these principals means, by name.

        A name without an authority is of the only one: with a second one it is nobody's.
        """
        only = len(self.ssh_authorities) + len(self.x509_authorities) == 1
        places = [authority, ""] if only else [authority]
        found = (self.principals.get(Principal(name, place)) for name in principals for place in places)
        return {signer.name: signer for signer in found if signer}


def keyring_of(root: "TrustRoot") -> Keyring:
    """The root's keys. Raises SignerListError, RevocationDataError."""
    held = _HELD.get(id(root))  # which stays its own as long as the root is held here
    if held is None:
        if len(_HELD) >= MAX_ROOTS:
            _HELD.clear()
        held = _HELD[id(root)] = root, _keyring(root)
    return held[1]


# By id first: with a thousand signers a root takes longer to hash than a signature to check.
_HELD: "dict[int, tuple[TrustRoot, Keyring]]" = {}


@lru_cache(maxsize=MAX_ROOTS)
def _keyring(root: "TrustRoot") -> Keyring:
    keyring = Keyring()
    for signer in root.signers:
        keyring.add_signer(signer)
    for authority in root.authorities:
        keyring.add_authority(authority)
    return keyring


def _parsed(what: str, parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except TrustError as error:
        raise SignerListError(f"{what} cannot be used", got=str(error)) from error


def _insert(keys: dict[K, Held], name: K, held: Held) -> None:
    other = keys.get(name)
    if other is not None:
        one, two = other.signer.name, held.signer.name
        names = f"{one!r} and {two!r}" if one != two else f"{one!r} twice"
        hint = "list each key once, under the one person who holds it"
        raise SignerListError("one key is listed twice", got=f"{held.fingerprint} for {names}", hint=hint)
    keys[name] = held
