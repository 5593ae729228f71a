"""One question to an OPA on a Unix socket, over HTTP, with an end.

Rules kept here
- A question is over at its limit, whoever is to blame: a watchdog cuts the connection, so that neither
  silence nor a drip of bytes can hold us.
- Anything but a 200 with JSON of a bearable size is an error that names the reason OPA gave.

>>> decode(200, b'{"result": {}}')
{'result': {}}
"""

from __future__ import annotations

import http.client
import socket
import threading
from contextlib import suppress
from pathlib import Path

import orjson

from reconciler.gate.answers import shown
from reconciler.gate.errors import GateAnswerError, GateDiedError, GateTimeoutError
from reconciler.model import Json

MAX_ANSWER = 64 << 20  # bytes
QUERY_PATH = "/v1/data/fleetward/gate?strict-builtin-errors=true"


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
        raise late(timeout) from error
    except (OSError, http.client.HTTPException) as error:
        raise (
            late(timeout)
            if expired.is_set()
            else GateDiedError("OPA died during a query", hint="look at the memory of this machine")
        ) from error
    finally:
        watchdog.cancel()
        channel.close()
    if expired.is_set():
        raise late(timeout)
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


def late(timeout: float) -> GateTimeoutError:
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
