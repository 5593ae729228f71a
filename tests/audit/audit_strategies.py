"""Generated entries of every kind, as far as their fields' bounds go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from reconciler.audit.entry import (
    CommitAccepted,
    CommitRefused,
    CredentialIssued,
    CredentialRenewed,
    CredentialRole,
    Demoted,
    Drift,
    Failure,
    FindingNote,
    GateSummary,
    Intent,
    JoinRefused,
    KeyRotated,
    MemberJoined,
    MemberKicked,
    MemberLeft,
    MemberRefused,
    Outcome,
    OutcomeResult,
    PlanCounts,
    Promoted,
    ResultCounts,
    RotationReason,
    TokenCreated,
    TokenRevoked,
    TokenUsed,
    TrustInitialized,
)
from reconciler.audit.fields import clip
from reconciler.audit.provenance import METHODS, ApprovalProvenance, CommitProvenance

_ANY = st.characters(codec="utf-8")


def texts(limit: int, *, empty: bool = False) -> st.SearchStrategy[str]:
    """Printable, at most ``limit`` bytes of JSON, now and then just that."""
    drawn = st.text(_ANY, max_size=20) | st.sampled_from(["x", "é", '"']).map(lambda c: c * limit)
    return drawn.map(lambda text: clip(text, limit)).map(lambda text: text if text or empty else "-")


hexes = st.text("0123456789abcdef", min_size=40, max_size=40)
commits = hexes | st.text("0123456789abcdef", min_size=64, max_size=64)
digests = st.binary(min_size=32, max_size=32).map(lambda raw: f"sha256:{raw.hex()}")
names, maybe_names, subjects, messages = (
    texts(256), texts(256, empty=True), texts(512, empty=True), texts(512, empty=True)
)  # fmt: skip
numbers = st.integers(0, 2**53 - 1)
times = st.integers(0, 250_000_000_000_000).map(
    lambda ms: datetime(1, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
)
gates = st.builds(GateSummary, names, numbers)
notes = st.lists(st.builds(FindingNote, names, subjects, messages), max_size=3).map(tuple)
long = texts(2048)
tokens = st.from_regex("[A-Za-z0-9_-]{16,64}", fullmatch=True)
common = {"actor": names, "time": times}
credential = {
    "cluster": names, "cluster_uid": names, "role": st.sampled_from(CredentialRole), "expires": times,
    "audit_id": names,
}  # fmt: skip

ENTRIES = {
    "trust-initialized": st.builds(
        TrustInitialized, **common, commit=commits, repository=long, ref=long, public_key=long,
        root_version=numbers,
    ),
    "commit-accepted": st.builds(
        CommitAccepted, **common, commit=commits, tree=commits, previous=commits | st.just(""), ref=long,
        commits=numbers, signers=st.lists(names, max_size=100).map(tuple), gate=gates, root_version=numbers,
        provenance=digests | st.just(""),
    ),
    "commit-refused": st.builds(
        CommitRefused, **common, commit=commits, previous=commits | st.just(""), findings=notes, count=numbers
    ),
    "member-refused": st.builds(
        MemberRefused, **common, cluster=names, cluster_uid=maybe_names, commit=commits, findings=notes,
        count=numbers, gate=st.none() | gates,
    ),
    "intent": st.builds(
        Intent, **common, cluster=names, cluster_uid=names, commit=commits, change_set=digests,
        sequence=numbers, counts=st.builds(PlanCounts, numbers, numbers, numbers), gate=gates,
    ),
    "outcome": st.builds(
        Outcome, **common, cluster=names, intent=numbers, result=st.sampled_from(OutcomeResult),
        error=messages,
        counts=st.builds(ResultCounts, numbers, numbers, numbers, numbers, numbers, numbers),
        failures=st.lists(st.builds(Failure, subjects, messages), max_size=3).map(tuple),
        body=digests | st.just(""),
    ),
    "drift": st.builds(
        Drift, **common, cluster=names, commit=commits, count=numbers,
        objects=st.lists(texts(512), max_size=50).map(tuple),
    ),
    "credential-renewed": st.builds(CredentialRenewed, **common, **credential),
    "credential-issued": st.builds(CredentialIssued, **common, **credential),
    "key-rotated": st.builds(
        KeyRotated, **common, old_key=long, new_key=long, reason=st.sampled_from(RotationReason),
        root=st.text("0123456789abcdef", min_size=64, max_size=64),
        signatures=st.lists(texts(512), max_size=2).map(tuple),
    ),
    "promoted": st.builds(
        Promoted, **common, cluster_uid=names, address=names, port=numbers, token_key=digests, ca_pin=digests
    ),
    "demoted": st.builds(Demoted, **common, cluster_uid=names, members=numbers),
    "token-created": st.builds(
        TokenCreated, **common, token=tokens, cluster=maybe_names, expires=times,
        labels=st.lists(texts(512), max_size=64).map(tuple), auto_approve=st.booleans(),
    ),
    "token-used": st.builds(
        TokenUsed, **common, token=tokens, cluster=names, cluster_uid=names, claim=digests
    ),
    "token-revoked": st.builds(TokenRevoked, **common, token=tokens),
    "join-refused": st.builds(
        JoinRefused, **common, code=names, cluster=maybe_names, token=tokens | st.just(""),
        address=maybe_names, count=numbers,
    ),
    "member-joined": st.builds(
        MemberJoined, **common, token=tokens, cluster=names, cluster_uid=names, commit=commits, branch=long
    ),
    "member-kicked": st.builds(
        MemberKicked, **common, cluster=names, cluster_uid=maybe_names, registration=digests | st.just(""),
        reason=messages, kept_objects=st.booleans(), contacted=st.booleans(),
    ),
    "member-left": st.builds(
        MemberLeft, **common, cluster=names, cluster_uid=maybe_names, kick=numbers, credentials=numbers,
        commit=commits | st.just(""), branch=long | st.just(""),
    ),
}  # fmt: skip
entries = st.one_of(*ENTRIES.values())
provenances = st.lists(
    st.builds(
        CommitProvenance, commit=commits, signer=names, method=st.sampled_from(METHODS), fingerprint=names,
        authority=maybe_names, first_seen=times, rules=st.lists(texts(512), max_size=3).map(tuple),
        approvals=st.lists(st.builds(ApprovalProvenance, names, names, digests), max_size=3).map(tuple),
    ),
    max_size=4,
)  # fmt: skip
