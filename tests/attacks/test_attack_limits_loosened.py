"""Limits loosened: a commit raises the limit, or allows the program, that it needs itself.

The Federation of the last accepted commit is what holds while a commit is applied for the first time.
"""

from __future__ import annotations

from pathlib import Path

import fleet_files
import pytest
from attack_kit import Fleet

pytestmark = pytest.mark.real


def test_a_program_that_the_same_commit_allows(fleet: Fleet, tmp_path: Path) -> None:
    """Not run for the commit that brings it, although the commit itself is well signed and accepted."""
    marker = tmp_path / "ran"
    plugin = {"command": "touch", "args": [str(marker)]}
    registration = fleet_files.cluster("member-a", credentials={"exec": plugin})
    text = fleet.federation(credentials={"execCommands": [["touch", str(marker)]]})
    fleet.repo.commit({"federation.yaml": text, "clusters/member-a.yaml": registration})
    run = fleet.reconcile()
    assert run.checked.federation.exec_commands == ()
    assert not run.converged
    assert not marker.exists()


def test_a_program_that_nothing_allows(fleet: Fleet, tmp_path: Path) -> None:
    plugin = {"command": "touch", "args": [str(tmp_path / "ran")]}
    registration = fleet_files.cluster("member-a", credentials={"exec": plugin})
    fleet.repo.commit({"clusters/member-a.yaml": registration}, by="dave")
    fleet.refused("FW1348")
    assert not (tmp_path / "ran").exists()


def test_a_limit_on_deletions(fleet: Fleet) -> None:
    before = fleet.reconcile().checked.federation.limits.max_deletions
    text = fleet.federation(limits={"maxDeletions": "100%"})
    fleet.repo.commit({"federation.yaml": text, "policies/manifests/settings.yaml": None})
    run = fleet.reconcile()
    assert run.accepted_now
    assert run.checked.federation.limits.max_deletions == before
    assert fleet.reconcile().checked.federation.limits.max_deletions == "100%"
