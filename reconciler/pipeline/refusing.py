"""What a member was refused for, in the log: its plan, or its own word about itself.

A schedule meets the same refusal again and again; the log says it once, until something else happens.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.audit.entry import GateSummary, MemberRefused
from reconciler.documents import Cluster
from reconciler.errors import MemberError
from reconciler.member import errors
from reconciler.model import Finding, Verdict
from reconciler.pipeline.accepting import as_finding
from reconciler.pipeline.run import Deployment

# A member that cannot be believed; all other errors are about reaching it, or about single objects.
_DISBELIEVED = (
    errors.UnknownAuthorityError,
    errors.WrongNameError,
    errors.IdentityError,
    errors.RecordError,
    errors.WrongClusterError,
    errors.NotAuthorizedError,
)


async def log_refusal(
    run: Deployment,
    cluster: Cluster,
    findings: Sequence[Finding],
    *,
    uid: str = "",
    verdict: Verdict | None = None,
) -> None:
    """Log that nothing was sent to the member, once the others were looked at. Raises AuditError."""
    run.looks.looked(cluster.name)
    await run.looks.before_writing()
    gate = GateSummary(verdict.gate_digest, verdict.rules) if verdict else None
    entry = MemberRefused.of(
        actor=run.writes.actor,
        cluster=cluster.name,
        commit=run.checked.commit,
        findings=findings,
        cluster_uid=uid,
        gate=gate,
    )
    known = run.writes.log.state().cluster(cluster.name).refused
    first = f"{entry.findings[0].code}: {entry.findings[0].message}" if entry.findings else ""
    if known and (known.commit, known.count, known.summary) == (entry.commit, entry.count, first):
        return
    await run.journal.append(entry)


async def log_disbelief(run: Deployment, cluster: Cluster, error: MemberError) -> None:
    """Log an error that says that the member is not what it claims to be; others are not for the log."""
    if isinstance(error, _DISBELIEVED):
        await log_refusal(run, cluster, (as_finding(error, f"cluster {cluster.name}"),))
