"""One API server URL, from its name to who we are there; every URL of a member is looked at like this.

- Each step is a check of its own; what a failed step makes pointless is skipped, with the reason.
- Requests go to this URL only and are tried once: here a retry would hide what is asked for.
- The credentials are only sent after the certificate was verified as always (``tls.tls_context``).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

from reconciler import documents
from reconciler.errors import MemberError
from reconciler.member import errors
from reconciler.member.diagnosis import network
from reconciler.member.diagnosis.certificates import certificate_results
from reconciler.member.diagnosis.clocks import clock_result
from reconciler.member.diagnosis.network import Endpoint
from reconciler.member.diagnosis.results import Bounds, MemberCheck, Result, failed_by, ok, skipped
from reconciler.member.identity import Identity, identify
from reconciler.member.limits import Limits
from reconciler.member.login import CredentialSource
from reconciler.member.transport import Request, Transport
from reconciler.model import Clock

_REFUSED = (errors.UnauthorizedError, errors.ForbiddenError)  # an answer, and a Kubernetes one


@dataclass(slots=True)
class Server:
    """What one URL showed so far; ``identity`` None: nobody answered there who knows us."""

    url: str
    results: list[Result] = field(default_factory=list)
    version: str = ""
    identity: Identity | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """How to get to the servers of one member; ``source`` None: there are no usable credentials."""

    cluster: documents.Cluster
    source: CredentialSource | None
    limits: Limits
    clock: Clock
    bounds: Bounds

    def transport(self, *servers: str) -> Transport:
        """A transport to these URLs alone, without retries."""
        assert self.source is not None  # noqa: S101  callers look first
        limits = replace(self.limits, tries=1, request_timeout=self.bounds.request, backoff=timedelta(0))
        cluster = self.cluster
        return Transport(servers, cluster.ca_bundle, cluster.tls_server_name, self.source, limits)


async def examine_server(way: Way, server: Server) -> None:
    """Fill in ``server`` step by step, so that what was seen stays when time runs out."""
    endpoint, seconds = Endpoint.of(server.url), way.bounds.request.total_seconds()
    result, addresses = await network.resolve(endpoint, seconds)
    server.results.append(result)
    if not addresses:
        server.results.extend(_after(MemberCheck.NAMES, server.url, "the name has no address"))
        return
    result, opened = await network.connect(endpoint, addresses, seconds)
    server.results.append(result)
    if not opened:
        server.results.extend(_after(MemberCheck.PORT, server.url, "the port is not open"))
        return
    name = way.cluster.tls_server_name or endpoint.host
    found = certificate_results(endpoint, opened[0], name, way.cluster.ca_bundle, way.clock(), way.bounds)
    server.results.extend(await found)
    if way.source is None:
        server.results.extend(_after(MemberCheck.EXPIRY, server.url, "there are no usable credentials"))
        return
    transport = way.transport(server.url)
    try:
        await _ask(way, server, transport)
    finally:
        await transport.close()


def _after(last: MemberCheck, url: str, reason: str) -> list[Result]:
    """Everything about a URL that comes after ``last``."""
    steps = list(MemberCheck)
    rest = steps[steps.index(last) + 1 : steps.index(MemberCheck.IDENTITY) + 1]
    return [skipped(check, reason, url) for check in rest]


async def _ask(way: Way, server: Server, transport: Transport) -> None:
    url, expected = server.url, "an answer of a Kubernetes API server"
    asked = way.clock()
    try:
        answer = await transport.send(Request("GET", "/version"))
        server.version, date = str(answer.json().get("gitVersion", ""))[:64], answer.date
        server.results.append(ok(MemberCheck.ANSWER, expected, server.version or "no gitVersion", url))
    except _REFUSED as error:
        date = error.date
        server.results.append(ok(MemberCheck.ANSWER, expected, error.message, url))
    except MemberError as error:
        server.results.append(failed_by(MemberCheck.ANSWER, error, expected, url))
        server.results.extend(_after(MemberCheck.ANSWER, url, "no API server answers"))
        return
    server.results.append(clock_result(url, date, asked, way.clock(), way.bounds))
    server.results.append(await _identity(way, server, transport))


async def _identity(way: Way, server: Server, transport: Transport) -> Result:
    expected = way.cluster.username
    try:
        server.identity = await identify(transport, expected)
    except MemberError as error:
        return failed_by(MemberCheck.IDENTITY, error, expected, server.url)
    return ok(MemberCheck.IDENTITY, expected, server.identity.username, server.url)
