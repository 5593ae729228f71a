"""Stale root: a branch that is older than the last accepted trust root brings its old root along.

Somebody was removed from the root, with a key that is known to be stolen. A branch from before that still
has the old root. The thief builds on it and merges so that the old branch is the first parent, the line along
which trust roots are followed. The root must not move back to the old one, not even for one commit.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attack_kit import PEOPLE, Fleet, subjects

pytestmark = pytest.mark.real
LEFT = {name: roles for name, roles in PEOPLE.items() if name != "dave"}


@pytest.fixture
def left(fleet: Fleet) -> Fleet:
    """Dave was removed, and that was accepted; ``work`` is carol's branch from before, signed by her."""
    fleet.branch("work")
    fleet.change("work", by="carol")
    fleet.main()
    fleet.repo.commit({"federation.yaml": fleet.federation(LEFT, version=2)})
    fleet.accepted()
    return fleet


def test_a_removed_signer_on_an_old_branch(left: Fleet) -> None:
    removed = left.repo.head("main")
    left.repo.git("checkout", "-q", "work")
    stolen = left.change("stolen", by="dave")
    merge = left.repo.merge("main", by="dave")
    left.repo.git("branch", "-f", "main", merge)
    found = left.refused("FW1206")
    assert subjects(found) == {stolen, merge}
    left.repo.git("branch", "-f", "main", removed)
    left.reconcile()


def test_the_old_root_does_not_judge_its_own_successor(left: Fleet) -> None:
    """Version 2 a second time: as good as the first by its number and by the old root, and the thief's."""
    left.repo.git("checkout", "-q", "work")
    people = {"dave": ["security"], "mallory": ["security"]}
    coup = left.repo.commit({"federation.yaml": left.federation(people, version=2)}, by="dave")
    left.half_merge("main", "-s", "ours")
    merge = left.repo.commit({}, by="mallory")
    left.repo.git("branch", "-f", "main", merge)
    found = left.refused("FW1206", "FW1262")
    assert subjects([f for f in found if f.code == "FW1206"]) == {coup, merge}


def test_a_second_root_of_the_same_version_by_good_people(left: Fleet) -> None:
    """Nobody is removed by merging a root that was never compared with the accepted one."""
    left.repo.git("checkout", "-q", "work")
    left.repo.commit({"federation.yaml": left.federation({**PEOPLE, "erin": []}, version=2)}, by="alice")
    left.half_merge("main", "-s", "ours")
    merge = left.repo.commit({}, by="alice")
    left.repo.git("branch", "-f", "main", merge)
    found = left.refused("FW1262")
    assert merge in subjects(found)


def test_an_old_branch_by_good_people_is_welcome(left: Fleet) -> None:
    left.repo.git("checkout", "-q", "work")
    merge = left.repo.merge("main", by="carol")
    left.repo.git("branch", "-f", "main", merge)
    left.accepted()
    assert left.root_version() == 2


def test_a_root_from_before_the_trust_began(make: Callable[..., Fleet]) -> None:
    """Nobody ever judged what lies before the first trusted commit, whatever its version says."""
    people = {"mallory": ["security"]}
    fleet = make(before=lambda old: {"federation.yaml": old.federation(people, version=50, approvals=[])})
    fleet.branch("old", f"{fleet.good}~1")
    fleet.change("stolen", by="mallory")
    fleet.half_merge("main", "-s", "ours")
    merge = fleet.repo.commit({}, by="mallory")
    fleet.repo.git("branch", "-f", "main", merge)
    fleet.refused("FW1206", "FW1262")


def test_a_signer_removed_on_the_branch_itself(fleet: Fleet) -> None:
    """Merged as one: what comes after a removal on a branch is judged without the removed signer too."""
    fleet.branch("side")
    fleet.repo.commit({"federation.yaml": fleet.federation(LEFT, version=2)})
    late = fleet.change("late", by="dave")
    fleet.main()
    fleet.change("main")
    fleet.repo.merge("side", by="carol")
    found = fleet.refused("FW1206")
    assert subjects(found) == {late}


def test_a_merge_that_brings_the_removal_by_the_one_removed(fleet: Fleet) -> None:
    fleet.branch("side")
    fleet.repo.commit({"federation.yaml": fleet.federation(LEFT, version=2)})
    fleet.main()
    fleet.change("main")
    merge = fleet.repo.merge("side", by="dave")
    found = fleet.refused("FW1206")
    assert subjects(found) == {merge}


def test_a_race_against_the_removal(fleet: Fleet) -> None:
    """The removal is pushed and not accepted yet; the one removed merges it from the side."""
    fleet.branch("work")
    fleet.change("stolen", by="dave")
    fleet.main()
    fleet.repo.commit({"federation.yaml": fleet.federation(LEFT, version=2)})
    fleet.repo.git("checkout", "-q", "work")
    merge = fleet.repo.merge("main", by="dave")
    fleet.repo.git("branch", "-f", "main", merge)
    assert subjects(fleet.refused("FW1206")) == {merge}
