"""The trust root as typed values: who may change the fleet, and what a change of it needs.

Rules kept here
- Everything is frozen; nothing verifies anything. Room ``trust`` judges commits by a ``TrustRoot``.
- A time window is half open, ``[valid_after, valid_before)``, UTC; None leaves that side open. A key counts
  when its own window and that of its signer are open.
- ``digest`` covers the root's fields as they are written in federation.yaml, so a comment or another order
  of keys is no other root.

>>> root = TrustRoot(signers=(TrustedSigner("alice", (TrustedKey("ssh-ed25519 AAAA"),), roles=("sre",)),))
>>> [signer.name for signer in root.holding("sre")], root.holding("security")
(['alice'], ())
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

FORGE = "forge"  # the role of a key that may merge what others signed, and nothing else
ENROLLER = "enroller"  # the role of a key that may add registrations of joined clusters, and nothing else
ROOT_FIELDS = ("trust", "signers", "authorities", "approvals", "repository", "ref", "log", "joining")


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """An SSH public key ("ssh-ed25519 AAAA..." without a comment) or an armoured OpenPGP certificate."""

    text: str
    valid_after: datetime | None = None
    valid_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """A name in certificates of ``authority``; "" is the only authority that there is."""

    name: str
    authority: str = ""


@dataclass(frozen=True, slots=True)
class TrustedSigner:
    """A person or machine that signs commits.

    ``principals`` are the names that certificates of the root's authorities give to it.
    """

    name: str
    keys: tuple[TrustedKey, ...] = ()
    openpgp: tuple[TrustedKey, ...] = ()
    principals: tuple[Principal, ...] = ()
    roles: tuple[str, ...] = ()
    valid_after: datetime | None = None
    valid_before: datetime | None = None

    @property
    def is_forge(self) -> bool:
        """May merge what others signed, never author or approve."""
        return FORGE in self.roles

    @property
    def is_enroller(self) -> bool:
        """May add a new cluster's registration while ``auto_approve`` holds, never anything else."""
        return ENROLLER in self.roles

    @property
    def is_person(self) -> bool:
        """May author, approve and be counted: neither a forge nor an enroller."""
        return not self.is_forge and not self.is_enroller


@dataclass(frozen=True, slots=True)
class Authority:
    """Who issues certificates to signers: an SSH CA (``ssh``, ``krl`` base64) or X.509 roots (PEM, CRLs PEM).

    ``revocable`` False says on purpose that there is no revocation data; otherwise it must be there.
    """

    name: str
    ssh: str = ""
    krl: str = ""
    x509: str = ""
    crl: str = ""
    revocable: bool = True


@dataclass(frozen=True, slots=True)
class Need:
    """``count`` different people of ``role``; "" is any signer."""

    count: int
    role: str = ""

    def __str__(self) -> str:
        return f"{self.count} of {self.role or 'the signers'}"


@dataclass(frozen=True, slots=True)
class PathRule:
    """Who has to agree to a change of these paths: globs from the top, ``**`` goes across folders."""

    paths: tuple[str, ...]
    needs: tuple[Need, ...]


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """How old the remote's signed heartbeat may be, and the role of who signs it; "" is any signer."""

    max_age: timedelta
    role: str = ""


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """A witness of the log: its verifier key (C2SP signed-note, cosignature/v1) and submission URL."""

    vkey: str
    url: str


@dataclass(frozen=True, slots=True)
class TrustRoot:
    """Who may change what. ``threshold`` people of ``role`` have to agree to a change of federation.yaml."""

    signers: tuple[TrustedSigner, ...]
    authorities: tuple[Authority, ...] = ()
    rules: tuple[PathRule, ...] = ()
    version: int = 1
    threshold: int = 1
    role: str = ""
    heartbeat: Heartbeat | None = None
    witnesses: tuple[WitnessKey, ...] = ()
    quorum: int = 0  # witnesses that must cosign before a checkpoint counts as witnessed
    auto_approve: bool = False  # an enroller may add clusters without anybody's approval
    digest: str = ""  # "sha256:<hex>" of the fields of ROOT_FIELDS

    def holding(self, role: str) -> tuple[TrustedSigner, ...]:
        """The people with this role, all for ""; forges and enrollers are nobody."""
        return tuple(s for s in self.signers if s.is_person and (not role or role in s.roles))
