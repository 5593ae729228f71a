"""Forge edit: a file is changed in the browser, and the forge signs it with its own key.

Whoever has taken over an account there, or the forge itself, could do that; a person's key is not needed.
"""

from __future__ import annotations

import pytest
from attack_kit import RBAC, Fleet, subjects

pytestmark = pytest.mark.real


@pytest.mark.parametrize("path", [RBAC, "policies/manifests/settings.yaml", "clusters/member-a.yaml"])
def test_a_file_deleted_in_the_browser(fleet: Fleet, path: str) -> None:
    commit = fleet.repo.commit({path: None}, by="github")
    assert subjects(fleet.refused("FW1260")) == {commit}


def test_a_new_file(fleet: Fleet) -> None:
    fleet.change("edited", by="github")
    fleet.refused("FW1260")


def test_the_trust_root(fleet: Fleet) -> None:
    people = {"mallory": ["security"]}
    text = fleet.federation(people, version=2, approvals=[])
    fleet.repo.commit({"federation.yaml": text}, by="github")
    fleet.refused("FW1260")


def test_a_file_outside_the_fleet(fleet: Fleet) -> None:
    """Not read today; but then nobody would know later who wrote it."""
    fleet.repo.commit({"README.md": "x"}, by="github")
    fleet.refused("FW1260")


def test_an_empty_commit_of_a_forge_changes_nothing(fleet: Fleet) -> None:
    fleet.repo.commit({}, by="github")
    fleet.accepted()
