"""A short-lived credential for a person: by the accepted registration, and logged before it is given.

The viewer's is requested by the viewer itself where one is registered, and by the reconciler where none is;
the admin's is one of the reconciler's own account, which is the only one that the guard lets write.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.audit.entry import CredentialIssued, CredentialRole
from reconciler.audit.state import LogState
from reconciler.documents import Cache, Cluster, Fleet
from reconciler.errors import SettingsError
from reconciler.member import errors
from reconciler.member.bootstrap import VIEWER
from reconciler.member.token_request import SHORTEST, Account, account_of
from reconciler.model import MEMBER_NAMESPACE
from reconciler.pipeline.accepting import require_initialized
from reconciler.pipeline.journal import Journal
from reconciler.pipeline.origins import fleet_of
from reconciler.pipeline.ports import MemberPorts, WritePorts
from reconciler.repository import Repository

LONGEST = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Credential:
    """A token for one cluster; ``expires`` is UTC."""

    cluster: Cluster
    role: CredentialRole
    token: str = field(repr=False)
    expires: datetime


def registered(repository: Repository, cache: Cache, state: LogState) -> Fleet:
    """The fleet of the commit accepted last. Raises UninitializedError, TeleportError, RepositoryError."""
    return fleet_of(repository, require_initialized(state, repository), cache)


def find(fleet: Fleet, name: str) -> Cluster:
    """The cluster of that name. Raises SettingsError."""
    for cluster in fleet.clusters:
        if cluster.name == name:
            return cluster
    known = " or ".join(cluster.name for cluster in fleet.clusters) or "a registration"
    raise SettingsError("no such cluster", got=name, expected=known)


async def issue(
    members: MemberPorts, writes: WritePorts, fleet: Fleet, name: str, role: CredentialRole, life: timedelta
) -> Credential:
    """A new credential, after the log has it. Raises SettingsError, LifeError, MemberError, AuditError."""
    cluster = find(fleet, name)
    if not SHORTEST <= life <= LONGEST:
        raise errors.LifeError(
            "a credential of that life is not given", expected="10m to 24h", got=str(life),
        )  # fmt: skip
    connect = members.view if role is CredentialRole.VIEWER else members.connect
    async with connect(cluster, fleet) as member:
        uid, new = await member.issue(_account(cluster, role), life)
    entry = CredentialIssued(
        actor=writes.actor, cluster=name, cluster_uid=uid, role=role, expires=new.expires,
        audit_id=new.audit_id,
    )  # fmt: skip
    await Journal(writes.log).append(entry)
    return Credential(cluster, role, new.token, new.expires)


def _account(cluster: Cluster, role: CredentialRole) -> Account:
    if role is CredentialRole.VIEWER:
        return Account(MEMBER_NAMESPACE, VIEWER)
    account = account_of(cluster.username)
    if account is None:
        raise errors.IssueError(
            "the reconciler is no service account there", where=cluster.name,
            expected="spec.username of a service account", got=cluster.username,
            hint="use the credentials that the registration names",
        )  # fmt: skip
    return account
