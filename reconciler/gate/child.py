"""An OPA of our own: one child process on a Unix socket in a private folder.

Rules kept here
- Started by the first query, killed by ``close``, and dead when we are (see ``process.KEEPER``).
- One that is found dead before a query is started again, once; one that dies under a query is an error,
  since half an answer is no verdict.
- An OPA that overruns its limit is killed: nobody knows what else it would do.

>>> with ChildOpa(Path("opa"), source) as opa:  # doctest: +SKIP
...     opa.query({"stage": "content", "documents": []})
{'result': {...}}
"""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from reconciler.gate.answers import shown
from reconciler.gate.channel import ask, late
from reconciler.gate.errors import GateDiedError, GateTimeoutError
from reconciler.gate.inputs import encoded
from reconciler.gate.process import KEEPER, Workspace, environment, head
from reconciler.gate.source import GateSource
from reconciler.model import Json

START_TIMEOUT = 20.0  # seconds until the socket answers
STOP_TIMEOUT = 5.0  # seconds
MAX_LOG = 1 << 16  # bytes
MAX_SOCKET_PATH = 100  # bytes; the kernel's sockaddr_un has 108


class ChildOpa:
    """Evaluates one GateSource; safe to use from several threads."""

    def __init__(self, opa: Path, source: GateSource, *, timeout: float = 10.0) -> None:
        self._opa = opa
        self._source = source
        self._timeout = timeout
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._workspace: Workspace | None = None
        self._starts = 0
        self._overran = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def query(self, given: Json) -> Json:
        """OPA's answer about ``data.fleetward.gate`` for one input.

        Raises GateTimeoutError, GateDiedError or GateAnswerError.
        """
        body = encoded({"input": given})
        address = self._running()
        try:
            answer = ask(address, body, self._timeout)
        except GateTimeoutError:
            self._overran = True
            self.close()
            raise
        except GateDiedError as error:
            if self._overran:  # by a query of another thread
                raise late(self._timeout) from error
            error.got = error.got or self._last_words()
            self.close()  # a dying process may still take connections for a moment
            raise
        self._starts = 1  # it works: should it die before the next query, it may start again
        return answer

    def close(self) -> None:
        """Kill OPA and remove its folder. A later query starts again, within the allowance of one restart."""
        with self._lock:
            self._stop()

    def _running(self) -> Path:
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            assert self._workspace is not None  # noqa: S101 - set by _start
            return self._workspace.root / "s"

    def _start(self) -> None:
        words = self._last_words()
        self._stop()
        if self._starts > 1:
            raise GateDiedError(
                "OPA keeps dying",
                expected="at most one restart",
                got=words,
                hint="look at the memory of this machine",
            )
        self._starts += 1
        self._workspace = Workspace.create(self._source)
        root = self._workspace.root
        if len(str(root / "s").encode()) > MAX_SOCKET_PATH:
            raise GateDiedError(
                "the temporary directory's path is too long for a socket",
                expected=f"at most {MAX_SOCKET_PATH} bytes",
                got=str(root),
                hint="set TMPDIR",
            )
        self._process = _spawn(self._opa, root)
        self._await(root / "s")

    def _await(self, address: Path) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not _accepts(address):
            if self._process is None or self._process.poll() is not None:
                raise GateDiedError("OPA did not start", got=self._last_words())
            if time.monotonic() > deadline:
                self._stop()
                raise GateTimeoutError("OPA did not start", expected=f"a socket within {START_TIMEOUT:g} s")
            time.sleep(0.002)

    def _stop(self) -> None:
        process, workspace = self._process, self._workspace
        self._process = self._workspace = None
        if process is not None:
            assert process.stdin is not None  # noqa: S101 - a pipe, see _spawn
            with suppress(OSError):
                process.stdin.close()  # the keeper reads its end and kills OPA
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
        if workspace is not None:
            workspace.remove()

    def _last_words(self) -> str:
        """Why OPA ended, as it says first: JSON lines are its ordinary log, stacks follow the reason."""
        if self._workspace is None:
            return ""
        lines = head(self._workspace.root / "log", MAX_LOG).splitlines()
        words = "\n".join(line for line in lines if not line.startswith("{")).strip()
        return shown(self._workspace.strip(words)) if words else ""


def _spawn(opa: Path, root: Path) -> subprocess.Popen[bytes]:
    options = ["--server", "--addr=unix://s", "--unix-socket-perm=700", "--skip-version-check"]
    command = [str(opa), "run", *options, "--log-level=error", "rules"]
    try:
        with (root / "log").open("wb") as log:
            return subprocess.Popen(
                ["/bin/sh", "-c", KEEPER, "sh", str(root), *command],
                cwd=root,
                env=environment(root),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours to answer
            )
    except OSError as error:
        raise GateDiedError("OPA cannot be started", got=str(error)) from error


def _accepts(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
        probe.connect(str(address))
        return True
    return False
