"""One member, from a look to its plan, and on to its changes (``applying``).

Members are reconciled apart: nothing here raises for what is wrong with a member; the result says it. The
steps are numbered as in the architecture page. A run that ended between an intent and its outcome left the
intent open; the first look of the next run settles it by what the member's own record proves.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reconciler.audit.entry import CredentialRole, Outcome, OutcomeResult
from reconciler.documents import Cluster
from reconciler.errors import AuditError, MemberError
from reconciler.member.breaker import retry_at
from reconciler.member.client import Member
from reconciler.member.identity import Identity
from reconciler.model import (
    Desired,
    Observation,
    Record,
)
from reconciler.pipeline.accepting import as_finding
from reconciler.pipeline.applying import carry_out
from reconciler.pipeline.contact import Contact, unreachable
from reconciler.pipeline.drifting import drifted
from reconciler.pipeline.guarding import guarded
from reconciler.pipeline.in_time import in_time
from reconciler.pipeline.profile_kinds import unprepared
from reconciler.pipeline.proving import require_agreement
from reconciler.pipeline.refusing import log_disbelief, log_refusal
from reconciler.pipeline.renewing import renewed, renewed_apart, viewer_renewed
from reconciler.pipeline.run import Deployment, MemberResult, MemberState
from reconciler.pipeline.standings import after_run
from reconciler.plan import Plan, build_plan


async def deploy(run: Deployment, cluster: Cluster) -> MemberResult:
    """Bring one member to its desired state. Raises AuditError, never for the member's own faults."""
    try:
        result = await _unless_left_alone(run, cluster)
    except AuditError as error:
        run.looks.stop(error)
        raise
    finally:
        run.looks.looked(cluster.name)
    now = run.members.clock()
    run.members.contacts.update(
        cluster.name, lambda before: after_run(cluster, run.state, before, result, now)
    )
    return result


async def _unless_left_alone(run: Deployment, cluster: Cluster) -> MemberResult:
    if cluster.suspend:
        credential, viewer = await renewed_apart(run, cluster)
        return MemberResult(cluster.name, MemberState.SUSPENDED, credential=credential, viewer=viewer)
    contact = run.members.contacts.get(cluster.name)
    now = run.members.clock()
    if contact.retry_at and now < contact.retry_at:
        error = f"not tried before {contact.retry_at:%H:%M:%S} UTC after {contact.failures} failures"
        return MemberResult(cluster.name, MemberState.WAITING, error=f"{error}: {contact.error}")
    try:
        return await _deploy(run, cluster)
    except MemberError as error:
        await log_disbelief(run, cluster, error)
        return _failed(run, cluster, contact, error)


def _failed(run: Deployment, cluster: Cluster, contact: Contact, error: MemberError) -> MemberResult:
    failures = contact.failures + 1
    now = run.members.clock()
    run.members.contacts.update(
        cluster.name,
        lambda before: replace(before, error=str(error), failures=failures, retry_at=retry_at(failures, now)),
    )
    state = MemberState.UNREACHABLE if unreachable(error) else MemberState.FAILED
    return MemberResult(cluster.name, state, error=str(error))


async def _deploy(run: Deployment, cluster: Cluster) -> MemberResult:
    async with run.members.connect(cluster, run.checked.read_fleet) as member:
        # 1. Who answers, and what does it have?
        desired = guarded(run.checked.compiled[cluster.name].desired, cluster)
        identity, seen = await _look(run, cluster, member, desired)
        # 2. Is it the cluster that joined, and is the log not behind the member's own record?
        require_agreement(run.state, run.writes.log, cluster.name, identity.uid, seen.record)
        run.looks.looked(cluster.name)
        await settle(run, cluster, seen.record)
        credential = await renewed(run, cluster, member, identity.uid, CredentialRole.ADMIN)
        viewer = await viewer_renewed(run, cluster, identity.uid)
        # 3. Plan.
        plan = build_plan(desired, seen)
        _answered(
            run, cluster, version=identity.version, objects=len(seen.live), drift=len(plan.drift),
            credential_expires=credential.expires, credential_error=credential.error,
            viewer_expires=viewer.expires, viewer_error=viewer.error,
        )  # fmt: skip
        result = await _go_on(run, cluster, member, desired, plan, seen)
        return replace(result, credential=credential, viewer=viewer)


def _answered(run: Deployment, cluster: Cluster, **known: Any) -> None:
    """Note what was seen; what ``states`` and the endpoints remember stays."""
    now = run.members.clock()
    run.members.contacts.update(
        cluster.name,
        lambda before: replace(before, seen=now, error="", failures=0, retry_at=None, **known),
    )


async def _go_on(
    run: Deployment, cluster: Cluster, member: Member, desired: Desired, plan: Plan, seen: Observation
) -> MemberResult:
    if cluster.mode == "observe":
        return MemberResult(cluster.name, MemberState.OBSERVED, plan, requests=seen.requests)
    if missing := await unprepared(member, desired, plan):
        return await _refused(run, cluster, plan, seen, missing)
    agreed = _ended_well(run, cluster, seen.record)
    if not plan.changes and agreed:
        return await _keep(member, cluster, desired, plan, seen)
    foreign = drifted(plan, seen, run.state.cluster(cluster.name), agreed=agreed)
    return await carry_out(run, cluster, member, desired, plan, seen, foreign)


async def _refused(
    run: Deployment, cluster: Cluster, plan: Plan, seen: Observation, error: MemberError
) -> MemberResult:
    """Nothing of the plan is written: it was judged, and would be applied, as a whole."""
    findings = (as_finding(error, f"cluster {cluster.name}"),)
    await log_refusal(run, cluster, findings, uid=seen.cluster_uid)
    return MemberResult(
        cluster.name,
        MemberState.REFUSED,
        plan,
        findings=findings,
        error=error.message,
        requests=seen.requests,
    )


async def _look(
    run: Deployment, cluster: Cluster, member: Member, desired: Desired
) -> tuple[Identity, Observation]:
    async with in_time(run.checked.federation.limits.apply_timeout, cluster.name, "seen"):
        return await member.identify(), await member.observe(desired, deep=run.deep)


async def _keep(
    member: Member, cluster: Cluster, desired: Desired, plan: Plan, seen: Observation
) -> MemberResult:
    requests = seen.requests
    if plan.stale_record and seen.record:
        requests += await member.refresh_record(desired, seen)
    return MemberResult(cluster.name, MemberState.SYNCED, plan, requests=requests)


async def settle(run: Deployment, cluster: Cluster, record: Record | None) -> None:
    """Give every intent that a crash left open the outcome that the member's record proves."""
    entries = []
    for pending in run.state.cluster(cluster.name).pending:
        proven = record is not None and record.change_set == pending.change_set
        result = OutcomeResult.APPLIED if proven else OutcomeResult.INTERRUPTED
        entry, _ = Outcome.of(
            actor=run.writes.actor,
            cluster=cluster.name,
            intent=pending.index,
            result=result,
            error="" if proven else "the run that wrote this intent ended before its outcome",
        )
        entries.append(entry)
    if entries:
        await run.journal.append(*entries)


def _ended_well(run: Deployment, cluster: Cluster, record: Record | None) -> bool:
    """Whether log and record agree that the last change set was applied whole.

    Otherwise even a plan without changes is signed and applied: it brings the record, which a crash may have
    left old or missing, and the outcome that the log lacks.
    """
    logged = run.state.cluster(cluster.name)
    if record is None or logged.intent is None or record.change_set != logged.intent.change_set:
        return False
    return bool(logged.pending) or (
        logged.outcome is not None and logged.outcome.result is OutcomeResult.APPLIED
    )
