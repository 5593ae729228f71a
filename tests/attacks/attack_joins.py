"""Attacks on joins: a promoted fleet whose endpoint is a process of its own, and a man in the middle.

``Middle`` ends TLS with a certificate of somebody else and passes on what it reads; it keeps what it read, so
that a test can show that no secret was in it. ``refused`` is what every refusal has to leave behind: nothing.
"""

from __future__ import annotations

import socket
import ssl
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import pytest
from attack_members import Plane, Sandbox  # also puts the kits of e2e on the path
from cryptography.hazmat.primitives.serialization import Encoding
from join_world import World, making_world

from reconciler.trust.pinned import issue_leaf, new_authority

TYPES = {"token-used", "member-joined"}


@pytest.fixture
def world(sandbox: Sandbox, all_planes: dict[str, Plane], prepared: Path, tmp_path: Path) -> Iterator[World]:
    """A trusted fleet without members, promoted on the sandbox's primary; member-b was never prepared."""
    for plane in all_planes.values():
        plane.clear()
    with making_world(sandbox, all_planes, prepared, tmp_path) as made:
        yield made


@pytest.fixture
def front() -> Iterator[Callable[[str], Middle]]:
    """Makes a man in the middle in front of a URL."""
    with ExitStack() as stack:
        yield lambda url: stack.enter_context(Middle(int(url.rpartition(":")[2])))


class Listener(ABC):
    """A server on a port of its own, while it is open; each connection is handed to ``taken``."""

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=32)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self.taken(self._listener.accept()[0])

    @abstractmethod
    def taken(self, connection: socket.socket) -> None:
        """One connection; an OSError ends the server."""


@dataclass
class Middle(Listener):
    """See the module. ``ca`` answers ``GET /v1/ca`` in the endpoint's place, "" for its own answer."""

    target: int  # port of the true server on this machine
    name: str = "127.0.0.1"
    ca: Callable[[bytes], bytes] | None = None  # from his own CA (PEM)
    heard: bytearray = field(default_factory=bytearray)

    def __enter__(self) -> Self:
        authority = new_authority(self.name)
        self.own = authority.certificate.public_bytes(Encoding.PEM)
        leaf, key = issue_leaf(authority, (self.name,), datetime.now(UTC))
        self._inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "both.pem"
            path.write_bytes(leaf + key)
            self._inside.load_cert_chain(path)
        self._outside = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._outside.check_hostname, self._outside.verify_mode = False, ssl.CERT_NONE
        return super().__enter__()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def taken(self, connection: socket.socket) -> None:
        threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(30)
        with suppress(OSError), plain, self._inside.wrap_socket(plain, server_side=True) as inside:
            asked = inside.recv(1 << 16)
            self.heard += asked
            if self.ca and asked.startswith(b"GET /v1/ca"):
                body = self.ca(self.own)
                inside.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                return
            with (
                socket.create_connection(("127.0.0.1", self.target), timeout=30) as far,
                self._outside.wrap_socket(far) as outside,
            ):
                outside.sendall(asked)
                while part := outside.recv(1 << 16):
                    inside.sendall(part)


@dataclass
class Trap(Listener):
    """A port that nobody has a reason to connect to; ``caught`` counts who did."""

    caught: int = 0

    def taken(self, connection: socket.socket) -> None:
        self.caught += 1
        connection.close()


def nothing_joined(world: World) -> None:
    """No token was used, no credential stored, no branch made."""
    assert world.kinds(*TYPES) == []
    folder = world.fleet.settings.credentials / "joined"
    assert not folder.exists() or list(folder.iterdir()) == []
    assert world.fleet.repo.git("branch", "--list", "join/*") == ""
    world.fleet.assert_log_whole()


def memory(pid: int) -> int:
    """Bytes that a process had in memory at the most so far: what was given back counts too."""
    (peak,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmHWM" in line]
    return int(peak.split()[1]) << 10


def sources() -> Iterator[str]:
    """Loopback addresses, each another one to the limits on requests."""
    yield from (f"127.{a}.{b}.{c}" for a in range(1, 255) for b in range(255) for c in range(1, 255))
