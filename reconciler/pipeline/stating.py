"""Statements that a person signs in a clone: that a change was reviewed, that the remote is not frozen.

Who may approve is judged where the approval is used; here it is only made, for the repository and ref that
the base's federation.yaml names.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from reconciler.documents import Federation, load
from reconciler.errors import RepositoryError, SettingsError
from reconciler.pipeline.check import only_federation
from reconciler.pipeline.heartbeats import HEARTBEATS
from reconciler.pipeline.judging import APPROVALS, Seen, identity, judge_range
from reconciler.repository import Commit, Repository
from reconciler.repository.signing import sign_statement
from reconciler.trust import Judgement
from reconciler.trust.statements import Approval, HeartbeatStatement, write


@dataclass(frozen=True, slots=True)
class Explained:
    """A range, its commits, and what the trust root of its base says of them."""

    base: str
    federation: Federation
    commits: tuple[Commit, ...]
    judgement: Judgement


def explain_trust(
    repository: Repository, rev: str, against: str, *, at: datetime, seen: tuple[Seen, ...] = ()
) -> Explained:
    """Judge against..rev as a reconcile would, content left aside. Raises RepositoryError, TrustError."""
    head, base = repository.resolve(rev), repository.resolve(against)
    federation = federation_at(repository, base)
    judgement = judge_range(repository, federation, base, head, at=at, seen=seen)
    return Explained(base, federation, repository.commits(base, head), judgement)


def federation_at(repository: Repository, commit: str) -> Federation:
    """The Federation of a commit. Raises SettingsError when it has none that can be used."""
    fleet = load(only_federation(repository.snapshot(commit))).fleet
    if fleet is None:
        raise SettingsError(
            "the commit has no usable federation.yaml",
            where=f"commit {commit}",
            hint="name another base with --against",
        )
    return fleet.federation


def target(repository: Repository, federation_ref: str) -> str:
    """The commit of the reconciled branch as this clone knows it: the remote's, else the local one."""
    branch = federation_ref.removeprefix("refs/heads/")
    try:
        return repository.resolve(f"refs/remotes/origin/{branch}")
    except RepositoryError:
        return repository.resolve(federation_ref)


def approve(repository: Repository, path: Path, rev: str, against: str) -> tuple[Approval, str]:
    """Sign that what ``rev`` has and ``against`` has not was reviewed; also the ref of it.

    Raises SettingsError when there is nothing to approve, SigningError.
    """
    commit, base = repository.resolve(rev), repository.resolve(against)
    federation = federation_at(repository, base)
    if repository.descends(base, commit):
        raise SettingsError(
            "there is nothing to approve: the base already has this commit",
            got=f"{commit} is part of {base}",
            hint="name the tip of the change, and its target with --against",
        )
    approval = Approval(identity(federation), federation.ref, commit, base=base)
    ref = sign_statement(path, write(approval), commit, folder=f"{APPROVALS}/{commit}")
    return approval, ref


def beat(
    repository: Repository, path: Path, rev: str, life: timedelta, now: datetime
) -> tuple[HeartbeatStatement, str]:
    """Sign that the ref is at ``rev``, until ``life`` from now; also its ref. Raises SigningError."""
    commit = repository.resolve(rev)
    federation = federation_at(repository, commit)
    statement = HeartbeatStatement(
        identity(federation), federation.ref, commit, (now + life).replace(microsecond=0)
    )
    ref = sign_statement(path, write(statement), commit, folder=HEARTBEATS, name="current")
    return statement, ref
