"""A real S3 server over a folder, and a proxy in front of it that counts requests and answers as told.

The server is the Versity gateway, built once from ``tools/versitygw``. Each object is a file, so a test can
look at a log in a bucket as at one in a directory. ``rule`` is asked for every request of the proxy:

>>> with S3Proxy(server) as proxy:  # doctest: +SKIP
...     proxy.rule = lambda seen: Canned(500) if seen.path.endswith("/head") else FORWARD
"""

from __future__ import annotations

import http.client
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

from audit_helpers import ORIGIN, SIGNER, ticking_clock

from reconciler.audit.log import Log
from reconciler.audit.store_directory import DirectoryStore
from reconciler.audit.store_s3 import S3Store
from reconciler.sandbox import binaries
from reconciler.sandbox.components import free_port
from reconciler.sandbox.golang import Recipe
from reconciler.sandbox.pki import Credential

RECIPE = Recipe("versitygw", "v1.8.0", "versitygw", "github.com/versity/versitygw/cmd/versitygw", "1 min")
KEY, SECRET = "AKFLEETWARDTEST", "secret-of-the-test-server"
_START_SECONDS = 30.0
_numbers = count(1)


class S3Server:
    """A server on a port of its own, over ``root``; it can be killed and started again."""

    def __init__(self, root: Path, certificate: Credential | None = None) -> None:
        self.root, self.port, self.certificate = root, free_port(), certificate
        self._binary = binaries.ensure_recipe(RECIPE, lambda line: print(line, file=sys.stderr, flush=True))
        self._process: subprocess.Popen[bytes] | None = None
        (root / "data").mkdir(parents=True)
        (root / "sidecar").mkdir()

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        files = ("--cert", self.certificate.cert, "--key", self.certificate.key) if self.certificate else ()
        address = ("--port", f"127.0.0.1:{self.port}", "--quiet")
        command = [str(part) for part in (self._binary, *address, *files, "posix", *self._metadata())]
        keys = {"ROOT_ACCESS_KEY_ID": KEY, "ROOT_SECRET_ACCESS_KEY": SECRET, "PATH": os.environ["PATH"]}
        with (self.root / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, env=keys, stdout=log, stderr=log)
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            said = (self.root / "server.log").read_text(errors="replace")[-2000:]
            assert self._process.poll() is None, said
            assert time.monotonic() < deadline, said
            select.select([], [], [], 0.02)

    def _metadata(self) -> list[str]:
        """Entity tags are kept in extended attributes where the file system has them."""
        try:
            os.setxattr(self.root / "data", "user.fleetward", b"1")
        except OSError:
            return ["--sidecar", str(self.root / "sidecar"), str(self.root / "data")]
        return [str(self.root / "data")]

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0):
            return True
        return False

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def new_bucket(self) -> str:
        name = f"bucket-{next(_numbers)}"
        (self.root / "data" / name).mkdir()
        return name


def variables(url: str, **other: str) -> dict[str, str]:
    """The environment of a client; the metadata service is out of reach."""
    nowhere = "http://127.0.0.1:1"
    return {
        "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": nowhere, **other,
    }  # fmt: skip


def open_s3(
    location: str, url: str, *, timeout: float = 20.0, state_cache: Path | None = None, **other: str
) -> Log:
    """``other`` are variables."""
    store = S3Store(location, variables(url, **other), timeout=timeout)
    return Log.open(store, SIGNER, origin=ORIGIN, clock=ticking_clock(), state_cache=state_cache)


def open_public(folder: Path) -> Log:
    """The log as those see it who know nothing of ``head``: its C2SP files."""
    return Log.open(DirectoryStore(folder), SIGNER, origin=ORIGIN, clock=ticking_clock())


@dataclass(frozen=True)
class Seen:
    """One request; ``number`` counts all of the proxy's requests from 1."""

    number: int
    method: str
    path: str
    conditional: bool


@dataclass(frozen=True)
class Forward:
    """Pass it on; without ``answer`` the client never learns of it; with ``wait`` it waits in vain."""

    answer: bool = True
    wait: bool = False


@dataclass(frozen=True)
class Canned:
    """Answer without asking the server."""

    status: int
    body: bytes = b""
    tag: str = ""
    length: int = -1  # what Content-Length says; -1: the truth


@dataclass(frozen=True)
class Cut:
    """Close the connection; the server never hears of the request."""


@dataclass(frozen=True)
class Hang:
    """Say nothing until the proxy closes."""


FORWARD = Forward()
Action = Forward | Canned | Cut | Hang


class S3Proxy:
    """See the module. ``seen`` has every request in the order of arrival."""

    def __init__(self, server: S3Server) -> None:
        self.server, self.seen, self.closing = server, list[Seen](), threading.Event()
        self.rule: Callable[[Seen], Action] = lambda _: FORWARD
        self._lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.proxy = self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def note(self, handler: BaseHTTPRequestHandler) -> Seen:
        conditional = any(name in handler.headers for name in ("If-Match", "If-None-Match"))
        path = handler.path.partition("?")[0]
        with self._lock:
            self.seen.append(Seen(len(self.seen) + 1, handler.command, path, conditional))
            return self.seen[-1]

    def forget(self) -> None:
        """Count from here on, and forward everything."""
        with self._lock:
            self.seen.clear()
        self.rule = lambda _: FORWARD

    def __enter__(self) -> S3Proxy:
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True
    block_on_close = False
    proxy: S3Proxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are killed, or give up, leave broken connections."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_any(self) -> None:
        proxy = self.server.proxy
        self.close_connection = True
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        match proxy.rule(proxy.note(self)):
            case Forward() as action:
                self._forward(body, action)
            case Canned() as action:
                headers = [("ETag", action.tag)] if action.tag else []
                self._answer(action.status, headers, action.body, action.length)
            case Hang():
                proxy.closing.wait(120)
                self._cut()
            case Cut():
                self._cut()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any  # noqa: N815  the base class's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        """Quiet."""

    def _forward(self, body: bytes, action: Forward) -> None:
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.proxy.server.port, timeout=60)
        try:
            # The signature covers the host, so the server has to see the name that the client used.
            upstream.request(self.command, self.path, body or None, dict(self.headers.items()))
            response = upstream.getresponse()
            given, headers = response.read(), response.getheaders()
        except (OSError, http.client.HTTPException):
            return self._cut()
        finally:
            upstream.close()
        if action.wait:
            self.server.proxy.closing.wait(120)
        if not action.answer or action.wait:
            return self._cut()
        kept = [(k, v) for k, v in headers if k.lower() in ("etag", "last-modified", "content-type")]
        return self._answer(response.status, kept, given, -1)

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes, length: int) -> None:
        shown = [
            *headers,
            ("Content-Length", str(len(body) if length < 0 else length)),
            ("Connection", "close"),
        ]
        head = f"HTTP/1.1 {status} x\r\n" + "".join(f"{k}: {v}\r\n" for k, v in shown) + "\r\n"
        with suppress(OSError):
            self.wfile.write(head.encode() + body)

    def _cut(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def running_server(root: Path, certificate: Credential | None = None) -> Iterator[S3Server]:
    server = S3Server(root, certificate)
    server.start()
    try:
        yield server
    finally:
        server.kill()
