"""An ``OpaClient`` that keeps the limits of this room: no redirects, no proxies, bounded size and time.

Rules kept here
- opa-python-client speaks through ``requests``, whose time limit is for a single read. ``within`` puts an end
  to the whole: the caller goes on, and what still reads dies with the process.
- Nothing here is imported unless a central OPA is used: requests is slow to load.

>>> within(1.0, lambda: 2 + 2)
4
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from reconciler.gate.channel import MAX_ANSWER
from reconciler.gate.errors import GateAnswerError, GateCentralError

if TYPE_CHECKING:
    from opa_client.opa import OpaClient

_BLOCK = 1 << 16  # bytes read at once
T = TypeVar("T")


def within(seconds: float, call: Callable[[], T]) -> T:
    """What ``call`` returns or raises; TimeoutError when it takes longer. Then ``call`` is left behind."""
    answers: queue.SimpleQueue[tuple[T | None, Exception | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put((call(), None))
        except Exception as error:
            answers.put((None, error))

    threading.Thread(target=run, name="central-opa", daemon=True).start()
    try:
        value, error = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no end within {seconds:g} s") from None
    if error is not None:
        raise error
    return value  # type: ignore[return-value] # None only where T allows it


def open_client(
    at: tuple[str, int, bool], timeout: float, token: str = "", ca_bundle: Path | None = None
) -> OpaClient:
    """A client for (host, port, TLS); ``timeout`` seconds for each read; ``ca_bundle`` None: the system's."""
    import requests
    from opa_client.opa import OpaClient as Base

    class Session(requests.Session):
        def request(self, method: Any, url: Any, *rest: Any, **options: Any) -> requests.Response:
            plain = url.rstrip("/")  # the client asks for /v1/policies/, which OPA would redirect
            limited = {**options, "stream": True, "allow_redirects": False}
            response = super().request(method, plain, *rest, **limited)
            response._content = _read(response)
            if response.is_redirect:
                hint = "write its final address into spec.gate.url"
                raise GateCentralError("the central OPA redirects", hint=hint)
            return response

    class Client(Base):  # type: ignore[misc] # the library has no types
        def _init_session(self) -> requests.Session:
            session = Session()
            session.trust_env = False
            session.verify = str(ca_bundle) if ca_bundle else True
            session.headers.update(self.headers or {})
            return session

    host, port, tls = at
    client: OpaClient = Client(host=host, port=port, ssl=tls, token=token or None, retries=0, timeout=timeout)
    return client


def _read(response: Any) -> bytes:
    data = bytearray()
    for block in response.iter_content(_BLOCK):
        data += block
        if len(data) > MAX_ANSWER:
            limit = f"at most {MAX_ANSWER} bytes"
            raise GateAnswerError("the central OPA's answer is too large", expected=limit)
    return bytes(data)
