"""Bodies that are not what they say: too large, of another length, in pieces, packed, nested, two in one.

FW1756, or the connection ends; memory does not grow with what was announced or packed, and the endpoint goes
on to answer a good join.
"""

from __future__ import annotations

import gzip
import json
import socket
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from attack_joins import memory, nothing_joined, sources
from attack_members import Plane
from join_asking import code_of, context, post, prepared
from join_world import World

pytestmark = pytest.mark.real
HEAD = b"POST /v1/join HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
BOMB = gzip.compress(bytes(64 << 20), 9)  # 64 KiB of 64 MiB
GROWTH = 48 << 20  # bytes


def say(world: World, source: str, *parts: bytes) -> tuple[bytes, str]:
    """All that is answered to raw bytes: status line and code; empty where the connection just ends."""
    answer = b""
    with (
        socket.create_connection(("127.0.0.1", world.port), timeout=30, source_address=(source, 0)) as plain,
        context(world).wrap_socket(plain, server_hostname="127.0.0.1") as one,
        suppress(OSError),
    ):
        for part in parts:
            one.sendall(part)
        while part := one.recv(1 << 16):
            answer += part
    return answer.partition(b"\r\n")[0], code_of(answer.partition(b"\r\n\r\n")[2])


def length(size: object) -> bytes:
    return HEAD + f"Content-Length: {size}\r\n\r\n".encode()


def chunked(*pieces: bytes) -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body


def test_bodies_that_lie(world: World, b: Plane) -> None:
    prepared(b)
    good, address = world.body(b, world.token(), "member-b"), sources()
    body = json.dumps(good).encode()
    many = b"x" * (64 << 10)
    cases = {
        "more than it says": length(10) + body,
        "less than it says, then nothing": length(len(body) + 1) + body[:-5],
        "negative": length(-1) + body,
        "no number": length("1e9") + body,
        "two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 9999\r\n\r\n" + body,
        "length and chunks": HEAD
        + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        + body,
        "beyond 64 bits": length(1 << 70) + body,
        "too large": length(1 << 30) + many * 1024,  # more than memory may grow by, if it were read
        "too large in chunks": chunked(*[many] * 1024),
        "a chunk of no end": HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffff\r\n" + many * 64,
        "chunk extensions": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"a" * 100_000 + b"\r\nx\r\n",
        "packed": HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB,
        "deflated": HEAD + b"Content-Encoding: deflate\r\n" + length(9)[len(HEAD) :] + zlib.compress(b"x"),
        "nested": length(60_000) + b"[" * 60_000,
        "nested objects": length(60_000) + b'{"a":' * 12_000,
        "a large number": length(50_000) + b'{"a":' + b"9" * 49_994 + b"}",
        "headers without end": HEAD + b"X: " + b"a" * 100_000,
        "many headers": HEAD + b"".join(b"X-%d: a\r\n" % n for n in range(20_000)) + b"\r\n",
        "another protocol": b"SSH-2.0-x\r\n" + many,
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + many,
    }
    with world.serving() as endpoint:
        assert post(world, b"{}", source=next(address)) == (400, "FW1756")
        before = memory(endpoint.process.pid)
        with ThreadPoolExecutor(8) as pool:  # some end only when the endpoint has waited enough
            said = [pool.submit(say, world, next(address), raw) for raw in cases.values()]
            answers = {name: one.result() for name, one in zip(cases, said, strict=True)}
        for name, (line, code) in answers.items():
            assert not line.startswith(b"HTTP/1.1 200"), name
            assert code in ("", "FW1756"), (name, line, code)
        for method in ("PUT", "GET", "CONNECT", "TRACE"):
            assert post(world, good, method=method, source=next(address))[0] in (400, 404, 405), method
        grown = memory(endpoint.process.pid) - before
        assert grown < GROWTH, f"{grown >> 20} MiB more"
        nothing_joined(world)
        assert post(world, good, source=next(address)) == (200, "")
        usual = ("refused: FW1", "serving", "member-b")
        assert [line for line in endpoint.said if not line.startswith(usual)] == [], (
            "nothing that a stranger wrote"
        )
