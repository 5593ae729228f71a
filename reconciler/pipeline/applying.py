"""From a plan to an outcome in the log: gate and guards, signature, intent, apply, outcome.

Between the intent and the outcome stands nothing but the apply: after a crash there, the next run finds an
intent without an outcome and settles it by what the member's own record proves (``deploy``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from reconciler.audit.entry import Drift, Entry, GateSummary, Intent, Outcome, OutcomeResult, PlanCounts
from reconciler.documents import Cluster
from reconciler.errors import FleetwardError, GateError
from reconciler.member.client import Member
from reconciler.member.health import Health
from reconciler.model import (
    Desired,
    ObjectOutcome,
    ObjectRef,
    ObjectResult,
    Observation,
    Verdict,
)
from reconciler.pipeline.accepting import as_finding
from reconciler.pipeline.change_sets import Authorized, sign
from reconciler.pipeline.gating import changes_input
from reconciler.pipeline.refusing import log_refusal
from reconciler.pipeline.run import Deployment, MemberResult, MemberState
from reconciler.plan import AuthorizedPlan, Plan, authorize
from reconciler.plan.authorize import GuardError
from reconciler.trust import SignedChangeSet


async def carry_out(
    run: Deployment,
    cluster: Cluster,
    member: Member,
    desired: Desired,
    plan: Plan,
    seen: Observation,
    drift: Sequence[ObjectRef],
) -> MemberResult:
    """Steps 4 to 6 of ``deploy``, for a plan with changes. Raises AuditError."""
    # 4. The gate and the guards judge the changes.
    verdict = None
    try:
        verdict = await asyncio.to_thread(_judge, run, cluster, plan)
        limit = run.checked.federation.limits.max_deletions
        authorized = authorize(plan, verdict, max_deletions=limit, allow=run.allow)
    except GuardError as error:
        await log_refusal(run, cluster, error.findings, uid=seen.cluster_uid, verdict=verdict)
        return MemberResult(
            cluster.name, MemberState.REFUSED, plan, findings=error.findings, error=error.message
        )
    except GateError as error:
        finding = as_finding(error, f"cluster {cluster.name}")
        await log_refusal(run, cluster, (finding,), uid=seen.cluster_uid)
        return MemberResult(cluster.name, MemberState.REFUSED, plan, error=str(error))
    # 5. Sign, and make the intent durable, unless another member has proven by now that the log is behind.
    await run.looks.before_writing()
    signed = sign(
        run.checked,
        cluster,
        authorized,
        seen,
        run.state.cluster(cluster.name).intent,
        repository=run.state.repository,
        now=run.members.clock(),
        signer=run.writes.signer,
    )
    entries: list[Entry] = []
    if drift:
        commit = run.checked.commit
        entries.append(Drift.of(actor=run.writes.actor, cluster=cluster.name, commit=commit, objects=drift))
    entries.append(_intent(run, cluster, authorized, signed.digest, signed.change_set.sequence, seen))
    indices = await run.journal.append(*entries, bodies={signed.digest: signed.envelope})
    # 6. Apply, and say what became of it.
    return await _apply(run, cluster, member, desired, plan, seen, signed, indices[-1])


def _judge(run: Deployment, cluster: Cluster, plan: Plan) -> Verdict:
    gates = run.checked.gates
    assert gates is not None  # noqa: S101  only commits that were judged get here
    given = changes_input(run.checked.read_fleet, run.checked.federation_spec, cluster, plan, run.allow)
    return gates.evaluate(given, now=run.members.clock())


def _intent(
    run: Deployment,
    cluster: Cluster,
    authorized: AuthorizedPlan,
    digest: str,
    sequence: int,
    seen: Observation,
) -> Intent:
    counts = authorized.plan.counts
    return Intent(
        actor=run.writes.actor,
        cluster=cluster.name,
        cluster_uid=seen.cluster_uid,
        commit=run.checked.commit,
        change_set=digest,
        sequence=sequence,
        counts=PlanCounts(counts["create"], counts["update"] + counts.get("release", 0), counts["delete"]),
        gate=GateSummary(authorized.verdict.gate_digest, authorized.verdict.rules),
    )


async def _apply(
    run: Deployment,
    cluster: Cluster,
    member: Member,
    desired: Desired,
    plan: Plan,
    seen: Observation,
    signed: SignedChangeSet,
    index: int,
) -> MemberResult:
    outcomes: tuple[ObjectOutcome, ...] = ()
    health: Mapping[ObjectRef, Health] = {}
    error, requests = "", seen.requests
    run.members.report(f"{cluster.name}: applying {len(plan.changes)} changes")
    try:
        authorized = Authorized(signed, run.writes.signer.public_key)
        report = await member.apply(desired, authorized, log_index=index)
        outcomes, error, health = report.outcomes, report.error, report.health
        requests += report.requests
    except FleetwardError as failure:
        error = str(failure)
    failed = sum(1 for outcome in outcomes if outcome.result in (ObjectResult.FAILED, ObjectResult.SKIPPED))
    error = error or (f"{failed} of {len(outcomes)} objects failed" if failed else "")
    entry, bodies = Outcome.of(
        actor=run.writes.actor,
        cluster=cluster.name,
        intent=index,
        result=OutcomeResult.FAILED if error else OutcomeResult.APPLIED,
        outcomes=outcomes,
        error=error,
    )
    await run.journal.append(entry, bodies=bodies)
    state = MemberState.FAILED if error else MemberState.APPLIED
    return MemberResult(cluster.name, state, plan, outcomes, error=error, requests=requests, health=health)
