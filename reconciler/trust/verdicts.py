"""What a judgement is made of, and what it says. Values only; ``judge`` makes them.

>>> from datetime import UTC, datetime
>>> verdict = CommitVerdict("4" * 40, datetime(2026, 1, 2, tzinfo=UTC), root_version=1, paths=())
>>> verdict.signer, verdict.findings
(None, ())
"""

from dataclasses import dataclass
from datetime import datetime

from reconciler import dsse
from reconciler.documents import TrustRoot
from reconciler.documents.trust_root import Need, PathRule
from reconciler.model import Finding
from reconciler.trust.commits import VerifiedSigner
from reconciler.trust.statements import Approval


@dataclass(frozen=True, slots=True)
class Candidate:
    """A commit to be judged: what Git knows of it, and when it was first seen (UTC).

    ``paths`` are those that it authors; ``root`` is that of its own federation.yaml, None if unreadable.
    ``addition`` is the content of clusters/NAME.yaml, where adding that plain file is all that it does.
    """

    id: str
    parents: tuple[str, ...]
    payload: bytes
    signature: bytes | None
    paths: tuple[str, ...]
    root: TrustRoot | None
    first_seen: datetime
    addition: bytes | None = None


@dataclass(frozen=True, slots=True)
class SignedApproval:
    """An approval as it was found, not yet believed; ``id`` names its signed tag."""

    id: str
    approval: Approval
    payload: bytes
    signature: bytes

    @property
    def digest(self) -> str:
        """ "sha256:<hex>" of what was signed and its signature."""
        return dsse.digest(self.payload + self.signature)


@dataclass(frozen=True, slots=True)
class Approver:
    """Somebody who approved: by which tag (its id), with the digest of statement and signature."""

    signer: VerifiedSigner
    statement: str
    digest: str


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """A path rule, the paths that it is about, who counted, and what is still lacking."""

    rule: PathRule
    paths: tuple[str, ...]
    people: tuple[str, ...]
    lacking: tuple[Need, ...]


@dataclass(frozen=True, slots=True)
class CommitVerdict:
    """One commit's verdict; ``root_version`` is that of the trust root which judged it."""

    commit: str
    first_seen: datetime
    root_version: int
    paths: tuple[str, ...]
    signer: VerifiedSigner | None = None
    approvers: tuple[Approver, ...] = ()
    rules: tuple[RuleVerdict, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """All verdicts, parents first; ``root`` is in force after the range. ``notes`` are warnings."""

    verdicts: tuple[CommitVerdict, ...]
    root: TrustRoot
    notes: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What refuses the range, and what is only to be known."""
        return (*(f for verdict in self.verdicts for f in verdict.findings), *self.notes)
