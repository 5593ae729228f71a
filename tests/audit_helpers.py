"""A real Ed25519 signer, a clock that ticks, and entries that may follow one another."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, settings

from reconciler.audit.entry import (
    CommitAccepted,
    CommitRefused,
    CredentialIssued,
    CredentialRenewed,
    CredentialRole,
    Demoted,
    Drift,
    Entry,
    FindingNote,
    GateSummary,
    Intent,
    JoinRefused,
    MemberJoined,
    MemberKicked,
    MemberLeft,
    MemberRefused,
    Outcome,
    OutcomeResult,
    PlanCounts,
    Promoted,
    TokenCreated,
    TokenRevoked,
    TokenUsed,
    TrustInitialized,
    digest_of,
)
from reconciler.audit.log import Log
from reconciler.audit.store_directory import DirectoryStore
from reconciler.model import Clock, Finding

ORIGIN = "fleet.example/log"
REF = "refs/heads/main"
CREDENTIAL_END = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class KeySigner:
    """``model.Signer`` over a key in memory."""

    def __init__(self, seed: bytes = b"k" * 32) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public_key(self) -> bytes:
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


SIGNER = KeySigner()
# A busy machine is no failure.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def ticking_clock() -> Clock:
    """A clock that goes on by 1.5 ms at every look."""
    ticks = count()
    return lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=1500 * next(ticks))


def open_log(path: Path, **options: object) -> Log:
    settings: dict[str, object] = {"origin": ORIGIN, "clock": ticking_clock(), **options}
    return Log.open(DirectoryStore(path), SIGNER, **settings)  # type: ignore[arg-type]


def commit(n: int) -> str:
    return f"{n:040x}"


def trust(n: int = 1) -> TrustInitialized:
    return TrustInitialized(
        actor="ann@example.org",
        commit=commit(n),
        repository="https://forge.example/fleet.git",
        ref=REF,
        public_key="fleet.example/log+00000000+AAAA",
    )


def accepted(n: int, previous: int) -> CommitAccepted:
    return CommitAccepted(
        actor="ci",
        commit=commit(n),
        tree=commit(n + 1000),
        previous=commit(previous),
        ref=REF,
        commits=1,
        signers=("ann", "bob"),
        gate=GateSummary("sha256:gate", 12),
    )


def refused(n: int, previous: int) -> CommitRefused:
    note = FindingNote("FW1203", commit(n), "unsigned commit")
    return CommitRefused(actor="ci", commit=commit(n), previous=commit(previous), findings=(note,), count=1)


def refused_member(cluster: str = "member-a", n: int = 1, gate: GateSummary | None = None) -> MemberRefused:
    finding = Finding("FW1601", "the plan deletes 9 of 10 objects", subject=cluster)
    return MemberRefused.of(
        actor="ci", cluster=cluster, commit=commit(n), findings=[finding], cluster_uid=f"uid-{cluster}",
        gate=gate,
    )  # fmt: skip


def renewed(cluster: str = "member-a", role: CredentialRole = CredentialRole.ADMIN) -> CredentialRenewed:
    return CredentialRenewed(
        actor="ci", cluster=cluster, cluster_uid=f"uid-{cluster}", role=role, expires=CREDENTIAL_END,
        audit_id="audit-7",
    )  # fmt: skip


def issued(cluster: str = "member-a", role: CredentialRole = CredentialRole.VIEWER) -> CredentialIssued:
    return CredentialIssued(
        actor="ann@laptop", cluster=cluster, cluster_uid=f"uid-{cluster}", role=role, expires=CREDENTIAL_END,
        audit_id="audit-8",
    )  # fmt: skip


def intent(cluster: str, sequence: int, body: bytes, n: int = 1) -> Intent:
    return Intent(
        actor="ci",
        cluster=cluster,
        cluster_uid=f"uid-{cluster}",
        commit=commit(n),
        change_set=digest_of(body),
        sequence=sequence,
        counts=PlanCounts(create=sequence),
        gate=GateSummary("sha256:gate", 12),
    )


def outcome(
    cluster: str, index: int, result: OutcomeResult = OutcomeResult.APPLIED, error: str = ""
) -> Outcome:
    return Outcome(actor="ci", cluster=cluster, intent=index, result=result, error=error)


def drift(n: int = 1, objects: int = 1) -> Drift:
    names = tuple(f"Role.rbac.authorization.k8s.io shop/{n}-{i}" for i in range(objects))
    return Drift(actor="ci", cluster="member-a", commit=commit(1), objects=names, count=objects)


TOKEN = "jti-0123456789abcdefgh"
PRIMARY_UID = "uid-primary"
LATER = datetime(2026, 12, 31, tzinfo=UTC)
_DIGEST = f"sha256:{'3' * 64}"


def promoted() -> Promoted:
    return Promoted(
        actor="ann", cluster_uid=PRIMARY_UID, address="primary.example", port=11443, token_key=_DIGEST,
        ca_pin=_DIGEST,
    )  # fmt: skip


def demoted() -> Demoted:
    return Demoted(actor="ann", cluster_uid=PRIMARY_UID, members=2)


def token_created(token: str = TOKEN, cluster: str = "", expires: datetime = LATER) -> TokenCreated:
    return TokenCreated(
        actor="ann", token=token, cluster=cluster, labels=("owner=shop", "tier=workload"), expires=expires,
        auto_approve=True,
    )  # fmt: skip


def token_used(token: str = TOKEN, cluster: str = "member-a", claim: str = _DIGEST) -> TokenUsed:
    return TokenUsed(
        actor="join@host", token=token, cluster=cluster, cluster_uid=f"uid-{cluster}", claim=claim
    )


def token_revoked(token: str = TOKEN) -> TokenRevoked:
    return TokenRevoked(actor="ann", token=token)


def member_joined(token: str = TOKEN, cluster: str = "member-a") -> MemberJoined:
    return MemberJoined(
        actor="join@host", token=token, cluster=cluster, cluster_uid=f"uid-{cluster}", commit=commit(7),
        branch=f"refs/heads/join/{cluster}",
    )  # fmt: skip


def member_kicked(cluster: str = "member-a", registration: str = _DIGEST) -> MemberKicked:
    return MemberKicked(
        actor="ann", cluster=cluster, cluster_uid=f"uid-{cluster}", registration=registration,
        reason="moved to another fleet", kept_objects=False, contacted=True,
    )  # fmt: skip


def member_left(kick: int, cluster: str = "member-a") -> MemberLeft:
    return MemberLeft(
        actor="ann", cluster=cluster, cluster_uid=f"uid-{cluster}", kick=kick, credentials=1,
        commit=commit(8), branch=f"refs/heads/leave/{cluster}",
    )  # fmt: skip


def join_refused() -> JoinRefused:
    return JoinRefused(
        actor="join@host", code="FW1743", cluster="../x", token=TOKEN, address="192.0.2.7", count=3
    )


def memberships() -> list[Entry]:
    """One of each kind about membership, in an order in which they may come."""
    return [
        promoted(), token_created(), token_used(), member_joined(), join_refused(),
        token_created("other-0123456789abcdef"), token_revoked("other-0123456789abcdef"),
        member_kicked("member-b"), member_left(8, "member-b"), demoted(),
    ]  # fmt: skip


def a_run() -> Iterator[tuple[Entry, dict[str, bytes]]]:
    """Entries of every kind, with their bodies, as a fleet's life has them; endless."""
    yield trust(), {}
    for n in count(1):
        yield accepted(n + 1, n), {}
        body = f"change set {n}".encode()
        yield intent("member-a", n, body, n + 1), {digest_of(body): body}
        yield outcome("member-a", 5 * (n - 1) + 2), {}
        yield drift(n), {}
        yield refused(n + 500, n + 1), {}


