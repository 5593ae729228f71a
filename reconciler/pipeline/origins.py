"""From a change set's commit back to its signers, and on to the bytes that it makes of every object.

Rules:
- The log's entry of the commit's acceptance says what was judged: every commit after the one accepted before.
  Their signatures are verified again, from Git's raw objects, by the trust root of the commit before, at the
  time of the entry: a key that was retired since does not unmake what it signed in its time.
- What the commit says of an object is compiled again, so nobody has to believe that the reconciler did it
  right. Another version of the product may compile a commit to other bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.audit.codes import BodyError, BodyFormatError
from reconciler.audit.entry import CommitAccepted, TrustInitialized
from reconciler.audit.provenance import read_provenance
from reconciler.compile import compile_cluster
from reconciler.documents import Cache, Federation, Fleet, load
from reconciler.errors import RepositoryError, TrustError
from reconciler.member.authorization import body_digest
from reconciler.model import DesiredObject, ObjectRef, Severity
from reconciler.pipeline.chain import History, Inclusion, Link
from reconciler.pipeline.guarding import guarded
from reconciler.pipeline.judging import FEDERATION, Seen, judge_range
from reconciler.repository import Repository

# What makes single objects unexplained, and not the whole answer void.
EXPECTED = (TrustError, RepositoryError, BodyError, BodyFormatError)


class UnacceptedError(TrustError):
    """A change set of a commit that the log had not accepted last."""

    code = "FW1276"


class UnsignedRangeError(TrustError):
    """An accepted commit whose signatures do not hold, or that has another tree."""

    code = "FW1277"


@dataclass(frozen=True, slots=True)
class Signed:
    """One commit of the range, with who signed it and who agreed to it."""

    commit: str
    subject: str
    signer: str
    fingerprint: str
    approvers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """An accepted commit: ``signed`` has every commit since ``previous``, parents first.

    ``previous`` is "" for the commit that a person named first; the gate is not known of that one.
    """

    commit: str
    tree: str
    previous: str
    signed: tuple[Signed, ...]
    gate_digest: str
    gate_rules: int
    index: int  # of the entry
    time: datetime
    actor: str
    inclusion: Inclusion


class Origins:
    """Commits and what they say of one cluster, each judged and compiled once."""

    def __init__(self, repository: Repository, cache: Cache, history: History, cluster: str) -> None:
        self._repository, self._cache, self._history, self._cluster = repository, cache, history, cluster
        self._judged: dict[int, Origin] = {}
        self._contents: dict[str, Mapping[ObjectRef, DesiredObject]] = {}

    def of(self, link: Link) -> Origin:
        """Where a change set's commit comes from. Raises TrustError, AuditError, RepositoryError."""
        commit = link.change_set.commit
        # 1. It was the commit accepted last when the change set was made.
        found = self._history.acceptance_before(link.inclusion.index)
        if found is None or found[1].commit != commit:
            raise UnacceptedError(
                "the commit was not the one accepted last when its change set was made",
                where=f"entry {link.inclusion.index}",
                expected=found[1].commit if found else "an accepted commit",
                got=commit,
                hint="treat the log as forged: find who could sign with its key",
            )
        index, entry = found
        if index not in self._judged:
            self._judged[index] = self._judge(index, entry)
        origin = self._judged[index]
        if origin.tree != link.change_set.tree:
            raise _unsigned(commit, f"tree {origin.tree}", f"tree {link.change_set.tree} in the change set")
        return origin

    def _judge(self, index: int, entry: CommitAccepted | TrustInitialized) -> Origin:
        # 2. Git has it, with the tree that was accepted.
        commit = self._repository.commit(entry.commit)
        accepted = entry if isinstance(entry, CommitAccepted) else None
        if accepted and accepted.tree != commit.tree:
            raise _unsigned(commit.id, f"tree {accepted.tree} as accepted", f"tree {commit.tree} in Git")
        assert entry.time is not None  # noqa: S101  an entry that was read has its time
        # 3. Everything since the commit before is signed by whom that one trusts.
        previous = accepted.previous if accepted else ""
        seen = self._seen(accepted) if accepted else ()
        signed = _signers(self._repository, previous, commit.id, entry.time, seen)
        # 4. The acceptance is in the tree of the signed checkpoint.
        inclusion = self._history.include(index)
        gate = (accepted.gate.digest, accepted.gate.rules) if accepted else ("", 0)
        return Origin(
            commit.id, commit.tree, previous, signed, *gate, index, entry.time, entry.actor, inclusion
        )

    def _seen(self, entry: CommitAccepted) -> tuple[Seen, ...]:
        """When each commit was first seen, as the log kept it. Raises BodyError."""
        if not entry.provenance:
            return ()
        rows = read_provenance(self._history.log.body(entry.provenance))
        return tuple(Seen(row.commit, row.first_seen) for row in rows)

    def content(
        self, ref: ObjectRef, digest: str, commits: Iterable[str]
    ) -> tuple[str, DesiredObject] | None:
        """The first of the commits that says this of the object, and the object. Raises RepositoryError."""
        for commit in dict.fromkeys(commits):
            if commit not in self._contents:
                self._contents[commit] = self._compile(commit)
            item = self._contents[commit].get(ref)
            if item and item.digest == digest == body_digest(item.body, digest):
                return commit, item
        return None

    def _compile(self, commit: str) -> Mapping[ObjectRef, DesiredObject]:
        fleet = fleet_of(self._repository, commit, self._cache)
        cluster = next((c for c in fleet.clusters if c.name == self._cluster), None)
        if cluster is None:
            return {}
        desired = guarded(compile_cluster(fleet, cluster, cache=self._cache).desired, cluster)
        return {item.ref: item for item in desired.objects}


