"""The reconciler's key in a living fleet: reading without it, and what the runbook says of each change."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from e2e_world import RECORDS, Fleet, Plane, manifest, states, until

from reconciler.pipeline.run import MemberState
from reconciler.surfaces.settings import Settings

pytestmark = pytest.mark.real


class Reader(Fleet):
    """Another machine: no state of the reconciler but its public key."""

    public_key = ""

    @property
    def settings(self) -> Settings:
        return replace(super().settings, public_key=self.public_key)

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"FLEETWARD_PUBLIC_KEY": self.public_key}


@pytest.fixture
def applied(fleet: Fleet) -> Fleet:
    fleet.start()
    assert fleet.reconcile().converged
    return fleet


def reader_of(fleet: Fleet, tmp_path: Path) -> Reader:
    made = Reader(fleet.repo, fleet.planes, fleet.shared, tmp_path / "reader", log=str(fleet.log_folder))
    made.public_key = (fleet.settings.state / "reconciler.pub").read_text().strip()
    return made


def rotate(fleet: Fleet, *options: str) -> str:
    """The new vkey."""
    done = fleet.run("key", "rotate", "--output", "json", *options)
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["new"])


def statuses(fleet: Fleet) -> dict[str, str]:
    """What ``fleetward status`` prints: every member's health."""
    done = fleet.run("status", "--output", "json", "--quiet")
    assert done.returncode in (0, 1), done.stderr
    return {one["cluster"]: one["health"] for one in json.loads(done.stdout)}


def record(plane: Plane) -> str:
    return str(plane.get(f"{RECORDS}/fleetward")["binaryData"]["record"])


def test_status_plan_and_audit_need_the_public_key_alone(applied: Fleet, tmp_path: Path) -> None:
    reader = reader_of(applied, tmp_path)
    assert set(statuses(reader).values()) == {"synced"}
    assert reader.run("plan").returncode == 0
    assert reader.run("audit", "verify").returncode == 0
    applied.commit(manifest("settings", colour="green"))
    assert reader.run("plan").returncode == 1
    refused = reader.run("reconcile", "--yes")
    assert (refused.returncode, "FW1001" in refused.stderr) == (2, True), refused.stderr
    reader.public_key = ""
    assert reader.run("plan").returncode == 2
    assert not list(reader.settings.state.glob("reconciler.*"))


def test_a_rotation_is_not_felt_by_anybody(applied: Fleet, a: Plane, tmp_path: Path) -> None:
    reader, before = reader_of(applied, tmp_path), record(a)
    rotate(applied)
    assert record(a) == before, "the old key's record is believed as it is"
    assert set(statuses(applied).values()) == {"synced"}
    assert set(statuses(reader).values()) == {"synced"}, "who pinned the first key follows the log"
    assert set(states(applied.reconcile()).values()) == {MemberState.SYNCED}
    applied.commit(manifest("settings", colour="green"))
    assert applied.reconcile().converged
    assert record(a) != before
    assert set(statuses(reader).values()) == {"synced"}
    applied.assert_log_whole()


def test_after_a_compromise_members_are_looked_at_again(applied: Fleet, a: Plane, b: Plane) -> None:
    new = rotate(applied, "--compromised")
    applied.commit(manifest("settings", colour="green"))
    run = applied.reconcile()
    assert set(states(run).values()) == {MemberState.FAILED}
    assert all("FW1720" in member.error for member in run.members), "a thief's record is not believed"
    for plane in (a, b):  # as the runbook says, in 'The record on a member cannot be believed'
        plane.unguard()
        plane.by_hand("PATCH", f"{RECORDS}/fleetward", {"binaryData": None})
    for contact in applied.settings.state.glob("contacts.json"):
        contact.unlink()  # they are asked again at once
    assert applied.reconcile().converged
    assert set(statuses(applied).values()) == {"synced"}
    assert {plane.data("settings")["colour"] for plane in (a, b)} == {"green"}  # type: ignore[index]
    assert new in applied.run("key", "show").stdout
    applied.assert_log_whole()


def test_a_lost_key_costs_no_member_anything(applied: Fleet, tmp_path: Path) -> None:
    reader = reader_of(applied, tmp_path)
    (applied.settings.state / "reconciler.key").unlink()
    assert applied.run("reconcile", "--yes").returncode == 2
    new = rotate(applied, "--lost")
    applied.commit(manifest("settings", colour="green"))
    assert applied.reconcile().converged
    told = reader.run("status")
    assert (told.returncode, new in told.stderr) == (2, True), told.stderr
    reader.public_key = new
    until(lambda: set(statuses(reader).values()) == {"synced"}, "the reader to see what was applied")
    applied.assert_log_whole()
