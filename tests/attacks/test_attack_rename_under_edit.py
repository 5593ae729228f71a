"""A file is moved to where approvals are needed, and edited at its old place, where none are.

Git's merge lets the edit follow the file. Nobody of those who guard the new place saw it, so whoever signs
that merge authors it; a forge cannot.
"""

from __future__ import annotations

import fleet_files
import pytest
from attack_kit import Fleet

pytestmark = pytest.mark.real
OLD, NEW = "schemas/notes/role.txt", "policies/rbac/notes.yaml"
LINES = "".join(f"# line {number} of many, so that git sees one file\n" for number in range(40))
ROLE = LINES + fleet_files.role("notes", verbs=["get"])


@pytest.fixture
def moved(fleet: Fleet) -> Fleet:
    """main has the file at its new place, approved; branch edit has a verb more at the old one, by dave."""
    start = fleet.repo.commit({OLD: ROLE}, by="dave")
    fleet.branch("edit", start)
    fleet.repo.commit({OLD: ROLE.replace("line 7 of", "line 7, edited, of")}, by="dave")
    fleet.main()
    fleet.approve(fleet.repo.commit({OLD: None, NEW: ROLE}, by="alice"), "bob")
    fleet.half_merge("edit")
    return fleet


def test_by_a_forge(moved: Fleet) -> None:
    merge = moved.repo.commit({}, by="github")
    assert "edited" in moved.repo.git("show", f"{merge}:{NEW}")
    moved.refused("FW1260")


def test_by_a_person(moved: Fleet) -> None:
    moved.repo.commit({}, by="dave")
    (finding,) = moved.refused("FW1261")
    assert NEW in finding.message
