"""Evil merge: a merge commit holds what none of its parents has, where nobody reviews.

Forges show no difference for a merge. What a merge makes of its own accord is authored by its signer.
"""

from __future__ import annotations

import fleet_files
import pytest
from attack_kit import RBAC, Fleet, subjects

pytestmark = pytest.mark.real
ADMIN = fleet_files.role("viewer", verbs=["get", "delete"])


@pytest.fixture
def half(fleet: Fleet) -> Fleet:
    """Two branches that merge cleanly, the merge begun on main."""
    fleet.branch("side")
    fleet.change("side")
    fleet.main()
    fleet.change("main")
    fleet.half_merge("side")
    return fleet


def test_a_change_slipped_in_by_a_forge(half: Fleet) -> None:
    merge = half.repo.commit({RBAC: ADMIN}, by="github")
    (finding,) = half.refused("FW1260")
    assert subjects([finding]) == {merge}
    assert RBAC in finding.got


def test_a_change_slipped_in_by_a_person(half: Fleet) -> None:
    """A person may author, and needs the people that the path asks for."""
    merge = half.repo.commit({RBAC: ADMIN}, by="alice")
    (finding,) = half.refused("FW1261")
    half.approve(merge, "bob")
    half.accepted()
    assert subjects([finding]) == {merge}


def test_a_new_file_in_a_merge_by_a_forge(half: Fleet) -> None:
    half.change("evil", by="github")
    half.refused("FW1260")


def test_a_file_left_out_of_a_merge_by_a_forge(half: Fleet) -> None:
    half.repo.commit({"policies/manifests/side.yaml": None}, by="github")
    half.refused("FW1260")


def test_a_fix_that_the_merge_drops(fleet: Fleet) -> None:
    """``git merge -s ours``: signed history has the fix, and the files do not."""
    fleet.branch("side")
    fix = fleet.repo.commit({RBAC: fleet_files.role("viewer", verbs=["get"])}, by="alice")
    fleet.approve(fix, "bob")
    fleet.main()
    fleet.change("main")
    fleet.half_merge("side", "-s", "ours")
    merge = fleet.repo.commit({}, by="alice")
    assert subjects(fleet.refused("FW1261")) == {merge}


def test_an_octopus_by_a_forge(fleet: Fleet) -> None:
    """No forge makes one; what it holds cannot be derived from two sides."""
    for name in ("one", "two"):
        fleet.repo.git("checkout", "-q", "-b", name, fleet.good)
        fleet.change(name)
    fleet.main()
    fleet.repo.merge("one", "two", by="github")
    fleet.refused("FW1260")


def test_a_merge_of_a_commit_with_itself(fleet: Fleet) -> None:
    payload = fleet.payload(fleet.good, fleet.good, name="github")
    key = fleet.repo.person("github").private_key
    command = ["ssh-keygen", "-Y", "sign", "-q", "-n", "git", "-f", str(key)]
    fleet.forge_commit(payload, fleet.repo._run(command, stdin=payload))
    fleet.refused("FW1260")


def test_a_conflict_solved_by_a_forge(fleet: Fleet) -> None:
    """The editor in the browser: what it writes is nobody's."""
    fleet.branch("side")
    fleet.change("same", colour="red")
    fleet.main()
    fleet.change("same", colour="blue")
    who = ("-c", "user.name=x", "-c", "user.email=x@x")
    text = fleet_files.config_map("same", colour="green")
    with pytest.raises(AssertionError, match="merge"):
        fleet.repo.git(*who, "merge", "-q", "--no-ff", "--no-commit", "side")
    fleet.repo.commit({"policies/manifests/same.yaml": text}, by="github")
    fleet.refused("FW1260")
