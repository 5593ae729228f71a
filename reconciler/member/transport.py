"""HTTPS to one member: raw bytes in and out, everything else is refused or retried here.

- The API servers are tried in the order of ``endpoints``: as registered, those that failed lately last. No
  connection, a timeout, a cut answer or a bad certificate moves on to the next. Every request here may be
  sent twice: server-side apply, DELETE with preconditions, PUT with a resourceVersion and reads are all
  idempotent. ``repeated``, of an answer or an error, says that an earlier try may have arrived.
- 429 and 5xx are tried again after ``Retry-After`` or a growing, fully jittered pause; 401 after one re-read
  of the credentials. What is left when the tries are used up is raised.
- Redirects are never followed. Answers are read up to a limit and must be JSON.
- No proxy, cookie or netrc of the surroundings has an effect.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson
from yarl import URL

from reconciler import __version__
from reconciler.documents.formats import is_https_url
from reconciler.member import errors, tls
from reconciler.member.answers import JSON, check_type, read_body, refused
from reconciler.member.endpoints import Endpoints
from reconciler.member.limits import Limits
from reconciler.member.login import CredentialSource, Login

APPLY = "application/apply-patch+yaml"  # JSON is YAML; this type takes both


@dataclass(frozen=True, slots=True)
class Request:
    """One API request; ``path`` starts with "/" and is already escaped, query included."""

    method: str
    path: str
    body: bytes | None = None
    accept: str = JSON
    content_type: str = JSON
    audit_id: str = ""
    large: bool = False  # a list: may take longer and be larger


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer; ``date`` is its Date header (RFC 9110), "" for none."""

    status: int
    body: bytes
    date: str = ""  # the header Date (RFC 9110, 6.6.1), as it came
    repeated: bool = False  # an earlier try of this request may have arrived too

    def json(self) -> dict[str, Any]:
        """The body's value, which has to be an object. Raises NotKubernetesError."""
        try:
            value = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise errors.NotKubernetesError("the answer is not JSON") from error
        if not isinstance(value, dict):
            raise errors.NotKubernetesError("the answer is no object")
        return value

    def metadata(self) -> dict[str, Any]:
        """The metadata of a Kubernetes object, with uid and resourceVersion. Raises NotKubernetesError."""
        metadata = self.json().get("metadata")
        if not isinstance(metadata, dict) or not {"uid", "resourceVersion"} <= metadata.keys():
            raise errors.NotKubernetesError("not a Kubernetes object")
        return metadata


