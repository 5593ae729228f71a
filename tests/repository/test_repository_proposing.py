"""Proposals: one signed commit on a new branch, and nothing else moves."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from git_fixtures import FleetRepo

from reconciler.repository import Repository
from reconciler.repository.proposing import Proposal, ProposalError
from reconciler.trust.keys import ReconcilerKey
from reconciler.trust.sshsig import parse, sign, verify

KEY = ReconcilerKey.from_seed(b"p" * 32)


def signed(raw: bytes) -> bytes:
    return sign(KEY, raw, namespace="git")


@pytest.fixture
def repo(tmp_path: Path) -> FleetRepo:
    made = FleetRepo(tmp_path)
    made.commit({"federation.yaml": "x", "clusters/a.yaml": "a", "policies/rbac/r.yaml": "r"})
    return made


def proposal(repo: FleetRepo, **change: object) -> Proposal:
    made = Proposal(
        repo.head(), "clusters/b.yaml", b"b\n", "refs/heads/join/b", "Register cluster b", "fleetward",
        "fleetward@localhost", datetime(2026, 1, 2, tzinfo=UTC),
    )  # fmt: skip
    return replace(made, **change)  # type: ignore[arg-type]


def opened(repo: FleetRepo, location: str = "") -> Repository:
    return Repository.open(location or str(repo.path), cache_dir=repo.root / "cache")


def test_one_file_more_signed_on_a_branch(repo: FleetRepo):
    repository = opened(repo)
    before, status = repo.head(), repo.git("status", "--porcelain")
    commit = repository.propose(proposal(repo), signed)
    assert repo.head("join/b") == commit == repository.branch("refs/heads/join/b")
    assert (repo.head(), repo.git("status", "--porcelain")) == (before, status)
    assert repo.git("diff", "--name-status", before, commit).split() == ["A", "clusters/b.yaml"]
    repo.git("fsck", "--strict")
    found = repository.commit(commit)
    assert found.signature is not None
    verify(parse(found.signature), found.payload, namespace="git")
    assert found.parents == (before,)
    assert repository.branch("refs/heads/join/none") is None


@pytest.mark.parametrize(
    "change",
    [
        {"path": "clusters/a.yaml"},
        {"path": "federation.yaml/x.yaml"},
        {"path": "../x.yaml"},
        {"path": "/x.yaml"},
        {"path": ".git/config"},
        {"branch": "refs/heads/../x"},
        {"branch": "refs/tags/x"},
        {"branch": "refs/heads/join/x.lock"},
        {"branch": "main"},
        {"content": b"x" * (1 << 21)},
    ],
)
def test_what_cannot_be_proposed(repo: FleetRepo, change: dict[str, object]):
    refs = repo.git("for-each-ref")
    with pytest.raises(ProposalError, match="FW1759"):
        opened(repo).propose(proposal(repo, **change), signed)
    assert repo.git("for-each-ref") == refs


def test_a_branch_is_never_moved(repo: FleetRepo):
    first = opened(repo).propose(proposal(repo), signed)
    with pytest.raises(ProposalError, match="FW1759"):
        opened(repo).propose(proposal(repo, content=b"other"), signed)
    assert repo.head("join/b") == first


def test_by_push_to_a_remote(repo: FleetRepo, tmp_path: Path):
    remote = tmp_path / "remote.git"
    repo.git("clone", "-q", "--bare", str(repo.path), str(remote))
    repository = opened(repo, f"file://{remote}")
    repository.fetch()
    commit = repository.propose(proposal(repo), signed)
    assert repo.git(f"--git-dir={remote}", "rev-parse", "join/b").strip() == commit
    with pytest.raises(ProposalError, match="FW1759"):
        repository.propose(proposal(repo, content=b"other"), signed)
    repository.fetch()
    assert repository.branch("refs/heads/join/b") == commit


def test_one_file_less_and_no_empty_folder(repo: FleetRepo):
    repository, before = opened(repo), repo.head()
    leave = proposal(repo, path="clusters/a.yaml", content=None, branch="refs/heads/leave/a")
    commit = repository.propose(leave, signed)
    assert repo.git("diff", "--name-status", before, commit).split() == ["D", "clusters/a.yaml"]
    assert repo.git("ls-tree", "--name-only", commit).split() == ["federation.yaml", "policies"]
    repo.git("fsck", "--strict")
    found = repository.commit(commit)
    assert found.signature is not None
    verify(parse(found.signature), found.payload, namespace="git")


@pytest.mark.parametrize("path", ["clusters/b.yaml", "clusters", "none/a.yaml", "federation.yaml/a"])
def test_what_is_not_there_cannot_be_removed(repo: FleetRepo, path: str):
    with pytest.raises(ProposalError):
        opened(repo).propose(proposal(repo, path=path, content=None), signed)
    assert repo.git("branch", "--list", "join/*") == ""
