"""Forge squash: the forge's key puts what people wrote into a commit of its own.

Who controls the forge could write anything so. Squash and rebase lose the authors' signatures: refused.
"""

from __future__ import annotations

import fleet_files
import pytest
from attack_kit import PEOPLE, RULES, Fleet, subjects

pytestmark = pytest.mark.real


def test_a_squash(fleet: Fleet) -> None:
    fleet.branch("side")
    fleet.change("one")
    fleet.change("two")
    fleet.main()
    fleet.repo.git("merge", "-q", "--squash", "side")
    squash = fleet.repo.commit({}, by="github", message="Add two (#7)\n\nCo-authored-by: dave <d@x>")
    (finding,) = fleet.refused("FW1260")
    assert subjects([finding]) == {squash}
    assert "squash" in finding.got
    fleet.move(fleet.good)
    fleet.repo.merge("side", by="github")
    fleet.accepted()


def test_a_rebase(fleet: Fleet) -> None:
    fleet.branch("side")
    fleet.change("one")
    fleet.main()
    fleet.change("main")
    fleet.repo.git("cherry-pick", "--no-commit", "side")
    fleet.repo.commit({}, by="github")
    fleet.refused("FW1260")


def test_an_approval_does_not_make_a_squash_good(fleet: Fleet) -> None:
    text = fleet_files.role("reader", verbs=["get"])
    squash = fleet.repo.commit({"policies/rbac/reader.yaml": text}, by="github")
    for person in ("alice", "bob"):
        fleet.approve(squash, person)
    fleet.refused("FW1260")


def test_a_forge_does_not_approve(fleet: Fleet) -> None:
    fleet.approve(fleet.role(), "github")
    fleet.refused("FW1261")


def test_a_forge_takes_another_role_in_the_root(fleet: Fleet) -> None:
    people = {**PEOPLE, "github": ["forge", "security"]}
    fleet.repo.commit({"federation.yaml": fleet.federation(people, version=2, approvals=RULES)})
    fleet.refused("FW1325")
