"""The child process: private, mortal, and never the reason to wait for ever."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from gate_kit import module, source
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.errors import GateError
from reconciler.gate import ChildOpa, GateDiedError, GateTimeoutError
from reconciler.gate.channel import ask

RULES = source(module("own", 'deny contains "x" if input.bad'))
SLOW = source(
    module("own", 'deny contains "x" if { input.bad; some a in numbers.range(1, 9999999); a < 0 }'),
)  # fmt: skip
PARENT = """
import sys
from pathlib import Path
from reconciler.gate import ChildOpa, GateSource, Module
opa = ChildOpa(Path(sys.argv[1]), GateSource("fleet", (Module("a.rego", "package fleetward.gate.a"),)))
opa.query({})
print(opa._workspace.root, flush=True)
sys.stdin.read()
"""


def opa_of(child: ChildOpa) -> int:
    """The process id of OPA itself, below the shell that keeps it."""
    assert child._process is not None
    parent = child._process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return next(int(pid) for pid in children if b"--server" in Path(f"/proc/{pid}/cmdline").read_bytes())


def kill(child: ChildOpa) -> None:
    process = child._process
    assert process is not None
    os.kill(opa_of(child), signal.SIGKILL)
    process.wait(10)


def is_gone(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


@contextmanager
def answering(path: Path, answer: bytes | None) -> Iterator[Path]:
    """The other side of the port: accepts, reads, says ``answer``, or nothing at all."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        threading.Thread(target=_serve, args=(server, answer), daemon=True).start()
        yield path


def _serve(server: socket.socket, answer: bytes | None) -> None:
    held = []
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        if answer is None:
            held.append(connection)
            continue
        with connection:
            connection.recv(1 << 16)
            connection.sendall(answer)


@pytest.mark.real
def test_socket_and_folder_are_private_and_go_away(opa: str) -> None:
    with ChildOpa(Path(opa), RULES) as child:
        assert child._process is None  # on demand
        assert child.query({"bad": True}) == {"result": {"own": {"deny": ["x"]}}}
        assert child._workspace is not None
        root = child._workspace.root
        assert stat.S_IMODE(root.stat().st_mode) == 0o700
        assert stat.S_ISSOCK((root / "s").stat().st_mode)
        environment = Path(f"/proc/{opa_of(child)}/environ").read_bytes()
        assert {entry.split(b"=")[0] for entry in environment.split(b"\0") if entry} <= {
            b"HOME",
            b"PATH",
            b"PWD",
        }
        pid = opa_of(child)
    assert is_gone(pid)
    assert not root.exists()


@pytest.mark.real
def test_dead_between_queries_is_started_again(opa: str) -> None:
    with ChildOpa(Path(opa), RULES) as child:
        for _ in range(3):  # each success earns the next restart
            assert child.query({}) == {"result": {"own": {"deny": []}}}
            kill(child)
        assert child.query({}) == {"result": {"own": {"deny": []}}}


@pytest.mark.real
def test_dead_in_the_middle_is_an_error(opa: str) -> None:
    with ChildOpa(Path(opa), SLOW, timeout=60) as child:
        child.query({})
        caught: list[Exception] = []
        asked = threading.Thread(target=lambda: _record(child, caught))
        asked.start()
        pid = opa_of(child)
        _until_busy(pid)
        os.kill(pid, signal.SIGKILL)
        asked.join(10)
        assert [type(error) for error in caught] == [GateDiedError]
        assert child.query({}) == {"result": {"own": {"deny": []}}}


def _record(child: ChildOpa, caught: list[Exception]) -> None:
    try:
        child.query({"bad": True})
    except GateError as error:
        caught.append(error)


def _until_busy(pid: int) -> None:
    """Until the query costs OPA processor time: then it is in the middle."""

    def ticks() -> int:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11])

    start, deadline = ticks(), time.monotonic() + 20
    while ticks() < start + 10:
        assert time.monotonic() < deadline


def _until_stopped(pid: int) -> None:
    """A signal takes effect when the process next runs, which may be after our query."""
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "T":
        assert time.monotonic() < deadline


@pytest.mark.real
def test_stopped_opa_is_a_timeout_and_gone(opa: str) -> None:
    with ChildOpa(Path(opa), RULES, timeout=0.3) as child:
        child.query({})
        pid = opa_of(child)
        os.kill(pid, signal.SIGSTOP)
        _until_stopped(pid)
        with pytest.raises(GateTimeoutError):
            child.query({})
        assert is_gone(pid)


@pytest.mark.real
def test_that_does_not_start_says_why(opa: str) -> None:
    with (
        ChildOpa(Path(opa), source(module("own", "deny contains"))) as child,
        pytest.raises(GateDiedError) as caught,
    ):
        child.query({})
    assert "policies/gate/own.rego:4: rego_parse_error" in caught.value.got


@pytest.mark.real
def test_dies_with_us_however_hard_we_die(opa: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, opa], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        root = Path(parent.stdout.readline().strip())
        with socket.socket(socket.AF_UNIX) as channel:
            channel.connect(str(root / "s"))
            channel.settimeout(20)
            parent.kill()
            assert channel.recv(1) == b""  # OPA is gone: its end is closed
    assert not root.exists()


@pytest.mark.parametrize(
    "answer", [None, b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"]
)
def test_silent_or_broken_other_side(tmp_path: Path, answer: bytes | None) -> None:
    start = time.monotonic()
    with answering(tmp_path / "s", answer) as address, pytest.raises(GateError) as caught:
        ask(address, b"{}" * (1 << 20), 0.5)
    assert isinstance(caught.value, GateTimeoutError if answer is None else GateError)
    assert time.monotonic() - start < 5


def test_drip_is_cut_at_the_limit(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        threading.Thread(target=_drip, args=(server,), daemon=True).start()
        with pytest.raises(GateTimeoutError):
            ask(tmp_path / "s", b"{}", 0.5)


def _drip(server: socket.socket) -> None:
    """One byte whenever the last one was taken, for ever: no single read is ever late."""
    connection, _ = server.accept()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    try:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"1\r\n \r\n")
    except OSError:
        return


def test_endless_answer_is_refused(tmp_path: Path) -> None:
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + b" " * ((64 << 20) + 2)
    with answering(tmp_path / "s", endless) as address, pytest.raises(GateError, match="too large"):
        ask(address, b"{}", 30)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=60), headed=st.booleans())
def test_any_answer_is_an_answer_or_an_error(tmp_path: Path, data: bytes, headed: bool) -> None:
    path = tmp_path / "s"
    path.unlink(missing_ok=True)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(data), data) if headed else data
    with answering(path, answer) as address:
        try:
            ask(address, b"{}", 2)
        except GateError as error:
            assert error.code.startswith("FW15")


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(GateDiedError):
        ask(tmp_path / "s", b"{}", 1)
