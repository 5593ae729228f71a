"""A log that was lost, rolled back, exchanged or shared: the run stops, and members stay as they are."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from e2e_proxy import FORWARD, Action, Proxy, Seen
from e2e_world import Fleet, Plane, manifest, states, until
from git_fixtures import FleetRepo

from reconciler.audit.codes import LogBehindError, LogConflictError, LogDamagedError
from reconciler.audit.entry import CommitRefused, Intent
from reconciler.errors import AuditError
from reconciler.pipeline.accepting import TeleportError, UninitializedError
from reconciler.pipeline.run import MemberState
from reconciler.repository import NotDescendantError

pytestmark = pytest.mark.real
ProxyOf = Callable[[str], Proxy]


@pytest.fixture
def applied(fleet: Fleet) -> Fleet:
    """A fleet that was applied, with a change waiting."""
    fleet.start()
    assert fleet.reconcile().converged
    fleet.commit(manifest("settings", colour="green"))
    return fleet


def forget(fleet: Fleet) -> None:
    """What this machine remembers besides the log."""
    (fleet.settings.state / "log-state.json").unlink()


def test_a_lost_log_is_noticed_by_what_the_machine_remembers(applied: Fleet, a: Plane, b: Plane) -> None:
    before = a.versions() | b.versions()
    shutil.rmtree(applied.log_folder)
    done = applied.run("reconcile", "--yes")
    assert (done.returncode, "FW1810" in done.stderr) == (2, True), done.stderr
    assert "the log is shorter than it was" in done.stderr, "before any member was asked"
    assert a.versions() | b.versions() == before


def test_a_lost_log_is_not_begun_anew_by_a_run(applied: Fleet, a: Plane, b: Plane) -> None:
    before = a.versions() | b.versions()
    shutil.rmtree(applied.log_folder)
    forget(applied)
    with pytest.raises(UninitializedError):
        applied.reconcile()
    # Not even when a person trusts the commit again: the members' records know better.
    applied.trust(applied.repo.head())
    with pytest.raises(LogBehindError):
        applied.reconcile()
    assert [e for e in applied.entries() if isinstance(e, Intent)] == []
    assert a.versions() | b.versions() == before


@pytest.mark.parametrize("missing", ["checkpoint", "tile"])
def test_a_log_with_a_file_missing_stops_the_run(applied: Fleet, a: Plane, b: Plane, missing: str) -> None:
    before = a.versions() | b.versions()
    path = applied.log_folder / missing
    path.unlink() if path.is_file() else shutil.rmtree(path)
    with pytest.raises(LogDamagedError):
        applied.reconcile()
    assert a.versions() | b.versions() == before


def test_one_member_that_proves_a_rollback_stops_the_run_for_all(
    fleet: Fleet, a: Plane, b: Plane, tmp_path: Path, proxy: ProxyOf
) -> None:
    """Only member b has seen what was rolled back; member a alone would believe the log."""
    front, other = proxy("member-b"), proxy("member-a")
    fleet.start(fleet.registration("member-b", front.url), fleet.registration("member-a", other.url))
    assert fleet.reconcile().converged
    shutil.copytree(fleet.log_folder, tmp_path / "backup")
    fleet.commit(manifest("only-b", ["member-b"], x="1"))
    assert fleet.reconcile().converged
    shutil.rmtree(fleet.log_folder)
    shutil.copytree(tmp_path / "backup", fleet.log_folder)
    with pytest.raises(LogBehindError):
        fleet.reconcile()  # by what the machine remembers
    forget(fleet)
    fleet.commit(manifest("settings", colour="green"))
    before = a.versions() | b.versions()

    other.forget()

    def behind_the_others(_seen: Seen) -> Action:
        until(lambda: any("labelSelector" in seen.path for seen in other.seen), "a look at member a")
        return FORWARD

    front.rule = behind_the_others
    with pytest.raises(LogBehindError) as caught:
        fleet.reconcile()
    assert caught.value.where == "member-b"
    assert other.writes == []
    assert a.versions() | b.versions() == before


def test_another_repository_cannot_go_on_with_the_log(applied: Fleet, a: Plane, tmp_path: Path) -> None:
    before = a.versions()
    other = FleetRepo(tmp_path / "elsewhere")
    shutil.rmtree(other.path)
    shutil.copytree(applied.repo.path, other.path)  # the very same commits, at another place
    with pytest.raises(TeleportError):
        replace(applied, location=str(other.path)).reconcile()
    assert a.versions() == before


def test_a_ref_that_moved_back_is_refused(applied: Fleet, a: Plane, b: Plane) -> None:
    assert applied.reconcile().converged
    before = a.versions() | b.versions()
    head = applied.repo.head()
    applied.repo.git("reset", "--quiet", "--hard", "HEAD~1")
    for _ in range(2):
        with pytest.raises(NotDescendantError):
            applied.reconcile()
    assert a.versions() | b.versions() == before
    (refused,) = [e for e in applied.entries() if isinstance(e, CommitRefused)]
    assert (refused.commit, refused.previous) == (applied.repo.head(), head)
    applied.repo.git("reset", "--quiet", "--hard", head)
    assert set(states(applied.reconcile()).values()) == {MemberState.SYNCED}


def test_two_runs_at_once_do_everything_once(fleet: Fleet, a: Plane, b: Plane, proxy: ProxyOf) -> None:
    front = proxy("member-a")
    fleet.start(fleet.registration("member-a", front.url))
    assert fleet.reconcile().converged
    fleet.commit(manifest("settings", colour="green"), manifest("more", x="1"))
    both = threading.Barrier(2)
    asked: list[int] = []

    def together(seen: Seen) -> Action:
        if "selfsubjectreviews" in seen.path and len(asked) < 2:
            asked.append(seen.number)
            both.wait(60)
        return FORWARD

    front.forget()
    front.rule = together
    with fleet.spawn("reconcile", "--yes", "-q") as one, fleet.spawn("reconcile", "--yes", "-q") as other:
        said = [process.communicate(timeout=90)[1] for process in (one, other)]
    ends = sorted([one.returncode, other.returncode])
    assert ends in ([0, 0], [0, 2]), said
    assert ends == [0, 0] or "FW1804" in "".join(said)
    assert (a.data("settings"), b.data("settings")) == ({"colour": "green"}, {"colour": "green"})
    intents = [e for e in fleet.entries() if isinstance(e, Intent)]
    assert len(intents) == 4, "one a member and commit"
    fleet.assert_log_whole()
    assert set(states(fleet.reconcile()).values()) == {MemberState.SYNCED}


def test_a_run_that_was_overtaken_says_so(fleet: Fleet, a: Plane, proxy: ProxyOf) -> None:
    """While one run waits for a member, another does all the work: that is no rolled-back log."""
    front = proxy("member-a")
    fleet.start(fleet.registration("member-a", front.url))
    assert fleet.reconcile().converged
    fleet.commit(manifest("settings", colour="green"))
    inner: list[bool] = []

    def overtaken(seen: Seen) -> Action:
        if not inner:
            inner.append(False)
            inner[0] = fleet.reconcile().converged
        return FORWARD

    front.rule = overtaken
    with pytest.raises(AuditError) as caught:
        fleet.reconcile("member-a")
    assert isinstance(caught.value, LogConflictError)
    assert inner == [True]
    assert a.data("settings") == {"colour": "green"}
    fleet.assert_log_whole()
