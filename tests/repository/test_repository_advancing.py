"""A branch moves by one commit made here, if it is still where it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from git_fixtures import FleetRepo

from reconciler.repository import Repository
from reconciler.repository.advancing import AdvanceError
from reconciler.repository.proposing import Proposal, ProposalError
from reconciler.trust.keys import ReconcilerKey
from reconciler.trust.sshsig import sign

MAIN = "refs/heads/main"
KEY = ReconcilerKey.from_seed(b"p" * 32)
Git = Callable[..., str]


def signed(raw: bytes) -> bytes:
    return sign(KEY, raw, namespace="git")


@pytest.fixture
def repo(tmp_path: Path) -> FleetRepo:
    made = FleetRepo(tmp_path)
    made.commit({"federation.yaml": "x", "clusters/a.yaml": "a"})
    return made


@pytest.fixture
def bare(repo: FleetRepo) -> Path:
    path = repo.root / "bare.git"
    repo.git("clone", "-q", "--bare", str(repo.path), str(path))
    repo.git("remote", "add", "origin", str(path))
    return path


def proposal(base: str, name: str = "b") -> Proposal:
    return Proposal(
        base, f"clusters/{name}.yaml", b"b\n", MAIN, "Register", "fleetward", "fleetward@localhost",
        datetime(2026, 1, 2, tzinfo=UTC),
    )  # fmt: skip


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_compare_and_swap(repo: FleetRepo, bare: Path, prefix: str) -> None:
    """A path and a URL alike: the second of two commits on one base does not go in, and loses nothing."""
    repository = Repository.open(f"{prefix}{bare}", cache_dir=repo.root / "cache")
    repository.fetch()
    base = repository.resolve(MAIN)
    one, other = (repository.draft(proposal(base, name), signed) for name in ("b", "c"))
    assert repo.git("ls-remote", str(bare), MAIN).split()[0] == base, "a draft moves nothing"
    repository.advance(MAIN, one)
    with pytest.raises(AdvanceError):
        repository.advance(MAIN, other)
    assert repo.git("ls-remote", str(bare), MAIN).split()[0] == one
    repository.fetch()
    again = repository.draft(proposal(one, "c"), signed)
    repository.advance(MAIN, again)
    assert repo.git("ls-remote", str(bare), MAIN).split()[0] == again
    repo.git("-C", str(bare), "fsck", "--strict")


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_somebody_moved_it_back(repo: FleetRepo, bare: Path, prefix: str) -> None:
    """Not only forward: a base that is not the tip any more is refused, also if it is ahead."""
    repo.git("push", "-q", "origin", f"{repo.commit({'x': 'x'})}:main")
    repository = Repository.open(f"{prefix}{bare}", cache_dir=repo.root / "cache")
    repository.fetch()
    commit = repository.draft(proposal(repository.resolve(MAIN)), signed)
    repo.git("push", "-q", "--force", "origin", "HEAD~1:main")
    with pytest.raises(AdvanceError):
        repository.advance(MAIN, commit)


def test_a_branch_that_is_checked_out(repo: FleetRepo) -> None:
    repository = Repository.open(str(repo.path), cache_dir=repo.root / "cache")
    commit = repository.draft(proposal(repo.head()), signed)
    with pytest.raises(AdvanceError, match="checked out"):
        repository.advance(MAIN, commit)
    assert (repo.head(), repo.git("status", "--porcelain")) != (commit, "x")
    repo.git("checkout", "-q", "-b", "other")
    repository.advance(MAIN, commit)
    assert repo.head(MAIN) == commit


@pytest.mark.parametrize(
    "ref", ["refs/tags/x", "main", "refs/heads/a:b", "refs/heads/../x", "refs/heads/none"]
)
def test_what_is_no_branch(repo: FleetRepo, bare: Path, ref: str) -> None:
    repository = Repository.open(str(bare), cache_dir=repo.root / "cache")
    commit = repository.draft(proposal(repo.head()), signed)
    with pytest.raises(AdvanceError):
        repository.advance(ref, commit)


def test_drafts_have_the_bounds_of_proposals(repo: FleetRepo) -> None:
    repository = Repository.open(str(repo.path), cache_dir=repo.root / "cache")
    for change in ({"path": "../x"}, {"path": "clusters/a.yaml"}, {"content": b"x" * ((1 << 20) + 1)}):
        with pytest.raises(ProposalError):
            repository.draft(replace(proposal(repo.head()), **change), signed)  # type: ignore[arg-type]


def test_what_an_addition_is(repo: FleetRepo) -> None:
    """One plain new file, and nothing else."""
    repository = Repository.open(str(repo.path), cache_dir=repo.root / "cache")

    def of(files: dict[str, str | None]) -> tuple[str, str] | None:
        return repository.addition(repository.commit(repo.commit(files)))

    found = of({"clusters/b.yaml": "b"})
    assert found is not None
    assert found[0] == "clusters/b.yaml"
    assert repository.blobs.read(found[1]) == b"b"
    assert of({"clusters/b.yaml": "c"}) is None
    assert of({"clusters/c.yaml": "c", "d": "d"}) is None
    assert of({"clusters/c.yaml": None}) is None
    assert of({}) is None
    assert (
        repository.addition(repository.commit(repo.git("rev-list", "--max-parents=0", "HEAD").strip()))
        is None
    )
