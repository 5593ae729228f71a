"""One token at the same instant, at two endpoints: processes of their own that share log and repository.

The log's compare-and-swap decides. One request wins; every other one, at the same endpoint or the other, is
told FW1743, and the log has one ``token-used`` and one ``member-joined`` for each token.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from attack_joins import sources
from attack_members import Plane
from join_asking import Answer, post, prepared
from join_world import World, free_port

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
