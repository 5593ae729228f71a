"""A way to an API server that can break: a TCP proxy on loopback, TLS stays end to end.

``arm`` makes it close for good once so many more bytes have gone through: "up" cuts what the client sends,
"down" what the server answers, which the client then never gets although the server did its work.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Literal, Self

Way = Literal["up", "down"]


class TcpFront:
    """Use as a context manager; ``url`` is its https URL, ``sent`` what went which way so far."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._lock = threading.Lock()
        self._left: dict[Way, int] = {}
        self._open: set[socket.socket] = set()
        self.sent: dict[Way, int] = {"up": 0, "down": 0}
        self.closed = threading.Event()

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._port}"

    def arm(self, way: Way, size: int) -> None:
        """Close after ``size`` more bytes this way."""
        with self._lock:
            self._left[way] = size

    def close(self) -> None:
        """No connection from here on, and none of those there are."""
        with self._lock:
            self.closed.set()
            ends = [self._listener, *self._open]
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                with self._lock:
                    self._open |= {near, far}
                if self.closed.is_set():
                    self.close()
                for source, sink, way in ((near, far, "up"), (far, near, "down")):
                    threading.Thread(target=self._pump, args=(source, sink, way), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, way: Way) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                allowed = self._allowed(way, len(data))
                sink.sendall(data[:allowed])
                if allowed < len(data):
                    self.close()
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _allowed(self, way: Way, size: int) -> int:
        with self._lock:
            allowed = min(size, self._left[way]) if way in self._left else size
            if way in self._left:
                self._left[way] -= allowed
            self.sent[way] += allowed
            return allowed
