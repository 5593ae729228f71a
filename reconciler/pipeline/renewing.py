"""The reconciler's own credentials: renewed after a good look at the member, and logged before they are used.

What goes wrong with a renewal is no failure of the run, since the credential in use is still good: it is
shown by ``reconcile`` and ``status``, from the first try in which it went wrong.
"""

from __future__ import annotations

from reconciler.audit.entry import CredentialRenewed, CredentialRole
from reconciler.documents import Cluster
from reconciler.member.client import Member
from reconciler.member.renewal import UNKNOWN, Standing
from reconciler.member.token_request import Issued
from reconciler.pipeline.run import Deployment


async def viewer_renewed(run: Deployment, cluster: Cluster, uid: str) -> Standing:
    """The viewer's token, which it renews by itself, if it is in a file of this host or a Secret.

    Raises AuditError.
    """
    credentials = cluster.viewer_credentials
    if credentials is None or credentials.method not in ("tokenFile", "secretRef"):
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
