"""An API server that goes bad in the middle of an apply: the log says so, and the next run converges."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from e2e_proxy import FORWARD, Action, Canned, Cut, Forward, Proxy, Seen
from e2e_world import Fleet, Plane, manifest, states

from reconciler.audit.entry import OutcomeResult
from reconciler.pipeline.run import MemberState

pytestmark = pytest.mark.real
NAMES = [f"map-{number}" for number in range(4)]
FAULTS: dict[str, Action] = {
    "500": Canned(500),
    "garbage": Canned(200, b"\x00<html>", "text/html"),
    "not an object": Canned(200, b"[1]"),
    "403": Canned(403),
    "cut before": Cut(),
    "cut after": Forward(answer=False),
    "half an answer": Forward(keep=0.5),
}


def maps(value: str) -> dict[str, str]:
    return {path: text for name in NAMES for path, text in manifest(name, value=value).items()}


def assert_converges(fleet: Fleet, value: str) -> None:
    run = fleet.reconcile()
    assert run.converged
    for plane in fleet.planes.values():
        assert [plane.data(name) for name in NAMES] == [{"value": value}] * len(NAMES)
    assert set(states(fleet.reconcile()).values()) == {MemberState.SYNCED}
    assert fleet.outcomes("member-a")[-1].result is OutcomeResult.APPLIED
    fleet.assert_log_whole()


@pytest.mark.parametrize("fault", FAULTS)
def test_from_the_third_write_on(fleet: Fleet, proxy: Callable[[str], Proxy], fault: str) -> None:
    front = proxy("member-a")
    fleet.start(maps("1"), fleet.registration("member-a", front.url))
    assert fleet.reconcile().converged
    fleet.commit(maps("2"))
    front.forget()

    def rule(seen: Seen) -> Action:
        return FAULTS[fault] if seen.writes and seen not in front.writes[:2] else FORWARD

    front.rule = rule
    assert states(fleet.reconcile()) == {"member-a": MemberState.FAILED, "member-b": MemberState.APPLIED}
    outcome = fleet.outcomes("member-a")[-1]
    assert outcome.result is OutcomeResult.FAILED
    assert outcome.error
    status = fleet.status()["member-a"]
    assert not status.good
    front.forget()
    assert_converges(fleet, "2")


SHAPES = (b"[1]", b"{}", b"null", b'{"metadata":[]}', b'{"metadata":{},"items":[1]}', b'{"status":[]}')


@pytest.mark.parametrize("shape", SHAPES)
def test_json_of_any_other_shape_fails_the_member_alone(
    fleet: Fleet, proxy: Callable[[str], Proxy], shape: bytes
) -> None:
    """Whichever request is answered so, the run goes on, and another run puts it right."""
    front = proxy("member-a")
    fleet.start(maps("1"), fleet.registration("member-a", front.url))
    now = datetime(2030, 1, 1, tzinfo=UTC)
    number, reached = 0, True
    while reached:
        number += 1
        now += timedelta(hours=2)  # whatever the circuit breaker thinks
        front.forget()
        front.rule = lambda seen, n=number: Canned(200, shape) if seen.number == n else FORWARD
        run = fleet.reconcile(now=lambda moment=now: moment)
        assert states(run)["member-b"] in (MemberState.APPLIED, MemberState.SYNCED), number
        reached = len(front.seen) >= number
        fleet.assert_log_whole()
    assert number > 8
    front.forget()
    assert_converges(fleet, "1")


def test_a_control_plane_that_stops_in_the_middle(
    fleet: Fleet, a: Plane, proxy: Callable[[str], Proxy]
) -> None:
    """One answer in the middle of the apply is lost and everything after it: as when a host goes away."""
    front = proxy("member-a")
    fleet.start(maps("1"), fleet.registration("member-a", front.url))
    assert fleet.reconcile().converged
    fleet.commit(maps("2"))
    front.forget()
    front.rule = lambda _seen: Cut() if len(front.writes) > 1 else FORWARD
    assert states(fleet.reconcile()) == {"member-a": MemberState.FAILED, "member-b": MemberState.APPLIED}
    # Gone for the next run too, which must not touch the log's open ends wrongly.
    assert states(fleet.reconcile())["member-a"] is MemberState.UNREACHABLE
    front.forget()
    assert_converges(fleet, "2")


def test_a_fault_that_passes_is_retried_within_the_run(fleet: Fleet, proxy: Callable[[str], Proxy]) -> None:
    front = proxy("member-a")
    fleet.start(maps("1"), fleet.registration("member-a", front.url))
    faults = [Canned(503), Cut(), Canned(429)]

    def rule(seen: Seen) -> Action:
        return faults.pop() if seen.writes and faults else FORWARD

    front.rule = rule
    assert fleet.reconcile().converged
    assert faults == []
    assert_converges(fleet, "1")
