"""Octopus: a merge of three, whose first parent is an old commit and whose files are that commit's.

Held against its first parent alone it would change nothing, and everything since would be undone: a role that
was narrowed, a limit of federation.yaml, with nobody's approval and even by a forge's key.
"""

from __future__ import annotations

from collections.abc import Callable

import fleet_files
import pytest
from attack_kit import RBAC, Fleet

pytestmark = pytest.mark.real
NARROW = fleet_files.role("viewer", verbs=["get"])


@pytest.mark.parametrize(("by", "code"), [("dave", "FW1261"), ("github", "FW1260")])
@pytest.mark.parametrize("order", [(0, 1, 1), (1, 0, 0), (1, 1, 0), (1, 0, 1)])
def test_what_was_narrowed_comes_back(fleet: Fleet, by: str, code: str, order: tuple[int, ...]) -> None:
    old = fleet.good
    fleet.approve(fix := fleet.repo.commit({RBAC: NARROW}, by="alice"), "bob")
    assert fleet.accepted() == fix
    fleet.crafted(old, *((old, fix)[one] for one in order), by=by)
    (finding,) = fleet.refused(code)
    assert RBAC in f"{finding.message} {finding.got}"


def test_a_limit_comes_back(make: Callable[..., Fleet]) -> None:
    fleet = make(trust={"threshold": 2, "role": "security"}, limits={"maxDeletions": 50}, rules=[])
    old = fleet.good
    tight = {"federation.yaml": fleet.federation(limits={"maxDeletions": 1})}
    fleet.approve(fix := fleet.repo.commit(tight, by="alice"), "bob")
    assert fleet.accepted() == fix
    fleet.crafted(old, old, fix, fix, by="github")
    fleet.refused("FW1260")
    fleet.crafted(old, old, fix, fix, by="dave")
    fleet.refused("FW1261")
