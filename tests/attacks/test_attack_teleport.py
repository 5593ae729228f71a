"""Teleport: what was signed for one place is shown at another.

A signature names no repository and no branch. So the log pins both, approvals name both, and no history from
elsewhere comes in by a merge.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import fleet_files
import pytest
from attack_kit import MAIN, PEOPLE, Fleet, subjects
from git_fixtures import FleetRepo

pytestmark = pytest.mark.real


def test_another_repository_with_the_same_history(fleet: Fleet, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(fleet.repo.path, copy)
    (finding,) = fleet.refused("FW1251", commit=fleet.good, location=str(copy))
    assert str(fleet.repo.path) in finding.expected
    fleet.change()
    fleet.accepted()


def test_approvals_of_another_branch(fleet: Fleet) -> None:
    """A change that was agreed to for staging is pushed to main, with its approval."""
    commit = fleet.role()
    fleet.approve(commit, "bob", ref="refs/heads/staging")
    (finding,) = fleet.refused("FW1261")
    assert subjects([finding]) == {commit}
    fleet.approve(commit, "bob")
    fleet.accepted()


def test_approvals_of_another_repository(fleet: Fleet) -> None:
    commit = fleet.role()
    fleet.approve(commit, "bob", repository="staging-fleet")
    fleet.refused("FW1261")


def test_a_pinned_repository_is_what_approvals_name(make: Callable[..., Fleet]) -> None:
    """Two fleets of one name are told apart by spec.repository."""
    fleet = make(repository="https://git.example/fleet.git")
    commit = fleet.role()
    fleet.approve(commit, "bob")  # names the Federation only
    fleet.approve(commit, "bob", repository="https://git.example/fork.git")
    fleet.refused("FW1261")
    fleet.approve(commit, "bob", repository="https://git.example/fleet.git")
    fleet.accepted()


def test_the_history_of_another_repository_by_a_merge(fleet: Fleet, tmp_path: Path) -> None:
    """Alice signed it, for a fleet of her own; dave, who may not change roles, merges it here."""
    other = FleetRepo(tmp_path / "other")
    other.people = fleet.repo.people
    other.commit({"policies/rbac/admin.yaml": fleet_files.role("admin")}, by="alice")
    fleet.repo.git("fetch", "-q", str(other.path), "main:refs/heads/other")
    fleet.repo.merge("--allow-unrelated-histories", "other", by="dave")
    (finding,) = fleet.refused("FW1107")
    assert other.head() in finding.got


def test_the_log_stays_with_its_branch(fleet: Fleet) -> None:
    """Another branch becomes what HEAD and the forge's default are; the pinned one is still what counts."""
    fleet.branch("evil")
    fleet.change("evil", by="mallory")
    fleet.repo.git("symbolic-ref", "HEAD", "refs/heads/evil")
    assert fleet.reconcile().commit == fleet.good


def test_a_commit_cannot_move_the_log_to_another_branch(fleet: Fleet) -> None:
    """spec.ref in a new root changes what approvals name, never which branch this log follows."""
    text = fleet.federation(PEOPLE, version=2, ref="refs/heads/evil")
    fleet.repo.commit({"federation.yaml": text})
    moved = fleet.accepted()
    fleet.branch("evil")
    fleet.change("evil", by="alice")
    assert fleet.reconcile().commit == moved


def test_the_branch_is_taken_away(fleet: Fleet) -> None:
    fleet.repo.git("checkout", "-q", "--detach")
    fleet.repo.git("update-ref", "-d", MAIN)
    fleet.refused("FW1102", commit=fleet.good)
    fleet.repo.git("update-ref", MAIN, fleet.good)
    fleet.reconcile()


def test_the_branch_is_no_commit(fleet: Fleet) -> None:
    blob = fleet.repo.write_object("blob", b"x")
    (fleet.repo.path / ".git/refs/heads/main").write_text(f"{blob}\n")
    fleet.refused("FW1102", commit=fleet.good)
