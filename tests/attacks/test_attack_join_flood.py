"""Ten thousand requests: from one address and from hundreds, good JSON and bad, with tokens and without.

What one address may ask is bounded, and so is what all of them cost: the log counts the refusals in a few
entries (``join-refused``), none is lost, memory does not grow with their number, and a good join afterwards
is answered.
"""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from attack_joins import memory, nothing_joined, sources
from attack_members import Plane
from join_asking import code_of, context, post, prepared
from join_world import World, claims_of

from reconciler.audit.entry import JoinRefused
from reconciler.pipeline.membership.refusals import WINDOW

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
REQUESTS, THREADS, ADDRESSES = 10_000, 4, 200


def test_ten_thousand(world: World, b: Plane) -> None:
    prepared(b)
    good = world.body(b, world.token(), "member-b")
    bodies = [b"{}", json.dumps({**good, "token": "a.b.c"}).encode()]
    bodies += [json.dumps({**good, "token": "a.b.c", "name": f"name-{n}"}).encode() for n in range(100)]
    secure, lock = context(world), threading.Lock()
    some = list(itertools.islice(sources(), 1, ADDRESSES))
    codes: dict[str, int] = {}

    def ask(number: int) -> None:
        source = "127.0.0.77" if number % 2 else some[number // 2 % len(some)]
        one = http.client.HTTPSConnection(
            "127.0.0.1", world.port, timeout=60, context=secure, source_address=(source, 0)
        )
        try:
            one.request("POST", "/v1/join", bodies[number % len(bodies)])
            code = code_of(one.getresponse().read())
        finally:
            one.close()
        with lock:
            codes[code] = codes.get(code, 0) + 1

    began = time.monotonic()
    with world.serving() as endpoint:
        pid = endpoint.process.pid
        entries = len(world.entries())
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(ask, range(500)))
            before = memory(pid)
            list(pool.map(ask, range(500, REQUESTS)))
        grown = memory(pid) - before
        assert set(codes) == {"FW1740", "FW1756", "FW1757"}
        assert sum(codes.values()) == REQUESTS
        assert codes["FW1757"] > REQUESTS / 3, codes
        assert grown < 32 << 20, f"{grown >> 20} MiB more"
        nothing_joined(world)
        assert post(world, good, source="127.9.9.9") == (200, "")
    refused = [entry for entry in world.entries()[entries:] if isinstance(entry, JoinRefused)]
    assert sum(entry.count for entry in refused) == REQUESTS, "none is lost"
    windows = (time.monotonic() - began) / WINDOW.total_seconds() + 1
    assert len(refused) <= 2 * 3 * windows, "of each code the first of a window, and how many more"
    assert {entry.cluster for entry in refused} == {""}, "nothing that strangers wrote"


def test_a_name_is_in_the_log_once_its_token_is_known_there(world: World, b: Plane) -> None:
    good = world.body(prepared(b), world.token("--cluster", "member-b"), "member-b")
    revoked = world.token()
    world.command("token", "revoke", claims_of(revoked)["jti"])
    entries = len(world.entries())
    address = sources()
    with world.serving():
        for number in range(30):
            junk = {**good, "token": ("a.b.c", revoked)[number % 2], "name": f"stranger-{number}"}
            assert post(world, junk, source=next(address))[1] in ("FW1740", "FW1744")
        assert post(world, {**good, "name": "member-c"}, source=next(address)) == (403, "FW1745")
    refused = [entry for entry in world.entries()[entries:] if isinstance(entry, JoinRefused)]
    unknown, other = claims_of(revoked)["jti"], claims_of(good["token"])["jti"]
    kinds = {(entry.code, entry.cluster, entry.token) for entry in refused}
    assert kinds == {("FW1740", "", ""), ("FW1744", "", unknown), ("FW1745", "member-c", other)}
    assert len(refused) <= 2 * 5, "each first, and how many more, in at most two windows"
    assert sum(entry.count for entry in refused) == 31
