"""Unsigned parent: the tip is well signed, and something below it is not.

Git shows a verified merge; what it merges came from anybody. Every commit that the tip brings in is judged,
on every side.
"""

from __future__ import annotations

import pytest
from attack_kit import Fleet, subjects

pytestmark = pytest.mark.real


def test_below_the_tip(fleet: Fleet) -> None:
    hidden = fleet.change("hidden", sign=False)
    fleet.change("tip")
    assert subjects(fleet.refused("FW1201")) == {hidden}


def test_taken_back_by_the_tip(fleet: Fleet) -> None:
    """The tree is what it was: nothing is gained, and it is refused all the same."""
    fleet.change("hidden", sign=False)
    fleet.repo.commit({"policies/manifests/hidden.yaml": None}, by="dave")
    fleet.refused("FW1201")


@pytest.mark.parametrize("by", ["alice", "github"])
def test_as_the_second_parent(fleet: Fleet, by: str) -> None:
    fleet.branch("side")
    hidden = fleet.change("hidden", sign=False)
    fleet.main()
    fleet.change("main")
    fleet.repo.merge("side", by=by)
    assert subjects(fleet.refused("FW1201")) == {hidden}


def test_as_the_third_parent(fleet: Fleet) -> None:
    for name in ("one", "two"):
        fleet.repo.git("checkout", "-q", "-b", name, fleet.good)
        fleet.change(name, sign=name != "two")
    hidden = fleet.repo.head("two")
    fleet.main()
    fleet.repo.merge("one", "two", by="alice")
    assert subjects(fleet.refused("FW1201")) == {hidden}


def test_on_the_first_parent_of_a_merge_the_wrong_way_round(fleet: Fleet) -> None:
    fleet.branch("side")
    hidden = fleet.change("hidden", sign=False)
    fleet.main()
    fleet.change("main")
    fleet.repo.git("checkout", "-q", "side")
    merge = fleet.repo.merge("main", by="alice")
    fleet.repo.git("branch", "-f", "main", merge)
    assert subjects(fleet.refused("FW1201")) == {hidden}


def test_with_a_date_before_everything_that_was_accepted(fleet: Fleet) -> None:
    """A walk by dates that ends too early would not see it."""
    fleet.branch("side", fleet.good)
    payload = fleet.payload(fleet.good).replace(b"1700000500", b"0000000001")
    old = fleet.repo.write_object("commit", payload)
    fleet.repo.git("branch", "-f", "main", fleet.good)
    fleet.main()
    fleet.change("main")
    fleet.repo.merge(old, by="alice")
    assert subjects(fleet.refused("FW1201")) == {old}


def test_an_empty_unsigned_merge(fleet: Fleet) -> None:
    fleet.branch("side")
    fleet.change("side")
    fleet.main()
    fleet.change("main")
    merge = fleet.repo.merge("side", sign=False)
    assert subjects(fleet.refused("FW1201")) == {merge}


def test_a_stranger_on_a_side(fleet: Fleet) -> None:
    fleet.branch("side")
    hidden = fleet.change("hidden", by="mallory")
    fleet.main()
    fleet.change("main")
    fleet.repo.merge("side", by="alice")
    assert subjects(fleet.refused("FW1206")) == {hidden}