def fill(log: Log, size: int, batch: int = 1000) -> None:
    """Append the beginning of ``a_run`` until the log has ``size`` entries."""
    source = (pair for index, pair in enumerate(a_run()) if index >= log.size)
    while log.size < size:
        pairs = [next(source) for _ in range(min(batch, size - log.size))]
        log.append([entry for entry, _ in pairs], {k: v for _, bodies in pairs for k, v in bodies.items()})


def files_of(root: Path) -> dict[str, bytes]:
    """Every file of a log but the lock."""
    paths = [path for path in root.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(paths)}


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


DAMAGES = {
    "flipped first": lambda data: _flip(data, 0),
    "flipped middle": lambda data: _flip(data, len(data) // 2),
    "flipped last": lambda data: _flip(data, len(data) - 1),
    "cut": lambda data: data[:-1],
    "extended": lambda data: data + b"\0",
    "emptied": lambda _: b"",
    "doubled": lambda data: data * 2,
    "removed": None,
}


def damaged_copy(whole: Path, target: Path, name: str, damage: str) -> Path:
    """A copy by hard links with one file damaged; that file's path."""
    shutil.copytree(whole, target, copy_function=lambda a, b: Path(b).hardlink_to(a))
    path = next((target / "bodies").rglob("??*")) if name == "body" else target / name
    while path.is_dir():
        path = next(path.iterdir())
    data = path.read_bytes()
    path.unlink()
    change = DAMAGES[damage]
    if change:
        path.write_bytes(change(data))
    return path
