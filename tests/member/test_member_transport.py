"""API servers that behave badly: a real TLS server on loopback that answers what the test says."""

import asyncio
import contextlib
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from aiohttp import web
from hypothesis import strategies as st

from reconciler.documents.formats import is_https_url
from reconciler.member import errors
from reconciler.member.endpoints import EndpointHealth, Endpoints
from reconciler.member.limits import Limits
from reconciler.member.login import Login
from reconciler.member.transport import Request, Transport
from reconciler.sandbox import pki

RELEASED = web.AppKey("released", asyncio.Event)  # ends what hangs, when the test is over
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LIMITS = Limits(
    backoff=timedelta(milliseconds=1),
    request_timeout=timedelta(seconds=5),
    max_object=1 << 16,
    max_list=1 << 17,
)
HASTY = Limits(backoff=timedelta(milliseconds=1), request_timeout=timedelta(milliseconds=200), tries=2)
GET = Request("GET", "/api/v1/namespaces/kube-system")
YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@dataclass(slots=True)
class Tokens:
    """Credentials that change with each reading: token-1, token-2, ..."""

    read: int = 0

    async def load(self, *, fresh: bool = False) -> Login:
        self.read += 1 if fresh or not self.read else 0
        return Login(token=f"token-{self.read}")


@dataclass(slots=True)
class Place:
    """Where servers get their certificates from."""

    authority: pki.Authority
    stack: contextlib.AsyncExitStack
    served: list[str] = field(default_factory=list)
    tokens: Tokens = field(default_factory=Tokens)

    async def serve(self, handler: Handler, *, sans: tuple[str, ...] = ("127.0.0.1",), **issue: Any) -> str:
        """The URL of a server with a certificate of its own."""
        name = f"server-{len(self.served)}"
        made = self.authority.issue(name, common_name=name, sans=sans, **issue)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.cert, made.key)
        app = web.Application()
        app[RELEASED] = asyncio.Event()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        self.stack.push_async_callback(runner.cleanup)
        self.stack.callback(app[RELEASED].set)
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        self.served.append(f"https://127.0.0.1:{runner.addresses[0][1]}")
        return self.served[-1]

    def transport(
        self, *urls: str, limits: Limits = LIMITS, server_name: str = "", ca: str = ""
    ) -> Transport:
        bundle = ca or (self.authority.directory / "ca.crt").read_text()
        transport = Transport(urls, bundle, server_name, self.tokens, limits)
        self.stack.push_async_callback(transport.close)
        return transport


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with contextlib.AsyncExitStack() as stack:
        yield Place(pki.create(tmp_path, "test"), stack)


def status(code: int, message: str = "because", **more: Any) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.json_response(
            {"kind": "Status", "reason": "Reason", "message": message, **more}, status=code
        )

    return handler


async def good(_: web.Request) -> web.StreamResponse:
    return web.json_response({"ok": True})


def in_turn(*handlers: Handler) -> tuple[Handler, list[web.Request]]:
    """Each request gets the next handler, the last one again and again; and the requests."""
    seen: list[web.Request] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        return await handlers[min(len(seen), len(handlers)) - 1](request)

    return handler, seen


@pytest.mark.parametrize(
    ("code", "error", "tries"),
    [
        (400, errors.InvalidError, 1),
        (401, errors.UnauthorizedError, 2),
        (403, errors.ForbiddenError, 1),
        (404, errors.NotFoundError, 1),
        (409, errors.ConflictError, 1),
        (422, errors.InvalidError, 1),
        (429, errors.ThrottledError, 4),
        (500, errors.ServerError, 4),
        (503, errors.ServerError, 4),
        (307, errors.RedirectError, 1),
    ],
)
async def test_each_status_is_its_own_error_and_tried_as_often_as_makes_sense(
    place: Place, code: int, error: type[errors.ReplyError], tries: int
) -> None:
    handler, seen = in_turn(status(code))
    transport = place.transport(await place.serve(handler))

    with pytest.raises(error) as caught:
        await transport.send(GET)

    assert caught.value.code == error.code
    assert caught.value.hint
    assert len(seen) == tries == transport.requests


async def test_a_refusal_repeats_the_servers_words_bounded_and_without_escapes(place: Place) -> None:
    causes = [{"field": "spec.ports", "message": "must be \x1b[31mred"}]
    url = await place.serve(status(422, "invalid\n" + "x" * 9000, details={"causes": causes}))

    with pytest.raises(errors.InvalidError) as caught:
        await place.transport(url).send(GET)

    assert len(caught.value.got) <= 2000
    assert caught.value.got.isprintable()


async def test_retry_after_is_honoured(place: Place) -> None:
    async def busy(_: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=429, headers={"Retry-After": "1"})

    handler, seen = in_turn(busy, good)
    transport = place.transport(await place.serve(handler))
    loop = asyncio.get_running_loop()
    started = loop.time()

    assert (await transport.send(GET)).json() == {"ok": True}
    assert loop.time() - started >= 1.0
    assert len(seen) == 2


