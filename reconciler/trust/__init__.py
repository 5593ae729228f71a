"""trust: whose signature a commit carries, and the reconciler's own signature on what it applies."""

from reconciler.trust.changeset import (
    Change,
    ChangeAction,
    ChangeSet,
    SignedChangeSet,
    base_digest,
    open_change_set,
    sign_change_set,
)
from reconciler.trust.commits import Method, VerifiedSigner, verify_signature
from reconciler.trust.errors import CODES
from reconciler.trust.judge import Case
from reconciler.trust.keys import (
    ReconcilerKey,
    generate,
    load,
    load_text,
    parse_public_key,
    public_key_text,
)
from reconciler.trust.verdicts import Candidate, CommitVerdict, Judgement, SignedApproval

__all__ = [
    "CODES",
    "Candidate",
    "Case",
    "Change",
    "ChangeAction",
    "ChangeSet",
    "CommitVerdict",
    "Judgement",
    "Method",
    "ReconcilerKey",
    "SignedApproval",
    "SignedChangeSet",
    "VerifiedSigner",
    "base_digest",
    "generate",
    "load",
    "load_text",
    "open_change_set",
    "parse_public_key",
    "public_key_text",
    "sign_change_set",
    "verify_signature",
]
