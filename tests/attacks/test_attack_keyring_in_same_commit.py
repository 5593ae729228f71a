"""Keyring in the same commit: a commit brings the key that it is signed with.

Every commit is judged by the trust root before it, on every branch.
"""

from __future__ import annotations

import pytest
from attack_kit import PEOPLE, Fleet, subjects

pytestmark = pytest.mark.real
WITH_MALLORY = {**PEOPLE, "mallory": ["security"]}


def test_a_stranger_adds_the_own_key(fleet: Fleet) -> None:
    fleet.repo.commit({"federation.yaml": fleet.federation(WITH_MALLORY, version=2)}, by="mallory")
    fleet.refused("FW1206")


def test_the_key_and_its_use_on_two_commits_of_one_push(fleet: Fleet) -> None:
    """The second one is good by the first one's root, which is nobody's."""
    first = fleet.repo.commit({"federation.yaml": fleet.federation(WITH_MALLORY, version=2)}, by="mallory")
    fleet.change(by="mallory")
    assert first in subjects(fleet.refused("FW1206"))


def test_a_key_that_is_not_agreed_to_yet(fleet: Fleet) -> None:
    """On a branch beside the one that adds it, the new key does not count."""
    fleet.branch("side")
    early = fleet.change("early", by="mallory")
    fleet.main()
    fleet.change("main")
    fleet.repo.merge("side", by="alice")
    fleet.repo.commit({"federation.yaml": fleet.federation(WITH_MALLORY, version=2)})
    assert subjects(fleet.refused("FW1206")) == {early}


def test_a_role_that_the_author_takes_in_the_same_commit(fleet: Fleet) -> None:
    """Dave makes himself security and changes a role at once; whoever agrees, agrees to both."""
    people = {**PEOPLE, "dave": ["security"]}
    text = fleet.federation(people, version=2)
    role = (fleet.repo.path / "policies/rbac/viewer.yaml").read_text().replace("list", "watch")
    commit = fleet.repo.commit({"federation.yaml": text, "policies/rbac/viewer.yaml": role}, by="dave")
    fleet.approve(commit, "alice")
    (finding,) = fleet.refused("FW1261")
    assert finding.got == "alice"


def test_the_rules_are_taken_away_in_the_same_commit(fleet: Fleet) -> None:
    text = fleet.federation(version=2, approvals=[])
    role = (fleet.repo.path / "policies/rbac/viewer.yaml").read_text().replace("list", "watch")
    fleet.repo.commit({"federation.yaml": text, "policies/rbac/viewer.yaml": role}, by="alice")
    fleet.refused("FW1261")
