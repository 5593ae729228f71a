"""A man in the middle of a join: before the join endpoint, and before the member's API server.

Before the endpoint he can pass on the true CA, show his own, or both in either order; the client believes the
CA that the token pins, and only what it issued: FW1758, and he has heard neither token nor credential. A URL
without TLS is none of an endpoint: FW1001, before anything is made. Before the API server the primary
believes the CA of the request and no other: FW1750, and sends him nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from attack_joins import Listener, Middle, nothing_joined
from attack_members import Plane
from join_asking import post, prepared
from join_world import World

pytestmark = pytest.mark.real
ACCOUNT = "/api/v1/namespaces/federation-system/serviceaccounts/federation-reconciler"


class Thief(Listener):
    """Plain HTTP that passes the endpoint's true CA on, and keeps all that it hears."""

    def __init__(self, ca: bytes) -> None:
        self.heard = bytearray()
        self._ca = ca

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def taken(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(5)
            self.heard += connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(self._ca) + self._ca)


def heard_nothing(world: World, middle: Middle) -> None:
    assert not [secret for secret in world.secrets if secret.encode() in middle.heard]
    assert b"POST" not in middle.heard
    assert b"Bearer" not in middle.heard


def public_ca(world: World) -> bytes:
    """What ``GET /v1/ca`` gives."""
    return (world.fleet.settings.state / "join" / "ca.pem").read_bytes().partition(b"-----BEGIN P")[0]


def test_before_the_endpoint(world: World, b: Plane, front: Callable[[str], Middle]) -> None:
    token = world.token("--cluster", "member-b")
    with world.serving() as endpoint:
        true = public_ca(world)
        middle = front(f"https://127.0.0.1:{endpoint.port}")
        answers: list[Callable[[bytes], bytes] | None] = [
            None, lambda own: own, lambda own: own + true, lambda own: true + own, lambda _own: b"",
            lambda _own: true + b"x" * 70_000,
        ]  # fmt: skip
        for answer in answers:
            middle.ca = answer
            middle.heard.clear()
            said = world.join(b, token, "--primary", middle.url, exits=2)
            assert "FW1758" in said
            assert middle.heard.startswith(b"GET /v1/ca")
            heard_nothing(world, middle)
        nothing_joined(world)
        world.join(b, token)
    assert world.kinds("token-used") == ["token-used"], "the token is good where it was meant for"


def test_a_thief_without_tls(world: World, b: Plane) -> None:
    """Whoever is on the way says http, and has the public CA: it hears not a byte, and nothing is made."""
    token = world.token("--cluster", "member-b")
    with world.serving(), Thief(public_ca(world)) as thief:
        options = (
            ("--primary", thief.url),
            ("--primary", "https://[::1"),
            ("--primary", "https://127.0.0.1:99999"),
        )
        for flag in (*options, ("--api-server", thief.url), ("--api-server", "https://127.0.0.1:99999")):
            assert "FW1001" in world.join(b, token, *flag, exits=2)
        assert thief.heard == b""
        assert b.get(ACCOUNT) is None, "nothing was made on the member"
        nothing_joined(world)
        world.join(b, token)
        assert b.get(ACCOUNT) is not None


def test_before_the_member(world: World, a: Plane, b: Plane, front: Callable[[str], Middle]) -> None:
    prepared(b)
    token = world.token()
    middle = front(b.member.url)
    with world.serving() as endpoint:
        for change in (
            {"apiServers": [middle.url]},
            {"apiServers": [b.member.url, middle.url]},
            {"apiServers": [middle.url], "tlsServerName": b.name},
            {"caBundle": a.member.ca_file.read_text()},
        ):
            assert post(world, world.body(b, token, "member-b", **change)) == (422, "FW1750")
            heard_nothing(world, middle)
        nothing_joined(world)
        assert endpoint.process.poll() is None
