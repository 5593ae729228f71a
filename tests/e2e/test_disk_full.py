"""No room for the log: what cannot be logged is not done.

The size that a file of the running process may grow to is set, at a chosen moment, to nothing: every write
to the log then fails as on a full disk.
"""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable

import pytest
from e2e_proxy import FORWARD, Action, Forward, Proxy, Seen
from e2e_world import Fleet, Plane, manifest, states

from reconciler.audit.entry import Intent, Outcome, OutcomeResult
from reconciler.pipeline.run import MemberState

pytestmark = pytest.mark.real


class Filling:
    """Forwards, and fills the disk of ``process`` when ``when`` says so."""

    def __init__(self, when: Callable[[Seen], bool]) -> None:
        self.when = when
        self.process: subprocess.Popen[str] | None = None

    def __call__(self, seen: Seen) -> Action:
        return Forward(edit=self.fill) if self.when(seen) else FORWARD

    def fill(self, body: bytes) -> bytes:
        assert self.process
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (0, 0))
        return body


def run_and_fill(fleet: Fleet, front: Proxy, filling: Filling) -> subprocess.CompletedProcess[str]:
    front.forget()
    with fleet.spawn("reconcile", "--yes", "--quiet") as process:
        filling.process = process
        front.rule = filling
        out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess([], process.returncode, out, err)


@pytest.fixture
def front(fleet: Fleet, proxy: Callable[[str], Proxy]) -> Proxy:
    """Member a alone, behind a proxy, with a change waiting."""
    made = proxy("member-a")
    fleet.start(fleet.registration("member-a", made.url), fleet.registration("member-b", suspend=True))
    assert fleet.reconcile().converged
    fleet.commit(manifest("settings", colour="green"))
    return made


def test_without_an_intent_nothing_is_applied(fleet: Fleet, a: Plane, front: Proxy) -> None:
    before, size = a.versions(), len(fleet.entries())
    done = run_and_fill(fleet, front, Filling(lambda seen: "labelSelector" in seen.path))
    assert done.returncode == 2, done.stdout + done.stderr
    assert "FW1806" in done.stderr
    assert "Traceback" not in done.stderr
    assert (front.writes, a.versions()) == ([], before)
    assert len(fleet.entries()) == size
    front.forget()
    assert states(fleet.reconcile())["member-a"] is MemberState.APPLIED
    assert a.data("settings") == {"colour": "green"}
    fleet.assert_log_whole()


def test_a_full_disk_from_the_start_touches_nobody(fleet: Fleet, a: Plane, front: Proxy) -> None:
    before, size = a.versions(), len(fleet.entries())
    command = ["prlimit", "--fsize=0", *map(str, fleet.command("reconcile", "--yes"))]
    done = subprocess.run(
        command, env=fleet.environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "error FW" in done.stderr
    assert "FW1000" not in done.stderr
    assert (a.versions(), len(fleet.entries())) == (before, size)
    assert states(fleet.reconcile())["member-a"] is MemberState.APPLIED


def test_an_outcome_that_cannot_be_logged_is_settled_by_the_record(
    fleet: Fleet, a: Plane, front: Proxy
) -> None:
    done = run_and_fill(fleet, front, Filling(lambda seen: seen.method == "PUT"))
    assert (done.returncode, "FW1806" in done.stderr) == (2, True), done.stdout + done.stderr
    assert a.data("settings") == {"colour": "green"}
    assert isinstance(fleet.entries()[-1], Intent)
    assert states(fleet.reconcile())["member-a"] is MemberState.SYNCED
    last = fleet.entries()[-1]
    assert isinstance(last, Outcome)
    assert last.result is OutcomeResult.APPLIED
    fleet.assert_log_whole()
