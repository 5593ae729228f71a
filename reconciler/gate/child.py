"""An OPA of our own: one child process on a Unix socket in a private folder.

Rules kept here
- Started by the first query, killed by ``close``, and dead when we are (see ``process.KEEPER``).
- One that is found dead before a query is started again, once; one that dies under a query is an error,
  since half an answer is no verdict.
- A query is over at its limit, whoever is to blame: a watchdog cuts the connection and OPA is killed, because
  nobody knows what else it would do.

>>> with ChildOpa(Path("opa"), source) as opa:  # doctest: +SKIP
...     opa.query({"stage": "content", "documents": []})
{'result': {...}}
"""

from __future__ import annotations

import http.client
import socket
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from reconciler.gate.answers import shown
from reconciler.gate.errors import GateAnswerError, GateDiedError, GateTimeoutError
from reconciler.gate.inputs import encoded
from reconciler.gate.process import KEEPER, Workspace, environment, head
from reconciler.gate.source import GateSource
from reconciler.model import Json

START_TIMEOUT = 20.0  # seconds until the socket answers
STOP_TIMEOUT = 5.0  # seconds
MAX_LOG = 1 << 16  # bytes
MAX_ANSWER = 64 << 20  # bytes
MAX_SOCKET_PATH = 100  # bytes; the kernel's sockaddr_un has 108
QUERY_PATH = "/v1/data/fleetward/gate?strict-builtin-errors=true"


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
                raise _late(self._timeout) from error
            error.got = error.got or self._last_words()
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


def ask(address: Path, body: bytes, timeout: float) -> Json:
    """One POST to an OPA on a Unix socket, over at ``timeout`` seconds whatever the other side does."""
    channel = socket.socket(socket.AF_UNIX)
    channel.settimeout(timeout)
    expired = threading.Event()
    watchdog = threading.Timer(timeout, _cut, (channel, expired))
    watchdog.daemon = True
    watchdog.start()
    try:
        status, data = _post(channel, address, body)
    except TimeoutError as error:
        raise _late(timeout) from error
    except (OSError, http.client.HTTPException) as error:
        raise (
            _late(timeout)
            if expired.is_set()
            else GateDiedError("OPA died during a query", hint="look at the memory of this machine")
        ) from error
    finally:
        watchdog.cancel()
        channel.close()
    if expired.is_set():
        raise _late(timeout)
    return decode(status, data)


def decode(status: int, data: bytes) -> Json:
    """OPA's answer as JSON. Raises GateAnswerError for all but a 200 with JSON of a bearable size."""
    if len(data) > MAX_ANSWER:
        raise GateAnswerError("OPA's answer is too large", expected=f"at most {MAX_ANSWER} bytes")
    try:
        answer = orjson.loads(data)
    except ValueError as error:
        raise GateAnswerError(
            "OPA's answer is not JSON", got=shown(data[:200].decode("utf-8", "replace"))
        ) from error
    if status != http.client.OK:
        raise GateAnswerError(
            "OPA could not evaluate the gate",
            got=_reason(status, answer),
            hint="mend the rule named; guard built-ins against values of other types",
        )
    return answer


def _post(channel: socket.socket, address: Path, body: bytes) -> tuple[int, bytes]:
    channel.connect(str(address))
    connection = http.client.HTTPConnection("opa")
    connection.sock = channel
    connection.request("POST", QUERY_PATH, body, {"Content-Type": "application/json", "Connection": "close"})
    response = connection.getresponse()
    return response.status, response.read(MAX_ANSWER + 1)


def _cut(channel: socket.socket, expired: threading.Event) -> None:
    expired.set()
    with suppress(OSError):
        channel.shutdown(socket.SHUT_RDWR)


def _late(timeout: float) -> GateTimeoutError:
    return GateTimeoutError(
        "the gate took too long",
        expected=f"a verdict within {timeout:g} s",
        hint="simplify the rule, or raise spec.gate.timeout in federation.yaml",
    )


def _reason(status: int, answer: Json) -> str:
    errors = answer.get("errors") if isinstance(answer, dict) else None
    if not isinstance(errors, list) or not errors or not isinstance(errors[0], dict):
        return f"HTTP {status} {shown(answer)}"
    location = errors[0].get("location") or {}
    file = str(location.get("file", "")).removeprefix("rules/")
    return f"{file}:{location.get('row', 0)}: {errors[0].get('message', '')}"
