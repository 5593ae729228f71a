"""Rollback: main is moved to an older commit, or to a history that forgets the last accepted one.

Every commit there is well signed and was good once. Accepted commits only move forward.
"""

from __future__ import annotations

import pytest
from attack_kit import Fleet

pytestmark = pytest.mark.real


def test_an_older_commit_that_was_accepted_once(fleet: Fleet) -> None:
    newest = fleet.change()
    fleet.accepted()
    fleet.move(fleet.good)
    (finding,) = fleet.refused("FW1107")
    assert newest in finding.expected
    fleet.move(newest)
    fleet.reconcile()
    fleet.change("more")
    fleet.accepted()


def test_new_commits_on_top_of_an_older_one(fleet: Fleet) -> None:
    fleet.change()
    fleet.accepted()
    fleet.move(fleet.good)
    fleet.change("other")
    fleet.refused("FW1107")


def test_the_same_files_without_their_history(fleet: Fleet) -> None:
    """As a fresh ``git init`` of the same files, signed by a known signer."""
    newest = fleet.change()
    fleet.accepted()
    fleet.repo.git("checkout", "-q", "--orphan", "new")
    fleet.repo.commit({}, by="alice")
    fleet.repo.git("branch", "-f", "main", "new")
    fleet.refused("FW1107")
    fleet.repo.git("branch", "-f", "main", newest)
    fleet.reconcile()


def test_a_revert_is_no_rollback(fleet: Fleet) -> None:
    """What undoes a change in the open is a new commit like any other."""
    fleet.change()
    fleet.accepted()
    fleet.repo.commit({"policies/manifests/extra.yaml": None}, by="dave")
    fleet.accepted()
