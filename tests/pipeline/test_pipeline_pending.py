"""Joins that wait: known from the log, shown while their branch is there in a real repository."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from git_fixtures import FleetRepo

from reconciler.audit.membership import Joined, JoinToken, Membership
from reconciler.audit.state import LogState
from reconciler.pipeline.membership.pending import pending_joins
from reconciler.pipeline.standings import SHOWN, outside
from reconciler.pipeline.states import Departed, MemberState, Proposed
from reconciler.repository import Repository

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BRANCH = "refs/heads/join/edge-1"


@pytest.fixture
def repo(tmp_path: Path) -> FleetRepo:
    made = FleetRepo(tmp_path)
    made.commit({"federation.yaml": "a"})
    return made


def look(repo: FleetRepo, membership: Membership, *registered: str) -> tuple[Proposed, ...]:
    return pending_joins(membership, Repository.open(str(repo.path), cache_dir=repo.path), registered, NOON)


def joined(**names: str) -> Membership:
    made = {
        name.replace("_", "-"): Joined(
            4, uid, "c" * 40, f"refs/heads/join/{name.replace('_', '-')}", "t", NOON
        )
        for name, uid in names.items()
    }
    return Membership(joined=made)


def used(name: str, *, life: timedelta = timedelta(hours=1), key: str = "t") -> Membership:
    token = JoinToken("", (), NOON - timedelta(minutes=5), NOON + life, used_by=name, used_uid="uid-2")
    return Membership(tokens={key: token})


def test_a_proposal_is_shown_until_it_is_merged_or_its_branch_is_deleted(repo: FleetRepo) -> None:
    repo.git("branch", "join/edge-1")
    found = look(repo, joined(edge_1="uid-1"))
    assert found == (Proposed("edge-1", "uid-1", BRANCH, NOON),)
    assert look(repo, joined(edge_1="uid-1"), "edge-1") == ()
    repo.git("branch", "-D", "join/edge-1")
    assert look(repo, joined(edge_1="uid-1")) == ()


def test_a_join_that_has_not_ended_is_shown_as_long_as_it_can(repo: FleetRepo) -> None:
    assert look(repo, used("edge-1")) == (Proposed("edge-1", "uid-2", "", None),)
    assert look(repo, used("edge-1", life=timedelta(0))) == ()
    repo.git("branch", "join/edge-1")
    assert look(repo, used("edge-1")) == (Proposed("edge-1", "uid-2", BRANCH, None),)
    ended = Membership(tokens=used("edge-1").tokens, joined=joined(edge_1="uid-2").joined)
    assert look(repo, ended) == (Proposed("edge-1", "uid-2", BRANCH, NOON),)
    repo.git("branch", "-D", "join/edge-1")
    assert look(repo, ended) == (), "given up: the token is used up"
    again = Membership(tokens=used("edge-1", key="other").tokens, joined=ended.joined)
    assert look(repo, again) == (Proposed("edge-1", "uid-2", "", None),)


def test_a_join_that_proposed_nothing_is_not_pending_for_ever(repo: FleetRepo) -> None:
    """Registered beforehand or at once, and removed since: the branch in the log is the fleet's own."""
    made = Joined(4, "uid-1", "c" * 40, "refs/heads/main", "t", NOON)
    assert look(repo, Membership(joined={"edge-1": made})) == ()
    again = Membership(tokens=used("edge-1", key="other").tokens, joined={"edge-1": made})
    assert look(repo, again) == (Proposed("edge-1", "uid-2", "", None),)


def test_who_is_no_member_is_listed_by_name_and_the_gone_for_a_while() -> None:
    proposed = Proposed("edge-2", "uid", BRANCH, NOON)
    gone = {
        "edge-1": Departed(MemberState.KICKED, NOON - SHOWN / 2, "sold"),
        "edge-3": Departed(MemberState.LEFT, NOON - SHOWN),
        "member": Departed(MemberState.LEFT, NOON),
    }
    found = outside(LogState(), [proposed], gone, ["member"], NOON)
    assert [(name, one.state) for name, one in found.items()] == [
        ("edge-1", MemberState.KICKED), ("edge-2", MemberState.PENDING),
    ]  # fmt: skip
