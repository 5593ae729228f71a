"""A primary that is made to call where it should not: metadata services, link-local, its own machine.

Every spelling of such an address is refused with FW1749 (FW1756 for what is no URL) before anything is
connected to. A name is judged by what it resolves to, once: what was judged is what is connected to, so an
answer that differs the second time (DNS rebinding) is never asked for. A redirect by the member's server is
not followed: FW1750.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from attack_joins import Trap, nothing_joined, sources
from attack_members import Plane, Proxy
from e2e_proxy import Canned
from join_asking import parse, post, prepared
from join_world import World

from reconciler.errors import FleetwardError
from reconciler.pipeline.membership.door import Door
from reconciler.surfaces.membership import door_ports, token_key

pytestmark = pytest.mark.real
METADATA = (
    "169.254.169.254", "169.254.169.254.", "2852039166", "0xa9fea9fe", "0xA9.0xFE.0xA9.0xFE", "169.254.43518",
    "0251.0376.0251.0376", "025177524776", "169.16689662", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]",
    "[::ffff:0:a9fe:a9fe]", "[::169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::1]",
    "[2001:0:a9fe:a9fe::5601:5601]", "[2001:0:c000:201::5601:5601]", "[2001:db8::5efe:a9fe:a9fe]",
    "[fe80::1]", "[fe80::1%25lo]", "[fe80::a9fe:a9fe]", "[fd00:ec2::254]",
    "[fd00:0ec2:0:0:0:0:0:0254]", "100.100.100.200", "168.63.129.16", "192.0.0.192",
    "0.0.0.0",  # noqa: S104
    "0", "[::]", "224.0.0.1", "[ff02::1]", "255.255.255.255", "240.0.0.1",
    "①⑥⑨.②⑤④.①⑥⑨.②⑤④", "169\u3002254\u3002169\u3002254",
    "user@169.254.169.254", "169.254.169.254%2f.example", "169.254.169.254#", "no-such-host.invalid",
)  # fmt: skip


def test_every_spelling_of_a_forbidden_address(world: World, b: Plane) -> None:
    prepared(b)
    good, address = world.body(b, world.token(), "member-b"), sources()
    with world.serving() as endpoint:
        for host in METADATA:
            for servers in ([f"https://{host}"], [b.member.url, f"https://{host}:80/latest/meta-data"]):
                status, code = post(world, {**good, "apiServers": servers}, source=next(address))
                assert (status, code) in ((422, "FW1749"), (400, "FW1756")), (servers, code)
        nothing_joined(world)
        assert post(world, good) == (200, "")
        assert endpoint.process.poll() is None


def test_a_name_that_leads_there_now_or_the_second_time(world: World, b: Plane) -> None:
    prepared(b)
    asked: list[str] = []
    answers = [["169.254.169.254"], ["127.0.0.1", "169.254.169.254"], ["127.0.0.1", "fd00:ec2::254"], []]

    async def resolver(host: str, _port: int) -> list[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    port = b.member.url.rpartition(":")[2]
    with world.fleet.wiring() as wiring:
        ports = door_ports(wiring, token_key(world.fleet.settings), loopback=True)
        door = Door(replace(ports, resolver=resolver))
        server = {"apiServers": [f"https://member.invalid:{port}"], "tlsServerName": "localhost"}
        body = world.body(b, world.token(), "member-b", **server)  # only this resolver knows the name
        for _ in answers[:]:
            with pytest.raises(FleetwardError, match="FW1749"):
                asyncio.run(door.admit(parse(body), ""))
        nothing_joined(world)
        # Rebinding: good once, then forbidden. Nothing asks a second time.
        asked.clear()
        answers[:] = [["127.0.0.1"], ["169.254.169.254"]]
        assert asyncio.run(door.admit(parse(body), "")).cluster == "member-b"
        assert asked == ["member.invalid"], "the judged address was connected to, no name asked for again"


def test_a_server_that_redirects(world: World, b: Plane, proxy: Callable[[str], Proxy]) -> None:
    prepared(b)
    between, address = proxy("member-b"), sources()
    body = world.body(b, world.token(), "member-b", apiServers=[between.url])
    with world.serving(), Trap() as trap:
        for status in (301, 302, 303, 307, 308):
            for scheme in ("http", "https"):
                target = f"{scheme}://127.0.0.1:{trap.port}/latest/meta-data"
                between.rule = lambda _seen, s=status, t=target: Canned(s, location=t)
                assert post(world, body, source=next(address)) == (422, "FW1750"), status
        assert trap.caught == 0
        nothing_joined(world)
        between.forget()
        assert post(world, body, source=next(address)) == (200, "")
