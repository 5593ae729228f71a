"""A TLS proxy in front of a real API server: it counts requests, and answers as a test tells it to.

The certificate is issued by the cluster's own authority, so that the product trusts it like the API server.
``rule`` is asked for every request, in the thread of its connection, and returns what becomes of it:

>>> with Proxy(sandbox, "member-a") as proxy:  # doctest: +SKIP
...     proxy.rule = lambda seen: Canned(500) if seen.writes else FORWARD
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from reconciler.sandbox.local import Sandbox


@dataclass(frozen=True)
class Seen:
    """One request; ``number`` counts all of the proxy's requests from 1."""

    number: int
    method: str
    path: str
    body: bytes

    @property
    def writes(self) -> bool:
        """Whether it changes the cluster: no read, no dry run, no question about oneself."""
        return self.method != "GET" and "dryRun=All" not in self.path and "selfsubject" not in self.path


@dataclass(frozen=True)
class Forward:
    """Pass it on; ``edit`` changes the answer's body, ``keep`` sends only so much of it and then cuts."""

    edit: Callable[[bytes], bytes] = bytes
    keep: float = 1.0
    answer: bool = True  # False: the API server did it, and the client never learns


@dataclass(frozen=True)
class Canned:
    """Answer without asking the API server."""

    status: int
    body: bytes = b'{"kind":"Status","status":"Failure","message":"no"}'
    content_type: str = "application/json"
    location: str = ""  # where a redirect leads


@dataclass(frozen=True)
class Cut:
    """Close the connection; the API server never hears of the request."""


@dataclass(frozen=True)
class Hang:
    """Say nothing until the client gives up or the proxy closes."""


FORWARD = Forward()
Action = Forward | Canned | Cut | Hang


def forward(_seen: Seen) -> Action:
    return FORWARD


@dataclass
class Proxy:
    """See the module. ``seen`` has every request in the order of arrival."""

    sandbox: Sandbox
    name: str
    rule: Callable[[Seen], Action] = forward
    seen: list[Seen] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self.member = self.sandbox.members[self.name]
        issued = self.sandbox.issue(self.name, common_name="proxy", sans=["127.0.0.1"])
        inside = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        inside.load_cert_chain(issued.cert, issued.key)
        self.outside = ssl.create_default_context(cafile=str(self.member.ca_file))
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy, self._server.context = self, inside
        self._lock = threading.Lock()
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_address[1]}"

    @property
    def writes(self) -> list[Seen]:
        return [seen for seen in self.seen if seen.writes]

    def forget(self) -> None:
        """Count from here on, and forward everything."""
        self.seen.clear()
        self.rule = forward

    def note(self, method: str, path: str, body: bytes) -> Seen:
        with self._lock:
            seen = Seen(len(self.seen) + 1, method, path, body)
            self.seen.append(seen)
        return seen


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True
    block_on_close = False
    proxy: Proxy
    context: ssl.SSLContext

    def get_request(self) -> tuple[Any, Any]:
        plain, address = super().get_request()
        # The handshake takes place in the connection's own thread.
        return self.context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are killed, or give up, leave broken connections."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    upstream: http.client.HTTPSConnection | None = None

    def handle_any(self) -> None:
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        match proxy.rule(proxy.note(self.command, self.path, body)):
            case Forward() as action:
                self._forward(body, action)
            case Canned() as action:
                kind = action.content_type + (f"\r\nLocation: {action.location}" if action.location else "")
                self._answer(action.status, kind, action.body)
            case Hang():
                proxy.closing.wait(120)
                self._cut()
            case Cut():
                self._cut()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815  the base class's names

    def finish(self) -> None:
        if self.upstream:
            self.upstream.close()
        with suppress(OSError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        """Quiet."""

    def _forward(self, body: bytes, action: Forward) -> None:
        if self.upstream is None:
            host = self.server.proxy.member.url.removeprefix("https://")
            self.upstream = http.client.HTTPSConnection(host, timeout=60, context=self.server.proxy.outside)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length")}
        try:
            self.upstream.request(self.command, self.path, body or None, headers)
            response = self.upstream.getresponse()
            given = action.edit(response.read())
        except (OSError, http.client.HTTPException):
            self._cut()  # the API server itself is gone
            return
        if not action.answer:
            self._cut()
            return
        self._answer(response.status, response.headers.get("Content-Type", ""), given, action.keep)

    def _answer(self, status: int, content_type: str, body: bytes, keep: float = 1.0) -> None:
        head = f"HTTP/1.1 {status} x\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
        with suppress(OSError):
            self.wfile.write(head.encode() + body[: int(len(body) * keep)])
        if keep < 1:
            self._cut()

    def _cut(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