async def test_retry_after_cannot_hold_a_run_for_longer_than_allowed(place: Place) -> None:
    async def busy(_: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=429, headers={"Retry-After": "86400"})

    handler, _ = in_turn(busy, good)
    limits = Limits(longest_pause=timedelta(milliseconds=10), backoff=timedelta(milliseconds=1))

    assert (await place.transport(await place.serve(handler), limits=limits).send(GET)).status == 200


async def test_a_401_reads_the_credentials_once_more(place: Place) -> None:
    handler, seen = in_turn(status(401), good)
    transport = place.transport(await place.serve(handler))

    assert (await transport.send(GET)).status == 200
    assert [request.headers["Authorization"] for request in seen] == ["Bearer token-1", "Bearer token-2"]


async def test_many_requests_with_a_dead_token_read_it_again_once(place: Place) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        old = request.headers["Authorization"] == "Bearer token-1"
        return await (status(401) if old else good)(request)

    transport = place.transport(await place.serve(handler))

    await asyncio.gather(*(transport.send(GET) for _ in range(20)))

    assert place.tokens.read == 2


async def _cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"half":')
    assert request.transport is not None
    request.transport.abort()
    return response


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await response.write(b" " * 4096)
    return response


async def _bomb(_: web.Request) -> web.StreamResponse:
    body = zlib.compress(b" " * (1 << 24), 9)
    headers = {"Content-Type": "application/json", "Content-Encoding": "deflate"}
    return web.Response(body=body, headers=headers)


