"""The door of the join endpoint: what it refuses, each with its code and entry, and what a kill leaves."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from cryptography import x509
from e2e_proxy import Proxy
from e2e_world import Plane, until
from join_asking import context, forged, parse, post, prepared, unsigned
from join_world import RBAC, World, claims_of

from reconciler.audit.entry import JoinRefused
from reconciler.audit.log import Log
from reconciler.errors import FleetwardError
from reconciler.pipeline.membership.door import Door, DoorPorts
from reconciler.surfaces.join_server import JoinServer
from reconciler.surfaces.membership import door_ports, join_authority, token_key
from reconciler.surfaces.wiring import clock
from reconciler.trust.jointoken import TokenKey, at
from reconciler.trust.pinned import LEAF, issue_leaf

pytestmark = pytest.mark.real


def test_tokens_that_do_not_hold(world: World, b: Plane, tmp_path: Any) -> None:
    prepared(b)
    token, revoked = world.token("--cluster", "member-b"), world.token()
    world.command("token", "revoke", claims_of(revoked)["jti"])
    past = int(clock().timestamp()) - 10
    swapped = token[:-20] + ("A" if token[-20] != "A" else "B") + token[-19:]
    cases = {
        "FW1740": [swapped, unsigned(token), token[:-1], "x"],
        "FW1741": [
            forged(world, token, issued=past - 60, expires=past),
            forged(world, token, issued=past + 999),
        ],
        "FW1742": [forged(world, token, TokenKey.new()), forged(world, token, issuer="another")],
        "FW1744": [revoked, forged(world, token, id="never-made-0123456789")],
        "FW1745": [token],
    }
    with world.serving():
        for code, tokens in cases.items():
            for one in tokens:
                name = "member-c" if code == "FW1745" else "member-b"
                assert post(world, world.body(b, one, name))[1] == code, one
        assert post(world, world.body(b, token, "member-b")) == (200, "")
        assert post(world, world.body(b, token, "member-b")) == (409, "FW1743")
    assert set(world.refusals()) == {*cases, "FW1743"}
    assert world.kinds("token-used") == ["token-used"]
    assert world.scan(tmp_path) == []


def test_a_token_used_at_the_same_instant_is_used_once(world: World, a: Plane, b: Plane) -> None:
    prepared(a), prepared(b)
    token = world.token()
    bodies = [world.body(plane, token, f"cluster-{n}") for n, plane in enumerate((a, b, a, b))]
    with world.serving(), ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda body: post(world, body), bodies))
    assert sorted(answers)[0] == (200, "")
    assert [code for _, code in answers].count("FW1743") == 3
    assert world.kinds("token-used", "member-joined") == ["token-used", "member-joined"]


def test_two_endpoints_on_one_log_use_a_token_once(world: World, a: Plane, b: Plane) -> None:
    prepared(a), prepared(b)
    token = world.token()
    asked = [parse(world.body(plane, token, f"cluster-{n}")) for n, plane in enumerate((a, b))]
    with world.fleet.wiring() as one, world.fleet.wiring() as two:
        key = token_key(world.fleet.settings)
        doors = [Door(door_ports(wiring, key, loopback=True)) for wiring in (one, two)]

        async def both() -> list[Any]:
            joins = (door.admit(request, "") for door, request in zip(doors, asked, strict=True))
            return await asyncio.gather(*joins, return_exceptions=True)

        answers = asyncio.run(both())
    refused = [answer for answer in answers if isinstance(answer, FleetwardError)]
    assert [error.code for error in refused] == ["FW1743"], answers
    assert world.kinds("token-used") == ["token-used"]


def test_names_and_clusters_that_are_taken(world: World, a: Plane, b: Plane) -> None:
    prepared(a), prepared(b)
    world.fleet.commit(world.fleet.registration("member-a"))
    with world.serving():
        for name in ("../member-b", "Member", "a.b", "-x", "x" * 64, "member_b", "a/b"):
            assert post(world, world.body(b, world.token(), name))[1] == "FW1746", name
        assert post(world, world.body(b, world.token(), "member-a")) == (409, "FW1747")
        assert post(world, world.body(a, world.token(), "another")) == (409, "FW1748"), "by its URL"
        assert post(world, world.body(b, world.token(), "member-b")) == (200, "")
        assert post(world, world.body(b, world.token(), "member-b")) == (409, "FW1747"), "proposed already"
        assert post(world, world.body(b, world.token(), "twin")) == (409, "FW1748"), "by its uid"
        world.merge("member-b")
        assert post(world, world.body(b, world.token(), "member-b")) == (409, "FW1747"), "registered"
        far = world.body(b, world.token(), "twin", apiServers=["https://localhost:1"])
        assert post(world, far) == (409, "FW1748"), "by its uid, at another URL"
    assert not list((world.fleet.settings.credentials / "joined").glob("*twin*"))


def test_members_that_are_not_what_they_say(
    world: World, a: Plane, b: Plane, proxy: Callable[[str], Proxy]
) -> None:
    prepared(a), prepared(b)
    token = world.token()
    between = proxy("member-a")  # its certificate is from member-a's CA
    urls = ("https://169.254.169.254", "https://[fe80::1]:6443", "https://0.0.0.0", "https://224.0.0.1")
    urls += ("https://[::ffff:169.254.169.254]", "https://100.100.100.200", "https://no-such-host.invalid")
    cases: list[tuple[dict[str, Any], str]] = [({"apiServers": [url]}, "FW1749") for url in urls]
    cases += [
        ({"apiServers": ["http://127.0.0.1"]}, "FW1756"),
        ({"apiServers": ["https://xn--a.example"]}, "FW1756"),
        ({"apiServers": ["https://127.0.0.1:1"]}, "FW1750"),
        ({"apiServers": [between.url]}, "FW1750"),  # in the middle, with another CA
        ({"caBundle": a.member.ca_file.read_text()}, "FW1750"),
        ({"tlsServerName": "another.example"}, "FW1750"),
        ({"credential": world.credential(b, "default")}, "FW1750"),
        ({"credential": world.administrator_token(b)}, "FW1750"),
        ({"credential": "nonsense"}, "FW1750"),
        ({"uid": "00000000-0000-4000-8000-000000000000"}, "FW1751"),
        ({"apiServers": [b.member.url, a.member.url]}, "FW1750"),
        ({"claim": "short"}, "FW1756"),
    ]
    with world.serving():
        for change, code in cases:
            assert post(world, world.body(b, token, "member-b", **change))[1] == code, change
        assert between.seen == [], "the credential was not sent to who is in the middle"
        elsewhere = world.body(b, token, "member-b")
        other = world.body(a, token, "member-b", uid=elsewhere["uid"])
        assert post(world, other)[1] == "FW1751", "another cluster answers"
        role = b.must("GET", f"{RBAC}/clusterroles/federation-reconciler")
        del role["rules"][-1]["verbs"][-1]
        b.must("PUT", f"{RBAC}/clusterroles/federation-reconciler", role)
        lacking = world.body(b, token, "member-b")
        until(lambda: post(world, lacking)[1] == "FW1753", "the right to be missed", limit=10)
    assert world.kinds("token-used") == [], "a refused join does not use its token up"


def test_the_clocks_have_to_agree(world: World, b: Plane) -> None:
    prepared(b)
    token = world.token("--ttl", "2h")
    request = parse(world.body(b, token, "member-b"))
    with world.fleet.wiring() as wiring:
        ports = door_ports(wiring, token_key(world.fleet.settings), loopback=True)
        late = replace(ports, clock=lambda: clock() + timedelta(minutes=5))
        with pytest.raises(FleetwardError, match="FW1752"):
            asyncio.run(Door(late).admit(request, ""))
        assert asyncio.run(Door(ports).admit(request, "")).cluster == "member-b"


def test_loopback_only_where_it_is_allowed(world: World, b: Plane) -> None:
    request = parse(world.body(prepared(b), world.token(), "member-b"))
    with world.fleet.wiring() as wiring:
        ports = door_ports(wiring, token_key(world.fleet.settings), loopback=False)
        with pytest.raises(FleetwardError, match="FW1749"):
            asyncio.run(Door(ports).admit(request, ""))


def test_a_defect_is_a_refusal_in_the_log_too(world: World, b: Plane) -> None:
    request = parse(world.body(prepared(b), world.token(), "member-b"))

    async def broken(_host: str, _port: int) -> list[str]:
        raise RuntimeError("nobody has thought of this")

    with world.fleet.wiring() as wiring:
        ports = door_ports(wiring, token_key(world.fleet.settings), loopback=True)
        with pytest.raises(RuntimeError):
            asyncio.run(Door(replace(ports, resolver=broken)).admit(request, "192.0.2.1"))
    (entry,) = [entry for entry in world.entries() if isinstance(entry, JoinRefused)]
    assert (entry.code, entry.cluster, entry.address) == ("FW1000", "member-b", "192.0.2.1")
    assert world.kinds("token-used") == []


class Killed(BaseException):
    """The process ends here."""


class Dying:
    """A repository, or a log, that goes no further after some call."""

    def __init__(self, inner: Any, name: str, *, after: bool, number: int = 1) -> None:
        self._inner, self._name, self._after, self._left = inner, name, after, number

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._dying(found) if name == self._name else found

    def _dying(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def dying(*arguments: Any, **options: Any) -> Any:
            self._left -= 1
            if self._left:
                return call(*arguments, **options)
            if self._after:
                call(*arguments, **options)
            raise Killed

        return dying


def dying_log(ports: DoorPorts, kind: str, *, after: bool) -> DoorPorts:
    """Ends at the append of that kind of entry."""

    def opened() -> Log:
        log = ports.open_log()

        class Ending(Dying):
            def append(self, entries: Any) -> Any:
                if entries[0].kind != kind:
                    return log.append(entries)
                if after:
                    log.append(entries)
                raise Killed

        return Ending(log, "", after=after)  # type: ignore[return-value]

    return replace(ports, open_log=opened)


def dying_store(ports: DoorPorts, *, after: bool) -> DoorPorts:
    return replace(ports, store=Dying(ports, "store", after=after).store)


def dying_repository(ports: DoorPorts, *, after: bool) -> DoorPorts:
    return replace(ports, repository=Dying(ports.repository, "propose", after=after))  # type: ignore[arg-type]


DEATHS: list[tuple[str, Callable[[DoorPorts], DoorPorts]]] = [
    ("before the use", lambda ports: dying_log(ports, "token-used", after=False)),
    ("after the use", lambda ports: dying_log(ports, "token-used", after=True)),
    ("before the viewer's token is logged", lambda ports: dying_log(ports, "credential-issued", after=False)),
    ("after the viewer's token is logged", lambda ports: dying_log(ports, "credential-issued", after=True)),
    ("before the credential", lambda ports: dying_store(ports, after=False)),
    ("after the credential", lambda ports: dying_store(ports, after=True)),
    ("before the proposal", lambda ports: dying_repository(ports, after=False)),
    ("after the proposal", lambda ports: dying_repository(ports, after=True)),
    ("before the join", lambda ports: dying_log(ports, "member-joined", after=False)),
    ("after the join", lambda ports: dying_log(ports, "member-joined", after=True)),
]


def test_a_join_that_ends_anywhere_is_finished_by_the_same_request(world: World, b: Plane) -> None:
    prepared(b)
    for number, (where, death) in enumerate(DEATHS, 1):
        request = parse(world.body(b, world.token(), f"member-{number}"))
        thief = replace(request, claim="f" * 64)
        with world.fleet.wiring() as wiring:
            ports = door_ports(wiring, token_key(world.fleet.settings), loopback=True)
            with pytest.raises(Killed):
                asyncio.run(Door(death(ports)).admit(request, ""))
            if where != "before the use":
                with pytest.raises(FleetwardError, match="FW1743"):
                    asyncio.run(Door(ports).admit(thief, ""))
            done = asyncio.run(Door(ports).admit(request, ""))
            again = asyncio.run(Door(ports).admit(request, ""))
        assert done == again, where
        used = world.kinds("token-used", "member-joined")
        assert used == ["token-used", "member-joined"] * number, where
        assert world.fleet.repo.head(f"join/member-{number}") == done.commit
        world.fleet.repo.git("branch", "-q", "-D", f"join/member-{number}")  # given up: the next may join


def test_what_is_too_large_or_no_request(world: World, b: Plane) -> None:
    token = world.token()
    body = world.body(prepared(b), token, "member-b")
    with world.serving():
        for bad in (b"", b"{", b"[]", b"null", b"{}", json.dumps({**body, "more": 1}).encode()):
            assert post(world, bad) == (400, "FW1756")
        assert post(world, {**body, "caBundle": "x" * 70_000}) == (400, "FW1756")
        assert post(world, body, "/v1/other")[0] == 404
        assert post(world, body) == (200, "")


def test_a_slow_request_ends(world: World) -> None:
    with world.serving():
        for start in (
            b"POST /v1/join HT",
            b"POST /v1/join HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{",
        ):
            began = time.monotonic()
            with (
                socket.create_connection(("127.0.0.1", world.port), timeout=60) as plain,
                context(world).wrap_socket(plain, server_hostname="127.0.0.1") as slow,
            ):
                slow.sendall(start)
                said = slow.recv(4096)
            assert said == b"" or b"FW1756" in said or b" 400 " in said or b" 408 " in said
            assert time.monotonic() - began < 20
    assert world.kinds("token-used") == []


def test_a_thousand_requests_cost_the_log_nothing(world: World, b: Plane) -> None:
    with world.serving() as endpoint, ThreadPoolExecutor(16) as pool:
        before = len(world.entries())
        answers = list(pool.map(lambda _n: post(world, b"{}"), range(1000)))
        assert endpoint.process.poll() is None
    codes = [code for _, code in answers]
    assert set(codes) == {"FW1756", "FW1757"}
    assert codes.count("FW1757") > 900
    refusals = [entry for entry in world.entries()[before:] if entry.kind == "join-refused"]
    assert len(refusals) <= 8, "counted, not one by one"
    assert sum(getattr(entry, "count", 0) for entry in refusals) == 1000


def test_a_key_that_is_rotated_while_it_serves(world: World, b: Plane) -> None:
    token = world.token("--cluster", "member-b")
    good = world.body(prepared(b), token, "member-b")
    with world.serving() as endpoint:
        assert post(world, b"{}") == (400, "FW1756")
        world.command("key", "rotate")
        assert post(world, {**good, "token": "a.b.c"}) == (401, "FW1740")
        world.join(b, token)
    assert not [line for line in endpoint.said if "could not be logged" in line]
    wanted = ["join-refused", "key-rotated", "join-refused", "token-used", "member-joined"]
    assert world.kinds(*wanted) == wanted
    world.fleet.assert_log_whole()


def certificate_at(port: int) -> x509.Certificate:
    return x509.load_pem_x509_certificate(ssl.get_server_certificate(("127.0.0.1", port)).encode())


def test_the_certificate_is_renewed_while_it_serves(world: World) -> None:
    now, said = [clock()], list[str]()

    async def serve(server: JoinServer) -> None:
        listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        serving = asyncio.ensure_future(server.serve("127.0.0.1", 0, listening.set_result))
        port = await listening
        first = await asyncio.to_thread(certificate_at, port)
        now[0] += LEAF * 0.5
        looked = len(asked)
        await asyncio.to_thread(until, lambda: len(asked) > looked + 4, "the endpoint to look at the time")
        assert await asyncio.to_thread(certificate_at, port) == first, "half of its life is left"
        now[0] += LEAF * 0.2
        await asyncio.to_thread(until, lambda: certificate_at(port) != first, "another certificate")
        second = await asyncio.to_thread(certificate_at, port)
        assert second.not_valid_after_utc - now[0] > LEAF * 0.9
        second.verify_directly_issued_by(authority.certificate)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    asked: list[datetime] = []

    def time_now() -> datetime:
        asked.append(now[0])
        return now[0]

    authority = join_authority(world.fleet.settings)
    with world.fleet.wiring() as wiring:
        ports = door_ports(wiring, token_key(world.fleet.settings), loopback=True)
        door = Door(replace(ports, clock=time_now))
        issue = partial(issue_leaf, authority, ("127.0.0.1",))
        asyncio.run(serve(JoinServer(door, b"", issue, said.append, period=0.05)))
    assert said == []


def test_a_token_is_made_with_what_was_asked_for(world: World) -> None:
    said = claims_of(world.token("--ttl", "30m", "--cluster", "member-b"))
    assert said["aud"] == "fleetward-join"
    assert said["urls"] == [world.url]
    assert said["pin"] == world.pin
    assert at(said["exp"]) - at(said["iat"]) == timedelta(minutes=30)
    for bad in (("--ttl", "10s"), ("--ttl", "169h"), ("--labels", "a"), ("--cluster", "A")):
        world.command("token", "create", *bad, exits=2)
