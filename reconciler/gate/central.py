"""A central OPA by URL, through opa-python-client: for teams that collect decisions in one place.

Rules kept here (docs/decisions/0008-central-opa.md has the reasons)
- It judges by exactly our modules or not at all: before and after every query the policies it holds below
  ``data.fleetward`` must be the modules of our GateSource, text by text, whatever their ids.
- If it holds none, ours are uploaded as ``fleetward/<digest>/<path>``. If it holds others, that is an error:
  two gates in one OPA would judge as one. Nothing of anybody is ever replaced or deleted.
- Only the product's gate goes there. A fleet's own modules stay in a child process.
- https, or http on loopback. No redirects, no proxies from the environment, bounded time and size.

>>> address("https://opa.example.com"), address("http://127.0.0.1:8181/")
(('opa.example.com', 443, True), ('127.0.0.1', 8181, False))
"""

from __future__ import annotations

import ipaddress
import json
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from reconciler.gate.answers import shown
from reconciler.gate.errors import GateAnswerError, GateCentralError, GateDiedError, GateTimeoutError
from reconciler.gate.session import open_client, within
from reconciler.gate.source import GateSource, Module
from reconciler.model import Json

PACKAGE = "fleetward.gate"
ROUNDS = 4  # a verdict may take this many time limits: policies are read before and after the query
_STRICT = {"strict-builtin-errors": "true"}


def address(url: str) -> tuple[str, int, bool]:
    """Host, port and whether TLS is spoken. Raises GateCentralError for a URL that is not safe to use."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _bad_url("a readable URL") from error
    if parts.username or parts.query or parts.fragment or parts.path.strip("/") or not host:
        raise _bad_url("scheme, host and port only")
    if parts.scheme not in ("http", "https") or (parts.scheme == "http" and not _is_loopback(host)):
        raise _bad_url("https (http on loopback only)")
    tls = parts.scheme == "https"
    return f"[{host}]" if ":" in host else host, port or (443 if tls else 8181), tls


class RemoteOpa:
    """Evaluates the product's GateSource on a shared OPA. Threads take turns."""

    def __init__(
        self,
        url: str,
        source: GateSource,
        *,
        timeout: float = 10.0,
        token: str = "",
        ca_bundle: Path | None = None,
    ) -> None:
        self._source = source
        self._url = url
        self._lock = threading.Lock()
        self._limit = ROUNDS * timeout
        self._client = open_client(address(url), timeout, token, ca_bundle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close_connection()

    def query(self, given: Json) -> Json:
        """The answer about ``data.fleetward.gate``, by our modules.

        Raises GateCentralError, GateTimeoutError, GateDiedError or GateAnswerError.
        """
        if not self._lock.acquire(timeout=self._limit):  # one that overran never gives it back
            raise _late(self._url)
        try:
            return within(self._limit, lambda: self._ask(given))
        except Exception as error:
            raise self._translated(error) from error

    def _ask(self, given: Json) -> Json:
        try:
            self._demand_ours(upload=True)
            answer = self._client.query_rule(given, PACKAGE, query_params=_STRICT)
            self._demand_ours(upload=False)
            return answer
        finally:
            self._lock.release()

    def _demand_ours(self, *, upload: bool) -> None:
        held = self._held()
        if not held and upload:
            self._upload(list(self._source.rules))
            held = self._held()
        if sorted(held.values()) != sorted(module.text for module in self._source.rules):
            raise GateCentralError(
                "the central OPA holds other fleetward policies than this gate",
                where=self._url,
                expected=f"the modules of gate {self._source.digest}",
                got=shown(sorted(held)),
                hint="load this version's policies/gate there, or remove those, or unset spec.gate.url",
            )

    def _held(self) -> dict[str, str]:
        """Id -> text of the policies whose package is below ``fleetward``."""
        marker = "/data/fleetward"
        ids = [
            id_
            for id_, info in self._client.get_policies_info().items()
            if f"{info['path']}/".partition(marker)[2].startswith("/")
        ]
        return {id_: str(self._client.get_policy(id_)["result"]["raw"]) for id_ in ids}

    def _upload(self, modules: Sequence[Module]) -> None:
        """In as many rounds as it takes: a module compiles only after the functions it calls."""
        from opa_client.errors import RegoParseError

        waiting = list(modules)
        while waiting:
            failed: list[Module] = []
            for module in waiting:
                try:
                    self._put(module)
                except RegoParseError:
                    failed.append(module)
            if len(failed) == len(waiting):
                self._put(failed[0])  # raises what is wrong
            waiting = failed

    def _put(self, module: Module) -> None:
        name = f"fleetward/{self._source.digest.removeprefix('sha256:')}/{module.path}"
        self._client.update_policy_from_string(module.text, name, rego_compat=False)

    def _translated(self, error: Exception) -> Exception:
        from requests import HTTPError, RequestException, Timeout

        if isinstance(error, (GateCentralError, GateTimeoutError, GateAnswerError)):
            return error
        if isinstance(error, (Timeout, TimeoutError)):
            return _late(self._url)
        if isinstance(error, HTTPError):
            return GateAnswerError(
                "the central OPA could not evaluate the gate",
                where=self._url,
                got=_reason(error),
                hint="look at its log and its authorization policy",
            )
        if isinstance(error, RequestException):
            return GateDiedError(
                "the central OPA cannot be reached, or went away",
                where=self._url,
                got=type(error).__name__,
                hint="check spec.gate.url and its certificate",
            )
        return GateCentralError(
            "the central OPA gave an answer that cannot be used",
            where=self._url,
            got=f"{type(error).__name__}: {shown(str(error))}",
            hint="check that spec.gate.url is an OPA and lets us read and load policies",
        )


def _late(where: str) -> GateTimeoutError:
    return GateTimeoutError(
        "the central OPA took too long",
        where=where,
        hint="simplify the rule, or raise spec.gate.timeout in federation.yaml",
    )


def _reason(error: Any) -> str:
    with suppress(ValueError, LookupError, TypeError, AttributeError):
        body = json.loads(error.response.content)
        first = (body.get("errors") or [body])[0]
        return f"HTTP {error.response.status_code}: {shown(first.get('message', ''))}"
    return f"HTTP {getattr(error.response, 'status_code', '?')}"


def _bad_url(expected: str) -> GateCentralError:
    return GateCentralError(
        "spec.gate.url cannot be used", expected=expected, hint="write https://host[:port]"
    )


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