async def _page(_: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>Sign in</html>", content_type="text/html")


async def _lies(_: web.Request) -> web.StreamResponse:
    return web.Response(text="not { json", content_type="application/json")


async def _hang(request: web.Request) -> web.StreamResponse:
    await request.app[RELEASED].wait()
    return web.Response()


async def _slow_drip(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await request.app[RELEASED].wait()
    return response


@pytest.mark.parametrize(
    ("handler", "error", "limits"),
    [
        (_cut, errors.CutError, LIMITS),
        (_endless, errors.TooLargeError, LIMITS),
        (_bomb, errors.NotKubernetesError, LIMITS),
        (_page, errors.NotKubernetesError, LIMITS),
        (_lies, errors.NotKubernetesError, LIMITS),
        (_hang, errors.SlowError, HASTY),
        (_slow_drip, errors.SlowError, HASTY),
    ],
)
async def test_an_answer_that_is_none_is_an_error_with_a_code(
    place: Place, handler: Handler, error: type[Exception], limits: Limits
) -> None:
    transport = place.transport(await place.serve(handler), limits=limits)

    with pytest.raises(error):
        (await transport.send(GET)).json()


async def test_an_expired_certificate(place: Place) -> None:
    url = await place.serve(good, not_after=YESTERDAY)

    with pytest.raises(errors.ExpiredCertificateError, match="expired"):
        await place.transport(url).send(GET)


async def test_a_certificate_for_another_name_until_the_name_is_registered(place: Place) -> None:
    url = await place.serve(good, sans=("api.example.org",))

    with pytest.raises(errors.WrongNameError):
        await place.transport(url).send(GET)
    assert (await place.transport(url, server_name="api.example.org").send(GET)).status == 200
    with pytest.raises(errors.WrongNameError):
        await place.transport(url, server_name="other.example.org").send(GET)


async def test_a_certificate_of_another_authority(place: Place, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    pki.create(other, "other")

    with pytest.raises(errors.UnknownAuthorityError):
        await place.transport(await place.serve(good), ca=(other / "ca.crt").read_text()).send(GET)


async def test_without_a_bundle_only_the_systems_authorities_count(place: Place) -> None:
    transport = Transport((await place.serve(good),), "", "", place.tokens, LIMITS)
    place.stack.push_async_callback(transport.close)

    with pytest.raises(errors.UnknownAuthorityError):
        await transport.send(GET)


async def test_a_server_without_tls(place: Place) -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(errors.ReplyError) as caught:
            await place.transport(f"https://127.0.0.1:{port}").send(GET)
    assert caught.value.code in ("FW1726", "FW1701", "FW1709")


@pytest.mark.parametrize("first", [_cut, _hang, _page, status(503), status(307)])
async def test_another_api_server_takes_over_and_is_kept(place: Place, first: Handler) -> None:
    handler, seen = in_turn(first)
    urls = (await place.serve(handler), await place.serve(good))
    # Longer than a busy machine needs for the good one, short enough to wait for the one that hangs.
    limits = Limits(request_timeout=timedelta(seconds=1.5), backoff=timedelta(milliseconds=1), tries=2)
    transport = place.transport(*urls, limits=limits)

    assert (await transport.send(GET)).status == 200
    assert (await transport.send(GET)).status == 200
    assert len(seen) == 1


async def test_dead_and_expired_servers_are_passed_over(place: Place) -> None:
    dead = "https://127.0.0.1:1"
    expired = await place.serve(good, not_after=YESTERDAY)
    transport = place.transport(dead, expired, await place.serve(good))

    assert (await transport.send(GET)).status == 200


async def test_no_server_at_all_says_so_for_each(place: Place) -> None:
    with pytest.raises(errors.UnreachableError) as caught:
        await place.transport("https://127.0.0.1:1", "https://127.0.0.1:2").send(GET)

    assert "127.0.0.1:1" in caught.value.where
    assert "127.0.0.1:2 FW1701" in caught.value.got


HOSTS = (
    st.text(st.sampled_from("a.-_~%1[]:!$&'()*+,;="), max_size=12).map(lambda text: f"{text}.invalid")
    | st.sampled_from(
        ("xn--", "xn--a", "XN--zz", "xn--bcher-kva", "xn--0", "a" * 64, ".", "a..b", "")
    ).flatmap(lambda label: st.sampled_from((f"{label}.invalid", f"a.{label}.invalid", f"{label}..invalid")))
    | st.sampled_from(("127.0.0.1", "[::1]", "[::1%25lo]", "[v1.a]", "[::1]x", "127.1", "999.9.9.9"))
)
PORTS = st.sampled_from(("", ":", ":1", ":0", ":00001", ":99999", ":a"))
PATHS = st.text(st.sampled_from("/.%[]a:~"), max_size=5)


@hypothesis.settings(deadline=None, max_examples=80)
@hypothesis.given(HOSTS, PORTS, PATHS)
def test_any_url_that_a_registration_may_have_can_be_asked(host: str, port: str, path: str) -> None:
    url = f"https://{host}{port}/{path}"

    async def ask() -> None:
        limits = Limits(tries=1, request_timeout=timedelta(seconds=5))
        transport = Transport((url,), "", "", Tokens(), limits)
        try:
            await transport.send(GET)
        finally:
            await transport.close()

    with pytest.raises(errors.ReplyError if is_https_url(url) else errors.CredentialError):
        asyncio.run(ask())


async def test_a_redirect_does_not_carry_the_token_away(place: Place) -> None:
    target, stolen = in_turn(good)
    elsewhere = await place.serve(target)

    async def redirect(_: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect(elsewhere)

    with pytest.raises(errors.RedirectError):
        await place.transport(await place.serve(redirect)).send(GET)
    assert stolen == []


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "https://user:pass@127.0.0.1:1", "https://", "ftp://x", "https://h?x=1"]
)
def test_an_url_that_is_not_an_api_servers_is_refused(url: str) -> None:
    with pytest.raises(errors.CredentialError):
        Transport((url,), "", "", Tokens(), LIMITS)


async def test_the_token_is_in_no_error(place: Place) -> None:
    with pytest.raises(errors.ForbiddenError) as caught:
        await place.transport(await place.serve(status(403))).send(GET)

    assert "token-1" not in str(caught.value) + repr(caught.value.__dict__)


async def test_a_server_that_failed_before_is_not_waited_for_and_still_the_last_resort(place: Place) -> None:
    handler, seen = in_turn(good)
    first, second = await place.serve(handler), await place.serve(good)
    now = datetime.now(UTC)
    broken = EndpointHealth(first, None, now, now, 1, "FW1702")
    bundle = (place.authority.directory / "ca.crt").read_text()

    def transport(*urls: str) -> Transport:
        ends = Endpoints(urls, lambda: now, (broken,))
        made = Transport(urls, bundle, "", place.tokens, LIMITS, ends)
        place.stack.push_async_callback(made.close)
        return made

    assert (await transport(first, second).send(GET)).status == 200
    assert seen == [], "the one that failed comes last"
    assert (await transport(first, "https://127.0.0.1:1").send(GET)).status == 200
    assert len(seen) == 1, "and is tried when all others fail"


@pytest.mark.parametrize(
    ("first", "repeated"),
    [
        (_cut, True), (_hang, True), (_page, True), (status(503), True), (status(429), False),
        (status(307), False),
    ],
)  # fmt: skip
async def test_an_answer_says_whether_an_earlier_try_may_have_arrived(
    place: Place, first: Handler, repeated: bool
) -> None:
    handler, _ = in_turn(first, good)
    urls = (await place.serve(handler), await place.serve(good))
    limits = Limits(request_timeout=timedelta(seconds=1.5), backoff=timedelta(milliseconds=1), tries=2)
    assert (await place.transport(*urls, limits=limits).send(GET)).repeated is repeated
    refusing, _ = in_turn(first, status(409))
    with pytest.raises(errors.ConflictError) as caught:
        urls = (await place.serve(refusing), await place.serve(status(409)))
        await place.transport(*urls, limits=limits).send(GET)
    assert caught.value.repeated is repeated


async def test_a_dead_server_leaves_no_doubt(place: Place) -> None:
    transport = place.transport("https://127.0.0.1:1", await place.serve(good))
    assert (await transport.send(GET)).repeated is False
