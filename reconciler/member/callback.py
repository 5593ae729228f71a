"""The primary's own look at a cluster that asks to join, before anything about it is believed.

Steps: 1. the URLs: https, and addresses that may be connected to; 2. TLS to the CA that was given, by the
name of the URL; 3. the credential: the reconciler's account and no other; 4. the cluster's uid, as the
request says it; 5. version; 6. clock; 7. rights, each asked of the API server (SelfSubjectAccessReview).

Rules: one try each, ``LIMIT`` seconds for everything; nothing is written there, and the credential goes to
the judged address alone.

>>> supported("v1.36.3"), supported("v1.29.0"), supported("beta")
(True, False, False)
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import IPv6Address, ip_address

from yarl import URL

from reconciler.errors import MemberError
from reconciler.member import errors
from reconciler.member.addresses import Resolver, allowed_address
from reconciler.member.bootstrap import VIEWER, needed_rights
from reconciler.member.concurrent import together
from reconciler.member.identity import Identity, identify
from reconciler.member.limits import Limits
from reconciler.member.login import Login, token_of
from reconciler.member.rights import allowed
from reconciler.member.token_request import Account, Issued, request_token
from reconciler.member.transport import Request, Transport
from reconciler.member.versions import OLDEST
from reconciler.model import MEMBER_NAMESPACE, RECONCILER_USER, Clock

LIMIT = 20.0  # seconds
VIEWER_LIFE = timedelta(hours=24)  # as the member's own; both are renewed from then on
_VIEWER = Account(MEMBER_NAMESPACE, VIEWER)
MAX_SKEW = timedelta(seconds=60)
_VERSION = re.compile(r"v(\d{1,3})\.(\d{1,4})\.\d{1,4}.*")  # as an API server says it, and no less
_LIMITS = Limits(request_timeout=timedelta(seconds=5), tries=1, max_object=1 << 20)


class CallbackError(MemberError):
    """The member could not be reached or believed; ``got`` has the code and words of why."""

    code = "FW1750"


class OtherClusterError(MemberError):
    """Another cluster answers than the request says."""

    code = "FW1751"


class ClockSkewError(MemberError):
    """The clocks of member and primary are too far apart."""

    code = "FW1752"


class RightsError(MemberError):
    """The credential lacks rights that the reconciler needs."""

    code = "FW1753"


@dataclass(frozen=True, slots=True)
class Applicant:
    """A cluster as its request describes it; ``uid`` is that of kube-system."""

    uid: str
    servers: tuple[str, ...]
    ca_bundle: str
    server_name: str
    credential: str = field(repr=False)

    async def load(self, *, fresh: bool = False) -> Login:  # noqa: ARG002 - there is no other
        """The login, as a ``CredentialSource``. Raises CredentialError."""
        return Login(token=token_of(self.credential.encode("utf-8", "replace"), "credential"))


@dataclass(frozen=True, slots=True)
class Applied:
    """Who the applicant is, and a new token of its account that only reads."""

    identity: Identity
    viewer: Issued


async def look_at(
    applicant: Applicant, *, clock: Clock, loopback: bool = False, resolver: Resolver | None = None
) -> Applied:
    """Who the applicant is. Raises AddressRefusedError, CallbackError, OtherClusterError, ClockSkewError,
    RightsError."""
    try:
        async with asyncio.timeout(LIMIT):
            found = [await _look(applicant, url, clock, loopback, resolver) for url in applicant.servers]
    except TimeoutError:
        raise CallbackError(
            "the member did not answer in time", expected=f"all answers within {LIMIT:.0f} s",
            where=applicant.servers[0], hint="check the network between primary and member",
        ) from None  # fmt: skip
    return next(one for one in found if one)


async def _look(
    applicant: Applicant, server: str, clock: Clock, loopback: bool, resolver: Resolver | None
) -> Applied | None:
    """What is at one of the URLs; None at all but the first, which gives the viewer's token too."""
    # 1. The URL.
    url = URL(server)
    host = url.host or ""
    address = await allowed_address(host, url.port or 443, loopback=loopback, resolver=resolver)
    shown = f"[{address}]" if isinstance(ip_address(address), IPv6Address) else address
    target = f"https://{shown}:{url.port or 443}{url.path.rstrip('/')}"
    name = applicant.server_name or host
    async with _connection(replace(applicant, servers=(target,), server_name=name), server) as transport:
        # 2. TLS; 3. the credential.
        identity = await identify(transport, RECONCILER_USER)
        # 4. The cluster.
        if identity.uid != applicant.uid:
            raise OtherClusterError(
                "another cluster answers than the one that asks to join", expected=applicant.uid[:64],
                got=identity.uid[:64], where=server, hint="check --api-server: it leads to another cluster",
            )  # fmt: skip
        # 5. The version.
        if not supported(identity.version):
            raise CallbackError(
                "the member's Kubernetes is too old", expected=f"v{OLDEST[0]}.{OLDEST[1]} or newer",
                got=identity.version[:40], where=server, hint="upgrade the cluster first",
            )  # fmt: skip
        # 6. The clock.
        await _check_clock(transport, server, clock)
        # 7. Rights.
        await _check_rights(transport, server)
        # 8. The viewer's token.
        if server != applicant.servers[0]:
            return None
        return Applied(identity, await request_token(transport, _VIEWER, VIEWER_LIFE))


@asynccontextmanager
async def _connection(applicant: Applicant, server: str) -> AsyncIterator[Transport]:
    transport = None
    try:
        transport = Transport(
            applicant.servers, applicant.ca_bundle, applicant.server_name, applicant, _LIMITS
        )
        await transport.refresh()
        yield transport
    except (errors.ReplyError, errors.CredentialError, errors.IdentityError) as error:
        said = f"{error.code} {error.message}{f' ({error.got})' if error.got else ''}"
        raise CallbackError(
            "the primary cannot use the member's API server", got=said[:500], where=server, hint=error.hint
        ) from error
    finally:
        if transport is not None:
            await transport.close()


def supported(version: str) -> bool:
    """Whether fleetward governs clusters of this version."""
    match = _VERSION.fullmatch(version)
    return match is not None and (int(match[1]), int(match[2])) >= OLDEST


async def _check_clock(transport: Transport, server: str, clock: Clock) -> None:
    before = clock()
    answer = await transport.send(Request("GET", "/version"))
    after = clock()
    try:
        theirs = parsedate_to_datetime(answer.date).astimezone(UTC)
    except (ValueError, TypeError):
        return  # a proxy on the way took the header away
    if before - MAX_SKEW <= theirs <= after + MAX_SKEW:
        return
    raise ClockSkewError(
        "the clocks are too far apart", expected=f"at most {MAX_SKEW.total_seconds():.0f} s",
        got=f"{abs((theirs - before).total_seconds()):.0f} s", where=server,
        hint="let both sides take their time from NTP: tokens and certificates would fail",
    )  # fmt: skip


async def _check_rights(transport: Transport, server: str) -> None:
    wanted = list(needed_rights())
    answers = await together(*(allowed(transport, right) for right in wanted))
    missing = [str(right) for right, good in zip(wanted, answers, strict=True) if not good]
    if missing:
        raise RightsError(
            f"the credential lacks {len(missing)} of {len(wanted)} rights", got=", ".join(missing[:10]),
            where=server, hint="run `fleetward join` again, which makes the roles; find what removed them",
        )  # fmt: skip
