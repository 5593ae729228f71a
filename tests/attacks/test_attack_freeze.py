"""Freeze: somebody between forge and reconciler keeps showing an old state, so that a fix never arrives.

Everything shown is well signed. A signed heartbeat with an expiry is what an old state cannot have.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from attack_kit import PEOPLE, Fleet

pytestmark = pytest.mark.real
BEAT = {"heartbeat": {"maxAge": "1h", "role": "clock"}}
CURRENT = "refs/fleetward/statements/heartbeat/current"


@pytest.fixture
def fleet(make: Callable[..., Fleet]) -> Fleet:
    """A fleet that asks for a heartbeat by the forge's job, with a current one."""
    made = make(trust=BEAT, people={**PEOPLE, "job": ["clock"]})
    made.beat(made.good, "job")
    made.reconcile()
    return made


def later(fleet: Fleet, by: timedelta) -> None:
    now = fleet.clock() + by
    fleet.clock = lambda: now


def test_an_expired_heartbeat(fleet: Fleet) -> None:
    later(fleet, timedelta(minutes=40))
    (finding,) = fleet.refused("FW1265")
    assert "expired" in finding.got
    fleet.beat(fleet.good, "job")
    fleet.reconcile()


def test_no_heartbeat_at_all(fleet: Fleet) -> None:
    fleet.repo.git("update-ref", "-d", CURRENT)
    fleet.refused("FW1265")


def test_a_state_older_than_its_heartbeat(fleet: Fleet) -> None:
    """The ref is held back; the heartbeat beside it was not."""
    fix = fleet.change("fix")
    fleet.beat(fix, "job")
    fleet.move(fleet.good)
    (finding,) = fleet.refused("FW1266")
    assert fix in finding.expected
    fleet.move(fix)
    fleet.accepted()


def test_a_heartbeat_of_a_commit_that_is_withheld(fleet: Fleet) -> None:
    """Not even the objects of the newer state are shown."""
    fix = fleet.change("fix")
    fleet.beat(fix, "job")
    fleet.move(fleet.good)
    fleet.repo.git("reflog", "expire", "--expire=all", "--all")
    name = fleet.repo.path / ".git/objects" / fix[:2] / fix[2:]
    name.unlink()
    fleet.refused("FW1266")


def test_an_old_heartbeat_that_is_replayed(fleet: Fleet) -> None:
    """Its ref is written again, under the same name and others; its expiry is in what was signed."""
    old = fleet.repo.head(CURRENT)
    later(fleet, timedelta(hours=2))
    for name in ("current", "again"):
        fleet.repo.git("update-ref", f"refs/fleetward/statements/heartbeat/{name}", old)
    fleet.refused("FW1265")


def test_a_heartbeat_that_would_live_for_years(fleet: Fleet) -> None:
    fleet.beat(fleet.good, "job", timedelta(days=3650))
    fleet.refused("FW1265")


@pytest.mark.parametrize("by", ["alice", "github", "mallory"])
def test_a_heartbeat_by_somebody_else(fleet: Fleet, by: str) -> None:
    fleet.beat(fleet.good, by)
    fleet.refused("FW1265")


@pytest.mark.parametrize("said", [{"ref": "refs/heads/release"}, {"repository": "other-fleet"}])
def test_a_heartbeat_of_another_place(fleet: Fleet, said: dict[str, str]) -> None:
    fleet.beat(fleet.good, "job", **said)
    fleet.refused("FW1265")


def test_a_heartbeat_that_was_altered(fleet: Fleet) -> None:
    raw = fleet.repo.git("cat-file", "tag", CURRENT)
    longer = re.sub('"expires":"([0-9]{4})', lambda found: f'"expires":"{int(found[1]) + 1}', raw)
    assert longer != raw
    fleet.repo.git("update-ref", CURRENT, fleet.repo.write_object("tag", longer.encode()))
    fleet.refused("FW1265")


def test_an_approval_is_no_heartbeat(fleet: Fleet) -> None:
    fleet.repo.git("update-ref", CURRENT, fleet.approve(fleet.good, "job", base="0" * 40))
    fleet.refused("FW1265")


def test_a_commit_cannot_switch_the_heartbeat_off_for_itself(fleet: Fleet) -> None:
    people = {**PEOPLE, "job": ["clock"]}
    trust = {"version": 2}
    fleet.repo.commit({"federation.yaml": fleet.federation(people, trust=trust)})
    later(fleet, timedelta(hours=2))
    fleet.refused("FW1265")


def test_a_second_freeze_of_another_kind_is_logged_too(fleet: Fleet) -> None:
    """The same commit, one finding each time: the log has to have both reasons."""
    fix = fleet.change("fix")
    fleet.move(fleet.good)
    fleet.repo.git("update-ref", "-d", CURRENT)
    fleet.refused("FW1265")
    fleet.beat(fix, "job")
    fleet.refused("FW1266")
