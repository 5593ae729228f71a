"""The join endpoint: HTTPS for strangers, so everything is bounded before anything is read.

Rules:
- ``GET /v1/ca`` gives the CA, which is public; ``POST /v1/join`` is a request to join. Nothing else is there.
- TLS 1.2 and newer, a handshake within ``HANDSHAKE`` seconds; one request a connection, whose headers are
  there within ``HEADERS`` seconds and its body, of at most 64 KiB, within ``BODY``; all ends after ``WHOLE``.
- At most ``CONNECTIONS`` at a time, ``PER_ADDRESS`` of them from an address (an IPv6 /64 counts as one) and
  counted before their handshake, so that slow ones of one address leave room for others; ``CONCURRENT``
  joins, ``PER_MINUTE`` requests a minute from an address: more get 429, and cost neither log nor Git nor a
  member anything. A join begins when its request is there as a whole: a slow one takes nobody's turn.
- Nothing of what a stranger sent reaches the terminal but by ``report``: what is no HTTP is answered or cut,
  without the tracebacks that aiohttp and asyncio would print.
- The endpoint's certificate is renewed while it serves, when a third of its life is left.
- Answers are JSON; a refusal is ``{"error": {"code", "message", "expected", "got", "hint"}}``. What went
  wrong here, beyond the request, is told to this side's operator only.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from ipaddress import ip_address, ip_network
from pathlib import Path
from time import monotonic
from typing import Any

import orjson
from aiohttp import web

from reconciler.errors import FleetwardError
from reconciler.pipeline.membership.codes import CODES
from reconciler.pipeline.membership.door import Door
from reconciler.pipeline.membership.refusals import WINDOW
from reconciler.pipeline.membership.refused import BusyError, RequestError
from reconciler.pipeline.membership.request import MAX_BODY, JoinRequest, parse_request
from reconciler.pipeline.ports import Report
from reconciler.surfaces.cli.errors import error_dict
from reconciler.trust.pinned import LEAF

HANDSHAKE, HEADERS, BODY, WHOLE = 10.0, 10.0, 10.0, 120.0  # seconds
CONNECTIONS, PER_ADDRESS, CONCURRENT, PER_MINUTE = 256, 32, 16, 30
MAX_ADDRESSES = 10_000
_QUIET = logging.Logger(__name__, logging.CRITICAL + 1)
_HTTP: dict[str, Any] = {
    "logger": _QUIET, "access_log": None, "auto_decompress": False,
    "keepalive_timeout": 0, "lingering_time": 2,
}  # fmt: skip
_STATUS = {
    "FW1740": 401, "FW1741": 401, "FW1742": 401, "FW1743": 409, "FW1744": 403, "FW1745": 403, "FW1747": 409,
    "FW1748": 409, "FW1756": 400, "FW1757": 429, "FW1759": 503, "FW1775": 403, "FW1776": 403,
    "FW1777": 409, "FW1779": 503,
}  # fmt: skip


@dataclass(slots=True)
class Rates:
    """A bucket of ``PER_MINUTE`` requests for each address, refilled evenly.

    >>> rates = Rates(clock=lambda: 0.0)
    >>> [rates.take("192.0.2.1") for _ in range(PER_MINUTE + 1)].count(True) == PER_MINUTE
    True
    """

    clock: Callable[[], float] = monotonic
    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict)  # left, when

    def take(self, address: str) -> bool:
        """Whether one more request of this address may pass."""
        now, key = self.clock(), _network(address)
        left, when = self._buckets.pop(key, (float(PER_MINUTE), now))
        left = min(float(PER_MINUTE), left + (now - when) * PER_MINUTE / 60)
        if key not in self._buckets and len(self._buckets) >= MAX_ADDRESSES:
            del self._buckets[next(iter(self._buckets))]  # the one that asked longest ago
        self._buckets[key] = (left - 1 if left >= 1 else left, now)
        return left >= 1


def _network(address: str) -> str:
    try:
        version = ip_address(address.partition("%")[0]).version
    except ValueError:
        return ""
    return address if version == 4 else str(ip_network(f"{address.partition('%')[0]}/64", strict=False))


class _Connection(asyncio.Protocol):
    """A connection of aiohttp's, counted from its accept on, with an end: of its headers and of the whole."""

    def __init__(self, inner: asyncio.Protocol, live: set[_Connection], context: ssl.SSLContext) -> None:
        self._inner, self._live, self._context = inner, live, context
        self._timers: list[asyncio.TimerHandle] = []
        self._transport: asyncio.Transport | None = None  # once it is aiohttp's
        self._early = b""  # what came together with the end of the handshake
        self._network = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  what create_server gives
        self._network = _network(str((transport.get_extra_info("peername") or [""])[0]))
        alike = sum(one._network == self._network for one in self._live)
        if len(self._live) >= CONNECTIONS or alike >= PER_ADDRESS:
            transport.abort()
            return
        self._live.add(self)
        transport.pause_reading()  # what comes first is for TLS
        loop = asyncio.get_running_loop()
        self._timers = [loop.call_later(WHOLE, transport.abort)]
        self._securing = loop.create_task(self._secure(transport))

    async def _secure(self, plain: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        try:
            secured = await loop.start_tls(
                plain, self, self._context, server_side=True, ssl_handshake_timeout=HANDSHAKE
            )
        except OSError:  # no TLS, or too slow
            plain.abort()
            self._end()
            return
        if secured is None or self not in self._live:
            return  # it was lost in the meantime
        self._transport = secured
        self._timers.append(loop.call_later(HEADERS, self._late))
        self._inner.connection_made(secured)
        if self._early:
            self._inner.data_received(self._early)

    def _late(self) -> None:
        if self._transport is not None and not getattr(self._inner, "_current_request", None):
            self._transport.abort()

    def _end(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._live.discard(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        if self._transport is not None:
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            self._inner.data_received(data)
        else:
            self._early += data

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._transport is not None else None

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


@dataclass(slots=True)
class JoinServer:
    """One endpoint. ``ca_pem`` is the CA's certificate alone; ``issue`` gives the endpoint's, from a time on,
    and its key: PEM. ``period`` is how often it looks after certificate and refusals, in seconds."""

    door: Door
    ca_pem: bytes
    issue: Callable[[datetime], tuple[bytes, bytes]] = field(repr=False)
    report: Report
    period: float = WINDOW.total_seconds()
    rates: Rates = field(default_factory=Rates)
    _renewal: datetime | None = None
    _busy: int = 0
    _live: set[_Connection] = field(default_factory=set)

    async def serve(self, host: str | None, port: int, ready: Callable[[int], None]) -> None:
        """Listen until cancelled; ``ready`` gets the port. Raises OSError where it cannot listen."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._unhandled)
        http = web.Server(self._handle, **_HTTP)
        context = self._context()
        server = await loop.create_server(
            lambda: _Connection(http(), self._live, context), host, port, backlog=CONNECTIONS
        )  # fmt: skip
        tending = asyncio.create_task(self._tend(context))
        try:
            ready(server.sockets[0].getsockname()[1])
            await server.serve_forever()
        finally:
            tending.cancel()
            server.close()
            await http.shutdown(5)
            await self.door.flush(everything=True)

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._certify(context)
        return context

    def _certify(self, context: ssl.SSLContext) -> None:
        """Give a certificate to the connections from now on, unless theirs has a third of its life left."""
        now = self.door.ports.clock()
        if self._renewal is not None and now < self._renewal:
            return
        certificate, key = self.issue(now)
        with tempfile.TemporaryDirectory(
            prefix="fleetward-"
        ) as folder:  # mode 0700; OpenSSL reads files only
            path = Path(folder) / "endpoint.pem"
            path.touch(mode=0o600)
            path.write_bytes(certificate + key)
            context.load_cert_chain(path)
        self._renewal = now + LEAF * 2 / 3

    async def _tend(self, context: ssl.SSLContext) -> None:
        while True:
            await asyncio.sleep(self.period)
            await self.door.flush()
            try:
                self._certify(context)
            except OSError as error:  # the next time, then: a third of its life is left for that
                self.report(f"the endpoint's certificate could not be renewed: {error.strerror}")

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        address = request.remote or ""
        try:
            answer = await self._answer(request, address)
        except FleetwardError as error:
            answer = self._refusal(error)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:
            self._defect(error)
            answer = _json(500, {"error": {"code": "FW1000", "message": "the primary failed"}})
        answer.force_close()
        return answer

    def _unhandled(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Of a connection that broke there is nothing to say; the rest is ours."""
        error = context.get("exception")
        if error is not None and not isinstance(error, OSError):
            self._defect(error)

    def _defect(self, error: BaseException) -> None:
        self.report(f"error FW1000: a defect of fleetward: {type(error).__module__}.{type(error).__name__}")

    async def _answer(self, request: web.BaseRequest, address: str) -> web.Response:
        if not self.rates.take(address):
            return await self._refused(BusyError("too many requests from this address"), address)
        if (request.method, request.path) == ("GET", "/v1/ca"):
            return web.Response(body=self.ca_pem, content_type="application/x-pem-file")
        if (request.method, request.path) != ("POST", "/v1/join"):
            return _json(404, {"error": {"code": "FW1756", "message": "there is nothing here"}})
        try:
            asked = parse_request(await _body(request))
        except RequestError as error:
            return await self._refused(error, address)
        if self._busy >= CONCURRENT:
            return await self._refused(BusyError("too many joins at a time"), address)
        self._busy += 1
        try:
            return await self._join(asked, address)
        finally:
            self._busy -= 1

    async def _join(self, asked: JoinRequest, address: str) -> web.Response:
        admission = await self.door.admit(asked, address)
        return _json(200, {
            "cluster": admission.cluster, "uid": admission.uid, "branch": admission.branch,
            "commit": admission.commit,
        })  # fmt: skip

    async def _refused(self, error: FleetwardError, address: str) -> web.Response:
        await self.door.refuse(error.code, address)
        return self._refusal(error)

    def _refusal(self, error: FleetwardError) -> web.Response:
        self.report(f"refused: {error.code} {error.message}")
        if error.code not in CODES:
            return _json(503, {"error": {"code": error.code, "message": "the primary could not do it now"}})
        return _json(_STATUS.get(error.code, 422), {"error": error_dict(error)})


async def _body(request: web.BaseRequest) -> bytes:
    """Raises RequestError for a body that is too large or too slow."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY):
            async for part in request.content.iter_any():
                body += part
                if len(body) > MAX_BODY:
                    raise RequestError("the request is too large", expected=f"at most {MAX_BODY} bytes")
    except TimeoutError:
        raise RequestError("the request is too slow", expected=f"all of it within {BODY:.0f} s") from None
    return bytes(body)


def _json(status: int, value: dict[str, Any]) -> web.Response:
    return web.Response(status=HTTPStatus(status), body=orjson.dumps(value), content_type="application/json")
