"""A remote that is frozen shows: heartbeats over real Git."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import fleet_files
import pytest
from judging_kit import NOW, Team

from reconciler.errors import TrustError
from reconciler.pipeline.heartbeats import require_heartbeat
from reconciler.pipeline.stating import beat, federation_at
from reconciler.repository import Repository

ASKED = {"heartbeat": {"maxAge": "2h", "role": "sre"}}


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path, **ASKED)


def opened(team: Team) -> Repository:
    return Repository.open(str(team.repo.path), cache_dir=team.repo.root / "cache")


def said_by(team: Team, by: str, rev: str = "HEAD", life: float = 1, at: float = 0) -> None:
    """A heartbeat; ``life`` and ``at`` in hours."""
    team.signing(by)
    beat(opened(team), team.repo.path, rev, timedelta(hours=life), NOW + timedelta(hours=at))


def code(team: Team, head: str = "HEAD") -> str:
    repository = opened(team)
    try:
        federation = federation_at(repository, team.base)
        require_heartbeat(repository, federation, repository.resolve(head), NOW)
    except TrustError as error:
        assert error.hint
        return error.code
    return ""


def test_a_current_heartbeat_by_the_right_role_is_enough(team: Team) -> None:
    said_by(team, "carol")
    assert code(team) == ""
    team.repo.commit({"policies/manifests/x.yaml": fleet_files.config_map("x")})
    assert code(team) == ""  # the branch may have moved on since


def test_a_fleet_that_asks_for_none_needs_none(tmp_path: Path) -> None:
    assert code(Team(tmp_path)) == ""


def test_none_at_all_is_refused(team: Team) -> None:
    assert code(team) == "FW1265"


@pytest.mark.parametrize(("life", "at"), [(1, -1.5), (1, -1), (3, 0), (1e5, 0)], ids=str)
def test_one_that_expired_or_lives_too_long_is_none(team: Team, life: float, at: float) -> None:
    said_by(team, "carol", life=life, at=at)
    assert code(team) == "FW1265"


@pytest.mark.parametrize("by", ["alice", "github", "mallory"])
def test_one_by_somebody_without_the_role_is_none(team: Team, by: str) -> None:
    said_by(team, by)
    assert code(team) == "FW1265"


def test_a_head_that_lacks_what_the_heartbeat_saw_is_frozen(team: Team) -> None:
    old = team.repo.head()
    team.repo.commit({"policies/manifests/x.yaml": fleet_files.config_map("x")})
    said_by(team, "carol")
    assert code(team, old) == "FW1266"
    assert code(team) == ""


def test_a_heartbeat_of_another_ref_is_none(team: Team) -> None:
    team.repo.git("checkout", "-qb", "other")
    team.repo.commit({"federation.yaml": team.federation(ref="refs/heads/other", trust={"version": 2})})
    said_by(team, "carol")
    assert code(team, "main") == "FW1265"


def test_rubbish_beside_a_good_one_changes_nothing(team: Team) -> None:
    said_by(team, "carol")
    rubbish = team.repo.write_object("blob", b"x")
    team.repo.git("update-ref", "refs/fleetward/statements/heartbeat/a", rubbish)
    assert code(team) == ""
