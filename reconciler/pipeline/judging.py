"""From Git to ``trust.Case``: what every commit of a range authors, its trust root, and who approved it.

Approvals are signed tags below refs/fleetward/statements/approvals/<commit>/. Whoever may push can put
anything there, so what does not parse is a note and never stops a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from reconciler.documents import Federation, TrustRoot, load
from reconciler.errors import FleetwardError, RepositoryError
from reconciler.model import Finding, Snapshot
from reconciler.repository import Commit, NotDescendantError, Repository
from reconciler.trust import Candidate, Case, Judgement, SignedApproval, objections
from reconciler.trust.enrolling import may_enroll
from reconciler.trust.statements import Approval, read

FEDERATION = "federation.yaml"
APPROVALS = "approvals"


@dataclass(frozen=True, slots=True)
class Seen:
    """A head of the branch that the log has met, and when (UTC)."""

    commit: str
    time: datetime


def identity(federation: Federation) -> str:
    """What approvals and heartbeats call this repository: its pinned URL, or the Federation's name.

    Not where it was cloned from, which is different for everybody.
    """
    return federation.repository or federation.name


def judge_range(
    repository: Repository,
    federation: Federation,
    base: str,
    head: str,
    *,
    at: datetime,
    seen: Sequence[Seen] = (),
) -> Judgement:
    """Judge base..head by ``federation`` (the base's). ``base`` "" judges the signature of ``head`` alone.

    A commit counts as first seen when the first head of ``seen`` that reaches it was met, otherwise ``at``.
    Raises RepositoryError, SignerListError, RevocationDataError; NotDescendantError also where a merge
    brings in a history of its own.
    """
    commits = repository.commits(base, head) if base else (repository.commit(head),)
    if base:
        _require_one_history(commits)
    roots = _Roots(repository)
    first = _first_seen(commits, seen, at)
    known = {commit.id for commit in commits}
    outside = (
        {parent for commit in commits for parent in commit.parents if parent not in known} if base else ()
    )
    before = {parent: root for parent in outside if (root := roots.of(repository.commit(parent)))}
    approvals, notes = _approvals(repository, known)
    candidates = tuple(
        Candidate(
            commit.id,
            commit.parents,
            commit.payload,
            commit.signature,
            authored,
            roots.of(commit),
            first.get(commit.id, at),
            _addition(repository, commit, authored),
        )
        for commit in commits
        for authored in [repository.authored(commit) if base else ()]
    )
    name = identity(federation)
    case = Case(candidates, head, federation.root, before, approvals, name, federation.ref, at)
    judged = case.judge()
    return Judgement(judged.verdicts, judged.root, (*judged.notes, *notes))


def _addition(repository: Repository, commit: Commit, authored: Sequence[str]) -> bytes | None:
    """The registration that a commit adds and does nothing else; see ``trust.enrolling``."""
    if len(authored) != 1 or not may_enroll(authored[0]):
        return None
    added = repository.addition(commit)
    if added is None:
        return None
    try:
        return repository.blobs.read(added[1])
    except RepositoryError:  # too large, say; the check of the snapshot says it better
        return None


def _require_one_history(commits: Iterable[Commit]) -> None:
    """A signature names no repository: what was signed in another one must not come in by a merge."""
    for commit in commits:
        if not commit.parents:
            raise NotDescendantError(
                "a merge brings in a history that does not begin in this repository",
                expected="commits that build on what was accepted",
                got=f"{commit.id}, which has no parent",
                hint="add its files in a commit of your own instead",
            )


class _Roots:
    """Trust roots by the blob of federation.yaml: most commits of a range share one."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._known: dict[str, TrustRoot | None] = {}

    def of(self, commit: Commit) -> TrustRoot | None:
        blob = self._repository.file_id(commit, FEDERATION)
        if blob not in self._known:
            self._known[blob] = self._read(commit, blob) if blob else None
        return self._known[blob]

    def _read(self, commit: Commit, blob: str) -> TrustRoot | None:
        try:
            alone = Snapshot(commit.id, commit.tree, {FEDERATION: blob}, self._repository.blobs)
            fleet = load(alone).fleet
        except RepositoryError:  # too large, say; the check of the snapshot says it better
            return None
        return fleet.federation.root if fleet else None


def _first_seen(commits: Iterable[Commit], seen: Sequence[Seen], at: datetime) -> Mapping[str, datetime]:
    parents = {commit.id: commit.parents for commit in commits}
    found: dict[str, datetime] = {}
    for head in sorted(seen, key=lambda one: one.time):
        queue = [head.commit]
        while queue:
            commit = queue.pop()
            if commit in parents and commit not in found:
                found[commit] = min(head.time, at)
                queue += parents[commit]
    return found


def _approvals(
    repository: Repository, commits: set[str]
) -> tuple[tuple[SignedApproval, ...], tuple[Finding, ...]]:
    found, notes = [], []
    for name, tag in repository.statements(APPROVALS):
        if name.partition("/")[0] not in commits:
            continue
        try:
            found.append(_approval(repository, tag))
        except FleetwardError as error:
            notes.append(objections.note(f"refs/fleetward/statements/{APPROVALS}/{name}", error))
    return tuple(found), tuple(notes)


def _approval(repository: Repository, oid: str) -> SignedApproval:
    tag = repository.tag(oid)
    return SignedApproval(oid, read(tag.text, Approval), tag.payload, tag.signature)