@contextmanager
def expecting(what: str) -> Iterator[None]:
    """Whatever breaks while an answer is taken apart means that it is not ``what``: NotKubernetesError."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise errors.NotKubernetesError(f"not {what}") from error


class Transport:
    """One member's connections. Open it before use; ``requests`` counts what was sent."""

    def __init__(
        self,
        servers: tuple[str, ...],
        ca_bundle: str,
        server_name: str,
        source: CredentialSource,
        limits: Limits,
        endpoints: Endpoints | None = None,
    ) -> None:
        checked = tuple(_checked(server) for server in servers)
        self._endpoints = endpoints or Endpoints(checked, utc_now)
        self._ca_bundle = ca_bundle
        self._server_name = server_name or None
        self._source = source
        self._limits = limits
        self._login = Login()
        self._session: aiohttp.ClientSession | None = None
        self._headers: dict[str, str] = {}
        self._reload = asyncio.Lock()
        self.requests = 0

    @property
    def login(self) -> Login:
        """What is presented now; an empty one before the first use."""
        return self._login

    async def close(self) -> None:
        """Closes all connections; the next request opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def refresh(self, *, fresh: bool = False) -> None:
        """Reads the credentials again; connections stay unless the client certificate changed."""
        login = await self._source.load(fresh=fresh)
        if self._session is None or login.certificate != self._login.certificate:
            await self.close()
            self._session = self._new_session(login)
        self._login = login
        self._headers = {"User-Agent": f"fleetward/{__version__}", "Accept-Encoding": "identity"}
        if login.token:
            self._headers["Authorization"] = f"Bearer {login.token}"

    def _new_session(self, login: Login) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._limits.concurrency, ssl=tls.tls_context(self._ca_bundle, login), ttl_dns_cache=60
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def send(self, request: Request) -> Answer:
        """The 2xx answer. Raises the MemberError of the last try."""
        if self._session is None:
            await self.refresh()
        doubts: list[errors.ReplyError] = []
        try:
            answer = await self._with_login(request, doubts)
        except errors.ReplyError as error:
            error.repeated = any(doubt is not error for doubt in doubts)
            raise
        return replace(answer, repeated=True) if doubts else answer

    async def _with_login(self, request: Request, doubts: list[errors.ReplyError]) -> Answer:
        login = self._login
        try:
            return await self._persist(request, doubts)
        except errors.UnauthorizedError:
            await self._reload_after(login)
            return await self._persist(request, doubts)

    async def _reload_after(self, used: Login) -> None:
        # Many requests fail together when a token runs out; the first one reads it again for all.
        async with self._reload:
            if self._login is used:
                await self.refresh(fresh=True)

    async def _persist(self, request: Request, doubts: list[errors.ReplyError]) -> Answer:
        for attempt in range(self._limits.tries):
            try:
                return await self._round(request, doubts)
            except errors.ReplyError as error:
                error.audit_id = request.audit_id
                if not error.transient or attempt + 1 == self._limits.tries:
                    raise
                await asyncio.sleep(self._pause(attempt, error.retry_after))
        raise AssertionError("unreachable")

    def _pause(self, attempt: int, asked: float | None) -> float:
        longest = self._limits.longest_pause.total_seconds()
        ceiling = min(longest, self._limits.backoff.total_seconds() * 2**attempt)
        jitter = random.uniform(0, ceiling)  # noqa: S311 - spreads load, hides nothing
        return min(longest, asked) + jitter / 4 if asked is not None else jitter

    async def _round(self, request: Request, doubts: list[errors.ReplyError]) -> Answer:
        """Every API server once, until one answers. What may have arrived all the same goes to ``doubts``."""
        failed: dict[str, errors.ReplyError] = {}
        for server in self._endpoints.order():
            try:
                answer = await self._once(server, request)
            except errors.ReplyError as error:
                if error.doubtful:
                    doubts.append(error)
                if not error.failover:
                    self._endpoints.answered(server)
                    raise
                self._endpoints.failed(server, error.code)
                failed[server] = error
            else:
                self._endpoints.answered(server)
                return answer
        raise _most_useful([failed[server] for server in self._endpoints.urls if server in failed])

    async def _once(self, server: str, request: Request) -> Answer:
        session = self._session
        if session is None:
            raise errors.UnreachableError("the member is closed", where=server)
        self.requests += 1
        limits = self._limits
        time = limits.list_timeout if request.large else limits.request_timeout
        size = limits.max_list if request.large else limits.max_object
        try:
            async with session.request(
                request.method, URL(server + request.path, encoded=True), data=request.body,
                headers=self._headers_of(request), allow_redirects=False, server_hostname=self._server_name,
                timeout=aiohttp.ClientTimeout(total=time.total_seconds()),
            ) as response:  # fmt: skip
                body = await read_body(response, size, server)
                if response.status < 300:
                    check_type(response, server)
                    return Answer(response.status, body, response.headers.get("Date", ""))
                raise refused(response, body, server)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise tls.translate(error, server) from error

    def _headers_of(self, request: Request) -> dict[str, str]:
        headers = {**self._headers, "Accept": request.accept}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        if request.audit_id:
            headers["Audit-ID"] = request.audit_id
        return headers


def _most_useful(failed: list[errors.ReplyError]) -> errors.ReplyError:
    """The first API server's error, since it is the one meant; the others' are named in it."""
    transient = [error for error in failed if error.transient]
    chosen = (transient or failed)[0]
    others = [f"{error.where} {error.code}" for error in failed if error is not chosen]
    if others:
        chosen.got = f"{chosen.got} (also tried: {', '.join(others)})".strip()
    return chosen


def _checked(server: str) -> str:
    if not is_https_url(server):
        raise errors.CredentialError(
            "not an API server's URL", expected="https://host:port", got="something else",
            hint="mend spec.apiServers of the Cluster",
        )  # fmt: skip
    return server.rstrip("/")


def utc_now() -> datetime:
    """The clock of whoever gives none."""
    return datetime.now(UTC)
