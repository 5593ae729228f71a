"""Slow requests: hundreds of connections that say nothing, or a byte now and then, of one address or of many.

One address holds only so many connections, and each of them ends by itself; so a good join from another
address is answered while they are all open, and no thread, file or memory is left of them. Nor do slow
bodies of many addresses take the turn of a request that is whole.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path

import pytest
from attack_joins import memory, nothing_joined, sources
from attack_members import Plane
from e2e_world import until
from join_asking import context, post, prepared
from join_world import World

from reconciler.surfaces.join_server import CONCURRENT, PER_ADDRESS

pytestmark = pytest.mark.real
MANY = 360  # more than the endpoint has connections at a time
BEGUN = (
    b"", b"POST /v1/jo", b"POST /v1/join HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    b"POST /v1/join HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n{",
    b"POST /v1/join HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
)  # fmt: skip


def opened(pid: int) -> int:
    """Files and sockets of a process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_a_good_join_meanwhile(world: World, b: Plane) -> None:
    prepared(b)
    good = world.body(b, world.token(), "member-b")
    with world.serving() as endpoint, ExitStack() as stack:
        pid = endpoint.process.pid
        assert post(world, b"{}", source="127.0.0.2") == (400, "FW1756")
        files, before = opened(pid), memory(pid)
        slow: list[socket.socket] = []
        for number in range(MANY):
            plain = stack.enter_context(
                socket.create_connection(("127.0.0.1", world.port), 60, source_address=("127.0.0.9", 0))
            )
            if number % 6 == 5:
                slow.append(plain)  # not even a handshake
                continue
            with suppress(OSError, ssl.SSLError):
                one = stack.enter_context(context(world).wrap_socket(plain, server_hostname="127.0.0.1"))
                one.sendall(BEGUN[number % 5])
                slow.append(one)
        held = PER_ADDRESS + 8  # those that never shook hands are among them
        until(lambda: opened(pid) - files <= held, "what is too much to be cut", limit=5)
        nothing_joined(world)
        assert post(world, good, source="127.0.0.2") == (200, "")
        # Every one of them ends, without being closed from here.
        until(lambda: opened(pid) <= files + 8, "the slow connections to end")
        assert memory(pid) - before < 48 << 20
        assert endpoint.process.poll() is None
        assert post(world, b"{}", source="127.0.0.3") == (400, "FW1756")


def test_slow_bodies_of_many_addresses(world: World, b: Plane) -> None:
    """More of them than joins at a time, and few from each address."""
    prepared(b)
    good = world.body(b, world.token(), "member-b")
    with world.serving() as endpoint, ExitStack() as stack:
        begun = [_begin_body(world, source, stack) for source in islice(sources(), 10, 18) for _ in range(6)]
        assert len(begun) > 2 * CONCURRENT
        for _ in range(9):
            assert post(world, b"{}", source="127.0.0.2") == (400, "FW1756")
        assert post(world, good, source="127.0.0.2") == (200, "")
        for slow in begun:
            said = slow.recv(1 << 16)
            assert b"HTTP/1.1 400 " in said and b"FW1756" in said, "each is told that it is too slow"
        assert endpoint.process.poll() is None


def _begin_body(world: World, source: str, stack: ExitStack) -> ssl.SSLSocket:
    """A request whose headers are whole, and whose body begins."""
    plain = socket.create_connection(("127.0.0.1", world.port), 60, source_address=(source, 0))
    one = stack.enter_context(context(world).wrap_socket(plain, server_hostname="127.0.0.1"))
    one.sendall(BEGUN[3])
    return one
