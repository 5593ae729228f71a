"""Criss-cross: a merge with two common ancestors, one of them before a change that was taken back since.

Held against that ancestor alone the merge explains what was taken back as its other side's. Which ancestor a
tool takes is a matter of dates, and those are the committers'.
"""

from __future__ import annotations

import fleet_files
import pytest
from attack_kit import RBAC, Fleet

pytestmark = pytest.mark.real
WIDE = fleet_files.role("viewer", verbs=["get", "delete"])
LATE, EARLY = 1_900_000_000, 1_600_000_000


@pytest.mark.parametrize("date", [EARLY, LATE])
@pytest.mark.parametrize("by", ["dave", "github"])
def test_what_was_taken_back_comes_again(fleet: Fleet, date: int, by: str) -> None:
    start = fleet.good
    narrow = fleet.repo.git("show", f"{start}:{RBAC}")
    fleet.branch("side", start)
    change = fleet.change("side")
    fleet.main()
    side = fleet.crafted(change, start, by="dave", date=date)
    fleet.move(start)
    wide = fleet.repo.commit({RBAC: WIDE}, by="alice")
    fleet.approve(wide, "bob")
    fleet.half_merge(side)
    both = fleet.repo.commit({}, by="github")
    assert fleet.accepted() == both
    back = fleet.repo.commit({RBAC: narrow}, by="alice")
    fleet.approve(back, "bob")
    assert fleet.accepted() == back
    again = fleet.crafted(both, wide, side, by=by, date=EARLY)
    fleet.crafted(both, back, again, by=by, date=EARLY)
    fleet.refused("FW1260" if by == "github" else "FW1261")


def test_an_honest_one_is_accepted(fleet: Fleet) -> None:
    fleet.branch("side")
    side = fleet.change("side")
    fleet.main()
    main = fleet.change("main")
    fleet.half_merge(side)
    fleet.repo.commit({}, by="github")
    fleet.branch("cross", side)
    fleet.half_merge(main)
    fleet.repo.commit({}, by="github")
    fleet.change("more")
    fleet.main()
    fleet.change("other")
    fleet.half_merge("cross")
    merge = fleet.repo.commit({}, by="github")
    assert fleet.accepted() == merge
