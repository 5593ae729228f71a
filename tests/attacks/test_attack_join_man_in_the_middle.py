"""A man in the middle of a join: before the join endpoint, and before the member's API server.

Before the endpoint he can pass on the true CA, show his own, or both in either order; the client believes the
CA that the token pins, and only what it issued: FW1758, and he has heard neither token nor credential. Before
the API server the primary believes the CA of the request and no other: FW1750, and sends him nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attack_joins import Middle, nothing_joined
from attack_members import Plane
from join_asking import post, prepared
from join_world import World

pytestmark = pytest.mark.real


def heard_nothing(world: World, middle: Middle) -> None:
    assert not [secret for secret in world.secrets if secret.encode() in middle.heard]
    assert b"POST" not in middle.heard
    assert b"Bearer" not in middle.heard


def test_before_the_endpoint(world: World, b: Plane, front: Callable[[str], Middle]) -> None:
    token = world.token("--cluster", "member-b")
    with world.serving() as endpoint:
        true = (world.fleet.settings.state / "join" / "ca.pem").read_bytes().partition(b"-----BEGIN P")[0]
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
