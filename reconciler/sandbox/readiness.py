"""Waits until components do their work, judged from outside and over TLS as any client would.

- Readiness is a fact that was seen (``/readyz`` says 200, aggregated roles have rules), never a time passed.
- A component that ends while it is waited for is an error at once, with the last lines of its log.

>>> wait({}, limit=1.0)
"""

import http.client
import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.errors import SandboxError
from reconciler.sandbox import files, processes
from reconciler.sandbox.processes import Process

Probe = Callable[[], bool]


def wait(probes: Mapping[Process, Probe], limit: float) -> None:
    """Return when every probe has said yes; raise after ``limit`` seconds or when a process has ended."""
    deadline = time.monotonic() + limit
    waiting = dict(probes)
    while waiting := {process: probe for process, probe in waiting.items() if not probe()}:
        for process in waiting:
            if not processes.alive(process):
                raise _failure(process, "ended while it was starting")
        if time.monotonic() > deadline:
            raise _failure(next(iter(waiting)), f"was not ready after {limit:.0f} s")
        time.sleep(processes.POLL_SECONDS)


def _failure(process: Process, what: str) -> SandboxError:
    lines = files.last_lines(process.log)
    return SandboxError(f"{process.role} {what}", got=f"these last lines:\n{lines}", where=str(process.log))


def etcd_ready(port: int) -> Probe:
    """Whether etcd has a leader and answers."""

    def probe() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        return _get(connection, "/readyz") is not None

    return probe


@dataclass(frozen=True, slots=True)
class Client:
    """A few reads from one API server with a client certificate."""

    host: str
    port: int
    context: ssl.SSLContext = field(repr=False)

    @classmethod
    def load(cls, port: int, ca: Path, cert: Path, key: Path) -> "Client":
        context = ssl.create_default_context(cafile=str(ca))
        context.load_cert_chain(cert, key)
        return cls("127.0.0.1", port, context)

    def get(self, path: str) -> bytes | None:
        """The body of a 200, else None."""
        return _get(http.client.HTTPSConnection(self.host, self.port, timeout=2, context=self.context), path)

    def ready(self) -> bool:
        """Whether all hooks of the start have run."""
        return self.get("/readyz") is not None

    def controlled(self) -> bool:
        """Whether the controllers have done the first work that objects need."""
        role = self._object("/apis/rbac.authorization.k8s.io/v1/clusterroles/view")
        return bool(role.get("rules")) and all(
            self._object(f"/api/v1/namespaces/default/{one}")
            for one in ("serviceaccounts/default", "configmaps/kube-root-ca.crt")
        )

    def _object(self, path: str) -> dict[str, Any]:
        body = self.get(path)
        return dict(json.loads(body)) if body else {}


def _get(connection: http.client.HTTPConnection, path: str) -> bytes | None:
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read(1 << 20)
    except (OSError, http.client.HTTPException):
        return None  # not listening yet, or in the middle of its start: the caller asks again
    finally:
        connection.close()
    return body if response.status == 200 else None
