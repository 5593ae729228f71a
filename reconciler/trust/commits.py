"""Which signer signed which commit; every commit gets a verdict.

Rules:
- Fail closed: ``verify_commit`` returns a signer or raises; there is no falsy answer. No signers, no trust.
- The signers are those of the *last accepted* commit; the caller passes them, so a commit can never add the
  key that it is signed with.
- A signature counts only under exactly one name: a key listed for two people is an error in the list.
- Who may sign *what* is not judged here.

Steps of ``verify_commit``: 1. there is a signature; 2. it is SSH; 3. it is well formed; 4. its namespace is
``git`` and its hash strong; 5. a signer has its key; 6. it matches the payload.

>>> verify_commit(commit.payload, commit.signature, fleet.federation.signers)  # doctest: +SKIP
VerifiedSigner(name='alice', fingerprint='SHA256:cbAcyQCSL60m1sRupRDygR+IlLrGqQhGg1mUql1x5hM')
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

from reconciler.errors import TrustError
from reconciler.model import Finding
from reconciler.trust import sshsig
from reconciler.trust.errors import SignatureFormatError, SignerListError, UnknownKeyError, UnsignedError
from reconciler.trust.sshkeys import SshKey, parse_key_text

if TYPE_CHECKING:
    from reconciler.documents.fleet import TrustedSigner

NAMESPACE: Final = "git"
MAX_KEYS: Final = 10_000
_OTHER_FORMATS = {
    b"-----BEGIN PGP SIGNATURE": "OpenPGP",
    b"-----BEGIN PGP MESSAGE": "OpenPGP",
    b"-----BEGIN SIGNED MESSAGE": "X.509",
}


class SignedObject(Protocol):
    """What a commit must show to be judged; ``repository.Commit`` does."""

    @property
    def id(self) -> str: ...
    @property
    def payload(self) -> bytes: ...
    @property
    def signature(self) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class VerifiedSigner:
    """Who signed, as the list of signers names them, with which key."""

    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class CommitVerdict:
    """One commit's verdict: a signer, or the finding that says why not; exactly one of them is set."""

    commit: str
    signer: VerifiedSigner | None
    finding: Finding | None


@dataclass(frozen=True, slots=True)
class Keyring:
    """Every signer's keys, parsed, by wire form."""

    signers: Mapping[bytes, VerifiedSigner]

    @staticmethod
    def of(signers: "Iterable[TrustedSigner]") -> "Keyring":
        """Parse all keys. Raises SignerListError for one that does not parse or that two names share."""
        found: dict[bytes, VerifiedSigner] = {}
        for signer in signers:
            for text in signer.keys:
                key = _parse(signer.name, text)
                if key.blob in found:
                    raise _shared(found[key.blob].name, signer.name, key)
                found[key.blob] = VerifiedSigner(signer.name, key.fingerprint)
                if len(found) > MAX_KEYS:
                    raise SignerListError("too many keys", expected=f"at most {MAX_KEYS}")
        return Keyring(found)


@lru_cache(maxsize=16)
def _keyring(signers: "tuple[TrustedSigner, ...]") -> Keyring:
    return Keyring.of(signers)


def verify_commit(
    payload: bytes, signature: bytes | None, signers: "Sequence[TrustedSigner]"
) -> VerifiedSigner:
    """Who signed the raw commit ``payload``. Raises a TrustError that says precisely why nobody did."""
    keyring = _keyring(tuple(signers))
    if not signature:
        hint = "sign it: `git config gpg.format ssh`, then `git commit --amend -S`"
        raise UnsignedError("commit is not signed", hint=hint)
    _check_format(signature)
    parsed = sshsig.parse(signature)
    signer = keyring.signers.get(parsed.key.blob)
    if signer is None:
        # The purpose is checked first: a signature made for something else says nothing about this commit.
        sshsig.check_purpose(parsed, namespace=NAMESPACE)
        raise _unknown(parsed.key)
    sshsig.verify(parsed, payload, namespace=NAMESPACE)
    return signer


def verify_range(
    commits: Iterable[SignedObject], signers: "Sequence[TrustedSigner]"
) -> tuple[CommitVerdict, ...]:
    """A verdict on every commit, in the order given. Raises SignerListError only."""
    keys = tuple(signers)
    _keyring(keys)
    return tuple(_verdict(commit, keys) for commit in commits)


def _verdict(commit: SignedObject, signers: "tuple[TrustedSigner, ...]") -> CommitVerdict:
    try:
        return CommitVerdict(commit.id, verify_commit(commit.payload, commit.signature, signers), None)
    except TrustError as error:
        finding = Finding(
            error.code,
            error.message,
            subject=f"commit {commit.id}",
            expected=error.expected,
            got=error.got,
            hint=error.hint,
        )
        return CommitVerdict(commit.id, None, finding)


def _check_format(signature: bytes) -> None:
    for start, name in _OTHER_FORMATS.items():
        if signature.startswith(start):
            hint = "sign with an SSH key: `git config gpg.format ssh`"
            raise SignatureFormatError(
                "signature format is not accepted", expected="SSH", got=name, hint=hint
            )


def _parse(name: str, text: str) -> SshKey:
    try:
        return parse_key_text(text)
    except TrustError as error:
        raise SignerListError(f"a key of signer {name!r} cannot be used", got=str(error)) from error


def _shared(one: str, other: str, key: SshKey) -> SignerListError:
    names = f"{one!r} and {other!r}" if one != other else f"{one!r} twice"
    hint = "list each key once, under the one person who holds it"
    return SignerListError("one key is listed twice", got=f"{key.fingerprint} for {names}", hint=hint)


def _unknown(key: SshKey) -> UnknownKeyError:
    hint = "if its owner may sign, add the key to signers in federation.yaml, in a commit by a known signer"
    return UnknownKeyError("no signer has this key", got=f"{key.type} {key.fingerprint}", hint=hint)
