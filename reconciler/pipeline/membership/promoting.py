"""A cluster becomes the primary, or stops being it: an entry in the log, after keys and objects are there.

Rules: the trust has been initialized; the caller is an administrator that the cluster itself authenticated;
there is one primary at a time. Giving it up with members registered needs to be said on purpose: they stay as
they are, but none can join and no token holds any more. Promoting can be killed anywhere and
done again: what is made before the entry is made once, and nothing follows from it without the entry.
"""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from reconciler.audit.entry import Demoted, Promoted
from reconciler.audit.log import Log
from reconciler.audit.membership import Primary
from reconciler.audit.state import LogState
from reconciler.documents.formats import is_https_url, is_subdomain
from reconciler.member.administrator import Administrator, require_own_identity
from reconciler.member.enrol import who
from reconciler.member.limits import Limits
from reconciler.member.promoted import prepare_primary, prepare_profiles
from reconciler.member.transport import Transport
from reconciler.pipeline.membership.refused import PrimaryError
from reconciler.pipeline.membership.registration import registered_in
from reconciler.repository import Repository


@dataclass(frozen=True, slots=True)
class Promotion:
    """The primary, and what its administrator's rights were used for: "Namespace fleetward-system"."""

    primary: Primary
    made: tuple[str, ...]


async def promote(
    log: Log, cluster: Administrator, *, address: str, port: int, token_key: str, ca_pin: str, actor: str,
    profiles: str = "",
) -> Promotion:  # fmt: skip
    """Log ``cluster`` as the primary; ``token_key`` and ``ca_pin`` are digests of keys that are durable.

    ``profiles`` is the namespace of ClusterProfiles, "" for none.
    Raises PrimaryError, ExternalCallerError, UnpreparedError, MemberError, AuditError.
    """
    require_promotable(log.state(), address, port)
    async with _administering(cluster) as (transport, uid):
        made = await prepare_primary(transport)
        made += await prepare_profiles(transport, profiles, Limits()) if profiles else ()
    entry = Promoted(
        actor=actor, cluster_uid=uid, address=address, port=port, token_key=token_key, ca_pin=ca_pin
    )
    log.append([entry])
    return Promotion(require_primary(log.state()), made)


async def prepare(state: LogState, cluster: Administrator, profiles: str) -> Promotion:
    """Prepare the primary that there is for ClusterProfiles in the namespace ``profiles``; nothing is logged.

    Raises PrimaryError for another cluster, and what ``promote`` raises.
    """
    primary = require_primary(state)
    async with _administering(cluster) as (transport, uid):
        if uid != primary.cluster_uid:
            raise PrimaryError(
                "the kubeconfig is another cluster's", expected=primary.cluster_uid, got=uid,
                hint="name the primary's kubeconfig and context",
            )  # fmt: skip
        return Promotion(primary, await prepare_profiles(transport, profiles, Limits()))


@asynccontextmanager
async def _administering(cluster: Administrator) -> AsyncIterator[tuple[Transport, str]]:
    """A connection of somebody whom the cluster itself authenticated, and the cluster's uid."""
    transport = cluster.transport()
    try:
        caller = await require_own_identity(transport, await cluster.load())
        identity = await who(transport, caller.username)
        yield transport, identity.uid
    finally:
        await transport.close()


def require_promotable(state: LogState, address: str, port: int) -> None:
    """Raises PrimaryError where there can be no new primary, or for an address that is none."""
    if state.accepted is None:
        raise PrimaryError("no commit is trusted yet", hint="`fleetward trust init` comes first")
    if primary := state.membership.primary:
        raise PrimaryError(
            f"the cluster {primary.cluster_uid} is the primary already, since entry {primary.index}",
            got=f"{primary.address}:{primary.port}",
            hint="use it, or give it up first with `fleetward demote`",
        )
    named = is_subdomain(address) and is_https_url(f"https://{address}")
    if not (named or _is_ip(address)) or not 0 < port < 65_536:
        raise PrimaryError(
            "not an address that members can join at", expected="a host name or IP address, and a port",
            got=f"{address[:100]}:{port}",
        )  # fmt: skip


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def demote(log: Log, repository: Repository, *, actor: str, force: bool) -> int:
    """Give up the primary; how many registered members are left. Raises PrimaryError, AuditError."""
    state = log.state()
    primary = require_primary(state)
    repository.fetch()
    members = len(registered_in(repository.snapshot(repository.resolve(state.ref))))
    if members and not force:
        raise PrimaryError(
            f"{members} clusters are registered", expected="none",
            hint="remove their registrations first; --force leaves them as they are, and nobody can join",
        )  # fmt: skip
    log.append([Demoted(actor=actor, cluster_uid=primary.cluster_uid, members=members)])
    return members


def require_primary(state: LogState) -> Primary:
    """The primary. Raises PrimaryError."""
    if state.membership.primary is None:
        raise PrimaryError("no cluster is the primary yet", hint="make one with `fleetward promote`")
    return state.membership.primary
