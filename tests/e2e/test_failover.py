"""One of two ways to an API server breaks in the middle of an apply: nothing is lost, nothing done twice."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from e2e_proxy import FORWARD, Action, Canned, Cut, Forward, Proxy, Seen
from e2e_world import MAPS, Fleet, Plane, manifest, result, states
from tcp_front import TcpFront, Way
from test_audit_join_real import Watch, rows_of

from reconciler.audit.entry import Outcome, OutcomeResult
from reconciler.audit.outcomes import ObjectRow
from reconciler.pipeline.reconcile import Run, reconcile
from reconciler.pipeline.run import MemberState
from reconciler.plan import Allowances

pytestmark = pytest.mark.real
STEPS = 12
EACH = 4
ALLOW = Allowances(deletions=True)


@pytest.fixture
def watch(fleet: Fleet, a: Plane, tmp_path: Path) -> Watch:
    return Watch(a, tmp_path)


@pytest.fixture
def fronts() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def front(stack: ExitStack, plane: Plane) -> TcpFront:
    return stack.enter_context(TcpFront(int(plane.member.url.rpartition(":")[2])))


def maps(turn: int) -> dict[str, str | None]:
    """Per turn: four that change, four that are new, and the four of the turn before are gone."""
    files: dict[str, str | None] = {}
    for number in range(EACH):
        files |= manifest(f"kept-{number}", turn=str(turn))
        files |= manifest(f"new-{turn}-{number}", turn=str(turn))
        if turn:
            files |= {f"policies/manifests/new-{turn - 1}-{number}.yaml": None}
    return files


def run_with(fleet: Fleet, applying: TcpFront | None, way: Way, size: int) -> Run:
    """A run in which ``applying`` is armed when the apply begins."""

    def report(line: str) -> None:
        if applying is not None and line.startswith("member-a: applying"):
            applying.arm(way, size)

    with fleet.wiring() as wiring:
        members = replace(wiring.members(), report=report)
        return asyncio.run(
            reconcile(wiring.checks(), members, wiring.writes(), clusters=("member-a",), allow=ALLOW)
        )


def uids(plane: Plane) -> dict[str, str]:
    return {item["metadata"]["name"]: item["metadata"]["uid"] for item in plane.must("GET", MAPS)["items"]}


def forget_servers(fleet: Fleet) -> None:
    (fleet.settings.state / "contacts.json").unlink(missing_ok=True)


@pytest.mark.parametrize("way", ["up", "down"])
def test_at_every_step_of_an_apply(fleet: Fleet, a: Plane, watch: Watch, fronts: ExitStack, way: Way) -> None:
    """ "up": requests are cut; "down": they are done, and their answers are lost."""
    first, second = front(fronts, a), front(fronts, a)
    fleet.start(maps(0), fleet.registration("member-a", first.url, second.url))
    assert run_with(fleet, None, way, 0).converged
    # How much goes through while one turn is applied, whole.
    fleet.commit(maps(1))
    marks = {}

    def mark(line: str) -> None:
        if line.startswith("member-a: applying"):
            marks.update(first.sent)

    with fleet.wiring() as wiring:
        members = replace(wiring.members(), report=mark)
        work = reconcile(wiring.checks(), members, wiring.writes(), clusters=("member-a",), allow=ALLOW)
        assert asyncio.run(work).converged
    total = first.sent[way] - marks[way]
    assert total > 1000
    broken = 0
    for step in range(1, STEPS + 1):
        turn = step + 1
        before = uids(a)
        first = front(fronts, a)
        forget_servers(fleet)
        fleet.commit(maps(turn), fleet.registration("member-a", first.url, second.url))
        run = run_with(fleet, first, way, total * step // (STEPS + 1))
        broken += first.closed.is_set()
        assert_whole(fleet, a, run, before, turn)
    assert broken == STEPS
    fleet.assert_log_whole()
    assert_each_write_once(fleet, watch)
    assert_both_logs_agree(fleet, watch)


def assert_whole(fleet: Fleet, a: Plane, run: Run, before: dict[str, str], turn: int) -> None:
    """The run ended well, and the member is as the commit says it, with the same objects."""
    member = result(run, "member-a")
    assert (member.state, member.error) == (MemberState.APPLIED, ""), turn
    found = Counter(outcome.result.value for outcome in member.outcomes)
    assert (found["created"], found["deleted"]) == (EACH, EACH), (turn, found)
    assert found["updated"] >= EACH
    assert set(found) == {"created", "updated", "deleted"}, (turn, found)
    now = uids(a)
    for number in range(EACH):
        assert a.data(f"kept-{number}") == {"turn": str(turn)}
        assert now[f"kept-{number}"] == before[f"kept-{number}"]
        assert f"new-{turn - 1}-{number}" not in now
    for outcome in member.outcomes:
        if outcome.ref.kind == "ConfigMap" and outcome.result.value != "deleted":
            live = a.must("GET", f"{MAPS}/{outcome.ref.name}")["metadata"]
            assert (live["uid"], live["resourceVersion"]) == (outcome.uid, outcome.resource_version)
    assert fleet.outcomes("member-a")[-1].result is OutcomeResult.APPLIED
    assert states(run_with(fleet, None, "up", 0)) == {"member-a": MemberState.SYNCED}, turn


def assert_each_write_once(fleet: Fleet, watch: Watch) -> None:
    """Of every Audit-ID in the log the API server has one event that changed something, and no more."""
    rows = rows_of(fleet)
    ids = [row.audit_id for row in rows]
    assert len(ids) == len(set(ids))
    done: dict[str, Counter[str]] = {one: Counter() for one in ids}
    targets: dict[str, set[str]] = {one: set() for one in ids}
    strangers = []
    for line in watch.file().read_bytes().splitlines():
        event = json.loads(line)
        if "dryRun=All" in event["requestURI"] or event["stage"] != "ResponseComplete":
            continue
        reference, status = event.get("objectRef", {}), event["responseStatus"]["code"]
        if event["auditID"] in done:
            done[event["auditID"]][f"{event['verb']} {status}"] += 1
            targets[event["auditID"]].add(reference["name"])
        elif reference.get("namespace") == "default" and reference.get("name", "").startswith(
            ("new", "kept")
        ):
            strangers.append((event["verb"], reference["name"], status))
    assert strangers == [], "no write that the log does not name"
    for row in rows:
        assert_once(row, done[row.audit_id])
        assert targets[row.audit_id] == {row.object.rpartition("/")[2].rpartition(" ")[2]}


def assert_once(row: ObjectRow, events: Counter[str]) -> None:
    wanted = {"created": "patch 201", "updated": "patch 200", "deleted": "delete 200"}[row.result.value]
    # Where the client went away meanwhile, the server logs 504 for what it has done all the same.
    unsure = sum(number for event, number in events.items() if event.endswith(" 504"))
    assert events[wanted] == 1 or (events[wanted] == 0 and unsure), (row, events)
    # Whatever else there is changed nothing: a creation's repetition, and what was refused or broke off.
    others = {event for event in events if event.rpartition(" ")[2].startswith("2")} - {wanted}
    assert others <= ({"patch 200"} if row.result.value == "created" else set()), (row, events)


def assert_both_logs_agree(fleet: Fleet, watch: Watch) -> None:
    joined = watch.join(fleet)
    assert joined.findings == ()
    assert (joined.share, joined.missing, joined.unproven, joined.not_covered) == (1.0, 0, 0, 0)


LOST: dict[str, Action] = {
    "before": Cut(), "after": Forward(answer=False), "half": Forward(keep=0.5), "502": Canned(502)
}  # fmt: skip


@pytest.mark.parametrize("lost", LOST)
def test_every_single_request_of_an_apply(
    sandbox_proxy: Proxy, fleet: Fleet, a: Plane, watch: Watch, lost: str
) -> None:
    """Each write in turn fails once at the first URL, and with it the way; the second URL takes over."""
    number, reached, turn = 0, True, 0
    fleet.start(maps(0), fleet.registration("member-a", sandbox_proxy.url, a.member.url))
    assert run_with(fleet, None, "up", 0).converged
    while reached:
        number, turn = number + 1, turn + 1
        before = uids(a)
        sandbox_proxy.forget()
        forget_servers(fleet)
        sandbox_proxy.rule = lambda seen, n=number: rule(sandbox_proxy, seen, n, LOST[lost])
        fleet.commit(maps(turn))
        run = run_with(fleet, None, "up", 0)
        reached = len(sandbox_proxy.writes) >= number
        sandbox_proxy.forget()
        assert_whole(fleet, a, run, before, turn)
    assert number > 3 * EACH
    fleet.assert_log_whole()
    assert_each_write_once(fleet, watch)
    assert_both_logs_agree(fleet, watch)


def rule(proxy: Proxy, seen: Seen, number: int, action: Action) -> Action:
    """The ``number``-th write gets ``action``, what comes after it no answer at all."""
    writes = [one.number for one in proxy.writes]
    if len(writes) < number or seen.number < writes[number - 1]:
        return FORWARD
    return action if seen.number == writes[number - 1] else Cut()


@pytest.fixture
def sandbox_proxy(sandbox: object, planes: dict[str, Plane]) -> Iterator[Proxy]:
    with Proxy(sandbox, "member-a") as proxy:  # type: ignore[arg-type]
        yield proxy


def test_one_intent_and_one_outcome_for_each(fleet: Fleet, a: Plane, fronts: ExitStack) -> None:
    """A failed way is remembered: the next run begins at the other one, and shows it."""
    first, second = front(fronts, a), front(fronts, a)
    fleet.start(maps(0), fleet.registration("member-a", first.url, second.url))
    run = run_with(fleet, first, "up", 500)
    assert run.converged
    assert first.closed.is_set()
    assert len([e for e in fleet.entries() if isinstance(e, Outcome)]) == 1
    reached = second.sent["up"]
    assert states(run_with(fleet, None, "up", 0)) == {"member-a": MemberState.SYNCED}
    assert second.sent["up"] > reached
    shown = fleet.run("cluster", "show", "member-a")
    assert shown.returncode == 0, shown.stderr
    broken, well = [line for line in shown.stdout.splitlines() if "https://127.0.0.1" in line]
    assert f"{first.url}  failing since " in broken
    assert "with FW17" in broken
    assert f"{second.url}  healthy since " in well
    endpoints = json.loads(fleet.run("cluster", "show", "member-a", "-o", "json").stdout)["endpoints"]
    assert [(one["url"], one["healthy"]) for one in endpoints] == [(first.url, False), (second.url, True)]
    assert endpoints[0]["code"].startswith("FW17")
