"""A cluster becomes the primary, or stops being it: an entry in the log, after the keys are durable.

Rules: the trust has been initialized; the caller is an administrator that the cluster itself authenticated;
there is one primary at a time. Giving it up with members registered needs to be said on purpose: they stay as
they are, but none can join and no token holds any more.
"""

from __future__ import annotations

import ipaddress

from reconciler.audit.entry import Demoted, Promoted
from reconciler.audit.log import Log
from reconciler.audit.membership import Primary
from reconciler.audit.state import LogState
from reconciler.documents.formats import is_subdomain
from reconciler.member.administrator import Administrator, require_own_identity
from reconciler.member.enrol import who
from reconciler.pipeline.membership.refused import PrimaryError
from reconciler.repository import Repository


async def promote(
    log: Log, cluster: Administrator, *, address: str, port: int, token_key: str, ca_pin: str, actor: str
) -> Primary:
    """Log ``cluster`` as the primary; ``token_key`` and ``ca_pin`` are digests of keys that are durable.

    Raises PrimaryError, ExternalCallerError, MemberError, AuditError.
    """
    require_promotable(log.state(), address, port)
    transport = cluster.transport()
    try:
        caller = await require_own_identity(transport, await cluster.load())
        identity = await who(transport, caller.username)
    finally:
        await transport.close()
    entry = Promoted(
        actor=actor, cluster_uid=identity.uid, address=address, port=port, token_key=token_key, ca_pin=ca_pin
    )
    log.append([entry])
    return require_primary(log.state())


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
    if not (is_subdomain(address) or _is_ip(address)) or not 0 < port < 65_536:
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
    files = repository.snapshot(repository.resolve(state.ref)).files
    members = sum(path.startswith("clusters/") for path in files)
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
