"""A central OPA by URL: a real OPA on loopback, over http and over https."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from gate_kit import NOW, content, document, module, source

from reconciler.errors import GateError
from reconciler.gate import (
    Gate,
    GateAnswerError,
    GateCentralError,
    GateDiedError,
    GateSource,
    GateTimeoutError,
    RemoteOpa,
    open_gates,
    product_source,
)
from reconciler.gate.central import address
from reconciler.sandbox import pki

BAD = content(document("Role", "x", api="rbac.authorization.k8s.io/v1", rules=[{"verbs": ["*"]}]))
OTHERS = "package payments\n\nallow := true\n"


@contextmanager
def central(opa: str, log: Path, *options: str) -> Iterator[int]:
    """An OPA on a free port of loopback."""
    command = [opa, "run", "--server", "--addr=127.0.0.1:0", "--skip-version-check", *options]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            yield _port(process, log)
        finally:
            process.kill()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        if found := _listening(process.pid):
            return found[0]
    raise AssertionError(log.read_text())


def _listening(pid: int) -> list[int]:
    """The TCP ports on which a process listens."""
    sockets = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return [
        int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets
    ]


@pytest.fixture
def url(opa: str, tmp_path: Path) -> Iterator[str]:
    with central(opa, tmp_path / "central.log") as port:
        yield f"http://127.0.0.1:{port}"


def call(url: str, path: str, text: str | None = None) -> Any:
    """One request to the central OPA, as its operators make it."""
    data = text.encode() if text is not None else None
    request = urllib.request.Request(url + path, data, method="GET" if data is None else "PUT")  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
        return json.load(response)


def held(url: str) -> set[str]:
    return {policy["id"] for policy in call(url, "/v1/policies")["result"]}


def gate(opa: str, url: str, judged: GateSource, timeout: float = 10.0) -> Gate:
    return Gate(judged, opa=Path(opa), evaluator=RemoteOpa(url, judged, timeout=timeout))


@pytest.mark.real
def test_uploads_its_modules_and_judges_as_the_child_does(opa: str, url: str) -> None:
    call(url, "/v1/policies/payments", OTHERS)
    product = product_source()
    with Gate(product, opa=Path(opa)) as child, gate(opa, url, product) as remote:
        assert remote.evaluate(BAD, now=NOW) == child.evaluate(BAD, now=NOW)
        assert not remote.evaluate(BAD, now=NOW).allowed
    digest = product.digest.removeprefix("sha256:")
    assert held(url) == {"payments", *(f"fleetward/{digest}/{m.path}" for m in product.rules)}


@pytest.mark.real
def test_modules_that_operators_loaded_are_used(opa: str, url: str) -> None:
    rules = source(module("own", 'deny contains "x" if true'), name="product")
    call(url, "/v1/policies/by-hand", rules.rules[0].text)
    with gate(opa, url, rules) as remote:
        assert not remote.evaluate(BAD, now=NOW).allowed
    assert held(url) == {"by-hand"}


@pytest.mark.real
@pytest.mark.parametrize(
    "text",
    ["package fleetward.gate.other\n\nwarn contains 1 if false", "package fleetward\n\ngate.own.deny := {1}"],
)  # fmt: skip
def test_gates_do_not_mix(opa: str, url: str, text: str) -> None:
    call(url, "/v1/policies/theirs", text)
    rules = source(module("own", 'deny contains "x" if true'), name="product")
    with gate(opa, url, rules) as remote, pytest.raises(GateCentralError, match="other fleetward policies"):
        remote.evaluate(BAD, now=NOW)
    assert held(url) == {"theirs"}


@pytest.mark.real
def test_second_gate_is_refused_and_the_first_stays(opa: str, url: str) -> None:
    first, second = (source(module("own", f'deny contains "{x}" if true'), name="product") for x in "ab")
    with gate(opa, url, first) as remote, gate(opa, url, second) as other:
        remote.evaluate(BAD, now=NOW)
        with pytest.raises(GateCentralError):
            other.evaluate(BAD, now=NOW)
        assert [f.message for f in remote.evaluate(BAD, now=NOW).findings] == ["a"]


@pytest.mark.real
def test_fleets_rules_stay_at_home(opa: str, url: str) -> None:
    fleet = source(module("own", 'deny contains "x" if true'))
    with open_gates(
        (product_source(), fleet), opa=Path(opa), central=lambda judged: RemoteOpa(url, judged)
    ) as gates:
        found = gates.evaluate(BAD, now=NOW).findings
    assert {finding.rule for finding in found} == {"own", "rbac.wildcard"}
    assert not any(id_.endswith("own.rego") for id_ in held(url))


@pytest.mark.real
def test_tls_is_verified(opa: str, tmp_path: Path) -> None:
    authority = pki.create(tmp_path, "central")
    pair = authority.issue("opa", common_name="opa", sans=["127.0.0.1"])
    tls = (f"--tls-cert-file={pair.cert}", f"--tls-private-key-file={pair.key}")
    rules = source(module("own", 'deny contains "x" if true'), name="product")
    with central(opa, tmp_path / "central.log", *tls) as port:
        with RemoteOpa(f"https://127.0.0.1:{port}", rules, ca_bundle=tmp_path / "ca.crt") as remote:
            assert remote.query({}) == {"result": {"own": {"deny": ["x"]}}}
        with RemoteOpa(f"https://127.0.0.1:{port}", rules) as remote, pytest.raises(GateDiedError) as caught:
            remote.query({})
        assert caught.value.got == "SSLError"


@pytest.mark.real
def test_builtin_error_over_the_network(opa: str, url: str) -> None:
    rules = source(
        module("own", 'deny contains "x" if to_number(input.documents[0].kind) > 1'), name="product"
    )
    with gate(opa, url, rules) as remote, pytest.raises(GateAnswerError, match="could not evaluate"):
        remote.evaluate(BAD, now=NOW)


@pytest.mark.real
def test_query_over_its_limit(opa: str, url: str) -> None:
    slow = "some a in numbers.range(1, 100000); some b in numbers.range(1, 100000); a + b < 0"
    rules = source(
        module("own", f'deny contains "x" if {{ input.documents[0].kind; {slow} }}'), name="product"
    )
    with gate(opa, url, rules, timeout=1.0) as remote, pytest.raises(GateTimeoutError):
        remote.evaluate(BAD, now=NOW)


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with RemoteOpa(f"http://127.0.0.1:{port}", product_source()) as remote, pytest.raises(GateDiedError):
        remote.query({})


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
     b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnope", b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\n{}",
     b"HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
     b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"result":[1]}\n'],
)  # fmt: skip
def test_other_side_that_is_no_opa(answer: bytes) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        threading.Thread(target=_serve, args=(server, answer), daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with RemoteOpa(url, product_source(), timeout=2) as remote, pytest.raises(GateError) as caught:
            remote.query({})
    assert caught.value.hint


def test_drip_is_cut_at_the_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_drip, args=(server,), daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with RemoteOpa(url, product_source(), timeout=0.1) as remote, pytest.raises(GateTimeoutError):
            remote.query({})


def _drip(server: socket.socket) -> None:
    """Headers without end, each in time."""
    connection, _ = server.accept()
    over = threading.Event()
    with connection:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while not over.wait(0.02):
            try:
                connection.sendall(b"x")
            except OSError:
                return


def _serve(server: socket.socket, answer: bytes) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.recv(1 << 16)
            connection.sendall(answer)


@pytest.mark.parametrize(
    "url",
    ["http://opa.example.com", "http://10.0.0.1:8181", "ftp://127.0.0.1", "https://", "opa", "https://u:p@opa",
     "https://opa/path", "https://opa?x=1", "https://opa:0x1", "http://localhost.example.com", "https://[::1"],
)  # fmt: skip
def test_url_that_is_not_safe(url: str) -> None:
    with pytest.raises(GateCentralError) as caught:
        address(url)
    assert "u:p" not in str(caught.value)


def test_url_that_is_safe() -> None:
    assert address("https://opa.example.com:444/") == ("opa.example.com", 444, True)
    assert address("http://[::1]:9000") == ("[::1]", 9000, False)
    assert address("http://localhost") == ("localhost", 8181, False)