def fleet_of(repository: Repository, commit: str, cache: Cache) -> Fleet:
    """The documents of a commit. Raises TrustError when it has no fleet, and RepositoryError."""
    fleet = load(repository.snapshot(commit), cache=cache).fleet
    if fleet is None:
        raise _unsigned(commit, "a fleet", "no usable federation.yaml")
    return fleet


def _signers(
    repository: Repository, previous: str, commit: str, at: datetime, seen: Sequence[Seen]
) -> tuple[Signed, ...]:
    """Who signed every commit after ``previous`` ("": the commit alone, by its own signers)."""
    federation = _federation(repository, previous or commit)
    judgement = judge_range(repository, federation, previous, commit, at=at, seen=seen)
    signed = []
    for verdict in judgement.verdicts:
        refused = [finding for finding in verdict.findings if finding.severity is Severity.ERROR]
        if refused or verdict.signer is None:
            first = refused[0] if refused else None
            said = f"{first.code} {first.message}" if first else "no signer"
            raise _unsigned(verdict.commit, "a commit that its trust root accepts", said)
        subject = repository.commit(verdict.commit).subject
        approvers = tuple(one.signer.name for one in verdict.approvers)
        signer = verdict.signer
        signed.append(Signed(verdict.commit, subject, signer.name, signer.fingerprint, approvers))
    return tuple(signed)


def _federation(repository: Repository, commit: str) -> Federation:
    snapshot = repository.snapshot(commit)
    files = {path: blob for path, blob in snapshot.files.items() if path == FEDERATION}
    fleet = load(replace(snapshot, files=files)).fleet
    if fleet is None:
        raise _unsigned(commit, "a federation.yaml that names signers", "none that can be read")
    return fleet.federation


def _unsigned(commit: str, expected: str, got: str) -> UnsignedRangeError:
    return UnsignedRangeError(
        "what the log accepted does not hold",
        where=f"commit {commit}",
        expected=expected,
        got=got,
        hint="see `fleetward trust explain`; a commit that never held must not stay applied: revert it",
    )
