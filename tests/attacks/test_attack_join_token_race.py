"""One token at the same instant, at two endpoints: processes of their own that share log and repository.

The log's compare-and-swap decides. One request wins; every other one, at the same endpoint or the other, is
told FW1743, and the log has one ``token-used`` and one ``member-joined`` for each token.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from attack_joins import sources
from attack_members import Plane
from join_asking import Answer, parse, post, prepared
from join_world import World, free_port

from reconciler.audit.entry import Entry
from reconciler.audit.log import Log
from reconciler.audit.state import LogState
from reconciler.pipeline.membership.door import Admission, Door
from reconciler.pipeline.membership.refused import TokenUsedError
from reconciler.surfaces.membership import door_ports, token_key

pytestmark = pytest.mark.real
ROUNDS, RACERS = 4, 6


def test_two_processes_and_one_token(world: World, a: Plane, b: Plane) -> None:
    prepared(a), prepared(b)
    address, other = sources(), free_port()
    with (
        world.serving() as one,
        world.serving("--port", str(other)) as two,
        ThreadPoolExecutor(RACERS) as pool,
    ):
        assert one.process.pid != two.process.pid
        ports = (one.port, two.port)
        for number in range(ROUNDS):
            token, start = world.token(), threading.Barrier(RACERS)
            asked = [
                (world.body((a, b)[n % 2], token, f"round-{number}-{n}"), ports[n // 2 % 2], next(address))
                for n in range(RACERS)
            ]

            def race(one: tuple[dict[str, object], int, str], start: threading.Barrier = start) -> Answer:
                body, port, source = one
                start.wait(30)
                return post(world, body, port=port, source=source)

            answers = sorted(pool.map(race, asked))
            assert answers == [(200, ""), *[(409, "FW1743")] * (RACERS - 1)], answers
            assert world.kinds("token-used", "member-joined") == ["token-used", "member-joined"] * (
                number + 1
            )
            made = world.fleet.repo.git("branch", "--list", "--format=%(refname:short)", "join/*").split()
            assert len(made) == 1
            world.fleet.repo.git("branch", "-q", "-D", *made)  # given up: the next round may join
    world.fleet.assert_log_whole()


class Overtaken:
    """A log that somebody else writes just before the first append."""

    def __init__(self, log: Log, other: Callable[[], object]) -> None:
        self._log, self._other = log, other

    def state(self) -> LogState:
        return self._log.state()

    def append(self, entries: Sequence[Entry]) -> None:
        self._other()
        self._log.append(entries)


def test_used_between_the_look_and_the_append(world: World, a: Plane, b: Plane) -> None:
    prepared(a), prepared(b)
    token = world.token()
    late, first = (parse(world.body(plane, token, name)) for plane, name in ((a, "late"), (b, "first")))
    with world.fleet.wiring() as wiring:
        ports = door_ports(wiring, token_key(world.fleet.settings), loopback=True)
        admitted: list[Admission] = []

        def overtake() -> None:
            if not admitted:
                admitted.append(asyncio.run(Door(ports).admit(first, "")))

        overtaken: Any = lambda: Overtaken(ports.open_log(), overtake)  # noqa: E731
        with pytest.raises(TokenUsedError):
            asyncio.run(Door(replace(ports, open_log=overtaken)).admit(late, ""))
    assert [one.cluster for one in admitted] == ["first"]
    assert world.kinds("token-used", "member-joined") == ["token-used", "member-joined"]
