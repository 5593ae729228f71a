"""The reconciler's own credentials: renewed after a good look at the member, and logged before they are used.

What goes wrong with a renewal is no failure of the run, since the credential in use is still good: it is
shown by ``reconcile`` and ``status``, from the first try in which it went wrong.

A member that is left alone has its credentials renewed all the same: a suspended one, and every one where
the run has no commit to apply. It is asked nothing, not even who it is, until one of them is due, and until
then nothing is noted of it either.
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.audit.entry import CredentialRenewed, CredentialRole
from reconciler.documents import Cluster
from reconciler.documents.fleet import Credentials
from reconciler.errors import MemberError, SettingsError
from reconciler.member.client import Member
from reconciler.member.renewal import UNKNOWN, Held, Standing
from reconciler.member.token_request import Issued
from reconciler.pipeline.contact import Contact
from reconciler.pipeline.in_time import in_time
from reconciler.pipeline.proving import require_agreement
from reconciler.pipeline.run import Deployment


async def renewed_apart(run: Deployment, cluster: Cluster) -> tuple[Standing, Standing]:
    """The writer's and the viewer's credential of a member that the run leaves alone.

    Raises AuditError, as for a log that is behind the member's own record.
    """
    try:
        own, viewer = await _renewed_apart(run, cluster)
    except (MemberError, SettingsError) as error:  # the second: a Secret of no primary
        own, viewer = Standing(error=str(error)), UNKNOWN
    for said in filter(None, (own.error, viewer.error)):
        run.members.report(f"{cluster.name}: a credential was not renewed: {said}")
    return own, viewer


async def _renewed_apart(run: Deployment, cluster: Cluster) -> tuple[Standing, Standing]:
    if not (_is_stored(cluster.credentials) or _is_stored(cluster.viewer_credentials)):
        return UNKNOWN, UNKNOWN
    viewer = await _viewer_held(run, cluster)
    async with run.members.connect(cluster, run.checked.read_fleet) as member:
        own = await member.held(run.members.clock()) if _is_stored(cluster.credentials) else None
        if not any(held and held.due for held in (own, viewer)):
            return own.standing if own else UNKNOWN, viewer.standing if viewer else UNKNOWN
        try:
            uid = await _proven(run, cluster, member)
        except MemberError as error:
            found = _failed(own, error), _failed(viewer, error)
        else:
            renewed_own = await renewed(run, cluster, member, uid, CredentialRole.ADMIN)
            found = renewed_own, await viewer_renewed(run, cluster, uid)
    run.members.contacts.update(cluster.name, lambda before: _noted(before, *found))
    return found


async def _viewer_held(run: Deployment, cluster: Cluster) -> Held | None:
    if not _is_stored(cluster.viewer_credentials):
        return None
    async with run.members.view(cluster, run.checked.read_fleet) as viewer:
        return await viewer.held(run.members.clock())


async def _proven(run: Deployment, cluster: Cluster, member: Member) -> str:
    """The cluster's uid: it is the one that joined, and the log is not behind its record."""
    async with in_time(run.checked.federation.limits.apply_timeout, cluster.name, "seen"):
        identity = await member.identify()
        seen = await member.census(lists=False)
    require_agreement(run.state, run.writes.log, cluster.name, identity.uid, seen.record)
    run.looks.looked(cluster.name)
    return identity.uid


def _failed(held: Held | None, error: MemberError) -> Standing:
    if held is None:
        return UNKNOWN
    return replace(held.standing, error=str(error)) if held.due else held.standing


def _noted(contact: Contact, own: Standing, viewer: Standing) -> Contact:
    """With what is known now; of a credential that is not stored by us the last look knows more."""
    if own != UNKNOWN:
        contact = replace(contact, credential_expires=own.expires, credential_error=own.error)
    if viewer != UNKNOWN:
        contact = replace(contact, viewer_expires=viewer.expires, viewer_error=viewer.error)
    return contact


def _is_stored(credentials: Credentials | None) -> bool:
    """Whether it is in a file of this host or a Secret, where it can be replaced."""
    return credentials is not None and credentials.method in ("tokenFile", "secretRef")


async def viewer_renewed(run: Deployment, cluster: Cluster, uid: str) -> Standing:
    """The viewer's token, which it renews by itself, if it is in a file of this host or a Secret.

    Raises AuditError.
    """
    if not _is_stored(cluster.viewer_credentials):
        return UNKNOWN
    async with run.members.view(cluster, run.checked.read_fleet) as viewer:
        return await renewed(run, cluster, viewer, uid, CredentialRole.VIEWER)


async def renewed(
    run: Deployment, cluster: Cluster, member: Member, uid: str, role: CredentialRole
) -> Standing:
    """The member's credential, renewed if it is time; ``uid`` is the cluster's. Raises AuditError."""

    async def announce(new: Issued) -> None:
        await run.looks.before_writing()  # a log that is behind gets no entry more
        await run.journal.append(
            CredentialRenewed(
                actor=run.writes.actor,
                cluster=cluster.name,
                cluster_uid=uid,
                role=role,
                expires=new.expires,
                audit_id=new.audit_id,
            )
        )

    return await member.renew(run.checked.federation.token_life, run.members.clock(), announce)
