"""Stale root: a branch that is older than the last accepted trust root brings its old root along.

Somebody was removed from the root, with a key that is known to be stolen. A branch from before that still
has the old root. The thief builds on it and merges so that the old branch is the first parent. The root must
not move back to the old one, not even for one commit or for what was pushed before the removal was accepted.
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
    """Merged as one: only what the removal builds on counts with the removed signer."""
    fleet.branch("side")
    below = fleet.change("below", by="dave")
    fleet.repo.commit({"federation.yaml": fleet.federation(LEFT, version=2)})
    late = fleet.change("late", by="dave")
    fleet.main()
    beside = fleet.change("main", by="dave")
    fleet.repo.merge("side", by="carol")
    found = fleet.refused("FW1206")
    assert subjects(found) == {late, beside}
    assert below not in subjects(found)


def test_a_merge_that_brings_the_removal_by_the_one_removed(fleet: Fleet) -> None:
    fleet.branch("side")
    fleet.repo.commit({"federation.yaml": fleet.federation(LEFT, version=2)})
    fleet.main()
    fleet.change("main", by="carol")
    merge = fleet.repo.merge("side", by="dave")
    found = fleet.refused("FW1206")
    assert subjects(found) == {merge}


def test_a_race_against_the_removal(fleet: Fleet) -> None:
    """The removal is pushed and not accepted yet; the one removed merges it from the side."""
    fleet.branch("work")
    stolen = fleet.change("stolen", by="dave")
    fleet.main()
    fleet.repo.commit({"federation.yaml": fleet.federation(LEFT, version=2)})
    fleet.repo.git("checkout", "-q", "work")
    merge = fleet.repo.merge("main", by="dave")
    fleet.repo.git("branch", "-f", "main", merge)
    assert subjects(fleet.refused("FW1206")) == {stolen, merge}


@pytest.mark.parametrize("by", ["carol", "github"])
def test_the_parents_of_the_merge_the_other_way_round(fleet: Fleet, by: str) -> None:
    """What a forge's "Update branch" makes: the branch of the one removed first, the removal second."""
    fleet.branch("work")
    stolen = fleet.change("stolen", by="dave")
    fleet.main()
    removal = fleet.repo.commit({"federation.yaml": fleet.federation(LEFT, version=2)})
    fleet.half_merge("work")
    merge = fleet.repo.commit({}, by=by)
    assert subjects(fleet.refused("FW1206")) == {stolen}
    fleet.crafted(merge, stolen, removal, by=by)
    assert subjects(fleet.refused("FW1206")) == {stolen}


def test_two_roots_do_not_vouch_for_each_other(fleet: Fleet) -> None:
    """Each of two branches has a root in which mallory is everybody, merged in a third."""
    people = {"mallory": ["security", "sre"]}
    mine = {"federation.yaml": fleet.federation(people, version=2, approvals=[])}
    fleet.branch("other")
    other = fleet.repo.commit({**mine, "other.txt": "x"}, by="mallory")
    fleet.main()
    one = fleet.repo.commit({**mine, "one.txt": "x"}, by="mallory")
    fleet.half_merge("other")
    fleet.repo.commit({}, by="mallory")
    assert {one, other} <= subjects(fleet.refused("FW1206"))


def test_a_rival_root_by_the_one_removed(fleet: Fleet) -> None:
    """Removed on main, dave makes a root of the same version on a branch; somebody settles it."""
    fleet.branch("work")
    mine = {"federation.yaml": fleet.federation({**PEOPLE, "mallory": []}, version=2)}
    rival = fleet.repo.commit(mine, by="dave")
    fleet.change("mine", by="mallory")
    fleet.main()
    fleet.repo.commit({"federation.yaml": fleet.federation(LEFT, version=2)})
    fleet.half_merge("work", "-X", "ours")
    settled = {"federation.yaml": fleet.federation(LEFT, version=3)}
    fleet.repo.commit(settled, by="alice")
    assert subjects(fleet.refused("FW1206")) == {rival}


def test_two_changes_of_one_version_that_somebody_settled(fleet: Fleet) -> None:
    """Honest: two pull requests that both add a signer, the second one settled as the next version."""
    both = {**PEOPLE, "erin": [], "frank": []}
    fleet.branch("work")
    fleet.repo.commit({"federation.yaml": fleet.federation({**PEOPLE, "frank": []}, version=2)}, by="bob")
    fleet.change("by-frank", by="frank")
    fleet.main()
    fleet.repo.commit({"federation.yaml": fleet.federation({**PEOPLE, "erin": []}, version=2)}, by="alice")
    fleet.change("by-erin", by="erin")
    fleet.half_merge("work", "-X", "ours")
    fleet.repo.commit({"federation.yaml": fleet.federation(both, version=3)}, by="alice")
    fleet.change("later", by="frank")
    fleet.accepted()
    assert fleet.root_version() == 3
