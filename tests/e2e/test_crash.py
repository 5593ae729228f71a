"""``fleetward reconcile`` killed with SIGKILL anywhere: the next run converges, and the log stays whole.

The proxy kills the process before a request reaches the API server, or after the API server did it and
before the process learns of it. Around the log's own files the test watches the folder instead.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from itertools import count, islice
from pathlib import Path

import pytest
from e2e_proxy import FORWARD, Action, Cut, Forward, Proxy, Seen
from e2e_world import RECORDS, Fleet, Plane, manifest, states, until

from reconciler.audit.entry import Intent, Outcome, OutcomeResult
from reconciler.pipeline.run import MemberState

pytestmark = pytest.mark.real
SYNCED = MemberState.SYNCED
TRIES = 10
Process = subprocess.Popen[str]


def round_of(number: int) -> tuple[dict[str, str | bytes | None], dict[str, str]]:
    """A commit that updates two ConfigMaps, creates one and deletes another; and the data expected then."""
    files: dict[str, str | bytes | None] = {}
    for name in ("settings", "other"):
        files |= manifest(name, number=str(number))
    files |= manifest(f"round-{number}", x="1")
    if number:
        files[f"policies/manifests/round-{number - 1}.yaml"] = None
    return files, {"number": str(number)}


class Killing:
    """The rule that kills: ``when`` counts the writes (or all requests) that the member was sent."""

    def __init__(self, front: Proxy, *, after: bool, count: int, writes: bool = True) -> None:
        self.front, self.after, self.count, self.writes = front, after, count, writes
        self.process: Process | None = None

    def __call__(self, seen: Seen) -> Action:
        sent = self.front.writes if self.writes else self.front.seen
        if seen.writes is not self.writes or seen not in sent[self.count - 1 : self.count]:
            return FORWARD
        return Forward(edit=self.kill, answer=False) if self.after else self.cut()

    def cut(self) -> Action:
        self.kill(b"")
        return Cut()

    def kill(self, body: bytes) -> bytes:
        assert self.process
        self.process.kill()
        self.process.wait()
        return body


def run_and_kill(fleet: Fleet, killing: Killing) -> None:
    """Start, and come back when the process was killed."""
    killing.front.forget()
    with fleet.spawn("reconcile", "--yes", "--quiet") as process:
        killing.process = process
        killing.front.rule = killing
        out, err = process.communicate(timeout=60)
    killing.front.forget()
    assert process.returncode == -9, (killing.count, killing.after, out, err)


def converge(fleet: Fleet, number: int) -> None:
    """One run brings everything to the state of the last commit; the next has nothing to do."""
    assert fleet.reconcile().converged
    for plane in fleet.planes.values():
        assert (plane.data("settings"), plane.data("other")) == ({"number": str(number)},) * 2
        assert plane.data(f"round-{number}") == {"x": "1"}
        assert plane.data(f"round-{number - 1}") is None
        assert fleet.status()[plane.name].good
    fleet.assert_log_whole()
    size = len(fleet.entries())
    assert set(states(fleet.reconcile()).values()) == {SYNCED}
    assert len(fleet.entries()) == size


@pytest.fixture
def front(fleet: Fleet, proxy: Callable[[str], Proxy]) -> Proxy:
    """Member a behind a proxy; the first commit is trusted and not applied."""
    made = proxy("member-a")
    fleet.start(round_of(0)[0], fleet.registration("member-a", made.url))
    return made


def test_killed_in_the_first_apply(fleet: Fleet, front: Proxy) -> None:
    # Before the parent names the kinds; after it; in the middle of the objects.
    for killing in (
        Killing(front, after=False, count=1),
        Killing(front, after=True, count=1),
        Killing(front, after=True, count=4),
    ):
        run_and_kill(fleet, killing)
    converge(fleet, 0)


def test_killed_before_the_very_first_record(fleet: Fleet, front: Proxy, a: Plane) -> None:
    """All objects are as they should be, and nothing on the member says who put them there."""
    everything = 1 + 4 + 3  # what declares the kinds, the fleet's objects, the guard
    run_and_kill(fleet, Killing(front, after=False, count=everything + 1))
    assert "record" not in a.get(f"{RECORDS}/fleetward").get("binaryData", {})
    converge(fleet, 0)
    assert "record" in a.get(f"{RECORDS}/fleetward")["binaryData"]
    assert fleet.status()["member-a"].good


def test_killed_in_a_change(fleet: Fleet, front: Proxy) -> None:
    assert fleet.reconcile().converged
    points = [
        Killing(front, after=False, count=3, writes=False),  # while it looks: no intent yet
        Killing(front, after=False, count=1),  # the intent is durable, nothing was sent
        Killing(front, after=True, count=2),  # some objects
        Killing(front, after=False, count=4),  # before the deletion
        Killing(front, after=True, count=4),
        Killing(front, after=False, count=5),  # before the record
        Killing(front, after=True, count=5),  # the record is written, the outcome is not
    ]
    for number, killing in enumerate(points, 1):
        fleet.commit(round_of(number)[0])
        run_and_kill(fleet, killing)
        converge(fleet, number)
    entries = fleet.entries()
    found = [e.result for e in entries if isinstance(e, Outcome) and e.cluster == "member-a"]
    # The record proves the last one: it is not called interrupted, and nothing is applied twice.
    assert found[-1] is OutcomeResult.APPLIED
    assert found.count(OutcomeResult.INTERRUPTED) == len(points) - 2
    last = [e for e in entries if isinstance(e, Intent) and e.cluster == "member-a"]
    assert len(last) == 1 + 1 + 2 * (len(points) - 2) + 1


def test_killed_while_the_log_is_written(fleet: Fleet, front: Proxy) -> None:
    assert fleet.reconcile().converged
    rounds = count(1)
    for moment in (staging(1), staging(2), head(1), head(2), head(3)):
        tries = islice(rounds, TRIES)
        assert any(killed_at(fleet, moment, number) for number in tries), "the process was always faster"


def killed_at(fleet: Fleet, moment: Callable[[Path], Callable[[], bool]], number: int) -> bool:
    """Whether a run was killed at that moment. Some last a millisecond: there is no pause between looks."""
    fleet.commit(round_of(number)[0])
    condition = moment(fleet.log_folder)
    with fleet.spawn("reconcile", "--yes", "--quiet") as process:
        until(lambda: condition() or process.poll() is not None, "the log to be written", pause=0)
        process.kill()
        process.wait()
    converge(fleet, number)
    return process.returncode == -9


def head(count: int) -> Callable[[Path], Callable[[], bool]]:
    """The moment when the checkpoint was replaced for the ``count``-th time."""

    def watch(folder: Path) -> Callable[[], bool]:
        seen = [(folder / "checkpoint").read_bytes()]

        def changed() -> bool:
            now = (folder / "checkpoint").read_bytes()
            if now != seen[-1]:
                seen.append(now)
            return len(seen) > count

        return changed

    return watch


def staging(count: int) -> Callable[[Path], Callable[[], bool]]:
    """A moment in the ``count``-th append: files are staged, the checkpoint is the old one."""

    def watch(folder: Path) -> Callable[[], bool]:
        enough = head(count - 1)(folder) if count > 1 else lambda: True

        def staged() -> bool:
            return enough() and (folder / ".staging").exists() and any((folder / ".staging").iterdir())

        def quietly() -> bool:
            try:
                return staged()
            except FileNotFoundError:  # gone between two looks
                return False

        return quietly

    return watch


def test_no_opa_outlives_a_killed_run(fleet: Fleet, front: Proxy) -> None:
    children: list[int] = []

    class Noting(Killing):
        def kill(self, body: bytes) -> bytes:
            assert self.process
            tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
            children.extend(int(child) for task in tasks for child in task.read_text().split())
            return super().kill(body)

    run_and_kill(fleet, Noting(front, after=False, count=1))
    assert children
    until(lambda: not any(running(child) for child in children), "the gate's process to end")


def running(pid: int) -> bool:
    """Whether it runs: ended and not yet waited for is not running."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in ("Z", "X")


def test_a_second_run_after_a_kill_needs_no_new_commit(fleet: Fleet, front: Proxy, a: Plane) -> None:
    """The accepted commit may be in the log before anything was applied: it is applied all the same."""
    assert fleet.reconcile().converged
    fleet.commit(round_of(1)[0])
    run_and_kill(fleet, Killing(front, after=False, count=1))
    run = fleet.reconcile()
    assert (run.accepted_now, run.converged) == (False, True)
    assert a.data("settings") == {"number": "1"}
