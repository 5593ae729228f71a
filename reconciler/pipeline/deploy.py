"""One member, from a look to an outcome in the log.

Members are reconciled apart: nothing here raises for what is wrong with a member; the result says it.
The steps are numbered as in the architecture page. Between the intent and the outcome stands nothing but
the apply: after a crash there, the next run finds an intent without an outcome and settles it by what the
member's own record proves.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from enum import StrEnum

from reconciler.audit.entry import Drift, Entry, Intent, Outcome, OutcomeResult, PlanCounts
from reconciler.audit.state import LogState
from reconciler.documents import Cluster
from reconciler.errors import AuditError, FleetwardError, GateError, MemberError
from reconciler.member.breaker import retry_at
from reconciler.member.client import Member
from reconciler.member.errors import CODES, SlowError
from reconciler.member.identity import Identity
from reconciler.model import Desired, Finding, ObjectOutcome, ObjectResult, Observation, Record, Verdict
from reconciler.pipeline.change_sets import Authorized, sign
from reconciler.pipeline.check import Checked
from reconciler.pipeline.contact import Contact, unreachable
from reconciler.pipeline.gating import changes_input
from reconciler.pipeline.guarding import guarded
from reconciler.pipeline.journal import Journal
from reconciler.pipeline.looking import Looks
from reconciler.pipeline.ports import MemberPorts, WritePorts
from reconciler.plan import Allowances, AuthorizedPlan, Plan, authorize, build_plan
from reconciler.plan.authorize import GuardError
from reconciler.trust import SignedChangeSet


class MemberState(StrEnum):
    """How a member came out of a run."""

    SYNCED = "synced"  # nothing to do
    APPLIED = "applied"  # brought to its desired state now
    OBSERVED = "observed"  # mode observe: planned, never written
    SUSPENDED = "suspended"
    REFUSED = "refused"  # a guard or the gate said no
    FAILED = "failed"  # some object, or the member as a whole
    UNREACHABLE = "unreachable"
    WAITING = "waiting"  # the circuit breaker is open


GOOD = {MemberState.SYNCED, MemberState.APPLIED, MemberState.OBSERVED, MemberState.SUSPENDED}


@dataclass(frozen=True, slots=True)
class MemberResult:
    """One member's part of a run."""

    cluster: str
    state: MemberState
    plan: Plan | None = None
    outcomes: tuple[ObjectOutcome, ...] = ()
    findings: tuple[Finding, ...] = ()
    error: str = ""
    requests: int = 0

    @property
    def good(self) -> bool:
        """Whether this member is as it should be."""
        return self.state in GOOD


@dataclass(frozen=True, slots=True)
class Deployment:
    """What one run knows that all its members share."""

    checked: Checked
    members: MemberPorts
    writes: WritePorts
    journal: Journal
    state: LogState
    looks: Looks
    deep: bool
    allow: Allowances


async def deploy(run: Deployment, cluster: Cluster) -> MemberResult:
    """Bring one member to its desired state. Raises AuditError, never for the member's own faults."""
    try:
        return await _unless_left_alone(run, cluster)
    except AuditError as error:
        run.looks.stop(error)
        raise
    finally:
        run.looks.looked(cluster.name)


async def _unless_left_alone(run: Deployment, cluster: Cluster) -> MemberResult:
    if cluster.suspend:
        return MemberResult(cluster.name, MemberState.SUSPENDED)
    contact = run.members.contacts.get(cluster.name)
    now = run.members.clock()
    if contact.retry_at and now < contact.retry_at:
        error = f"not tried before {contact.retry_at:%H:%M:%S} UTC after {contact.failures} failures"
        return MemberResult(cluster.name, MemberState.WAITING, error=f"{error}: {contact.error}")
    try:
        return await _deploy(run, cluster)
    except MemberError as error:
        return _failed(run, cluster, contact, error)


def _failed(run: Deployment, cluster: Cluster, contact: Contact, error: MemberError) -> MemberResult:
    failures = contact.failures + 1
    now = run.members.clock()
    failed = replace(contact, error=str(error), failures=failures, retry_at=retry_at(failures, now))
    run.members.contacts.put(cluster.name, failed)
    state = MemberState.UNREACHABLE if unreachable(error) else MemberState.FAILED
    return MemberResult(cluster.name, state, error=str(error))


async def _deploy(run: Deployment, cluster: Cluster) -> MemberResult:
    async with run.members.connect(cluster, run.checked.read_fleet) as member:
        # 1. Who answers, and what does it have?
        desired = guarded(run.checked.compiled[cluster.name].desired, cluster)
        identity, seen = await _look(run, cluster, member, desired)
        # 2. A log that is behind the member's own record has been lost or rolled back.
        if seen.record:
            run.writes.log.require_at_least(cluster.name, seen.record.log_index, seen.record.change_set)
        run.looks.looked(cluster.name)
        await _settle(run, cluster, seen.record)
        # 3. Plan.
        plan = build_plan(desired, seen)
        contact = Contact(
            run.members.clock(), version=identity.version, objects=len(seen.live), drift=len(plan.drift)
        )
        run.members.contacts.put(cluster.name, contact)
        if cluster.mode == "observe":
            return MemberResult(cluster.name, MemberState.OBSERVED, plan, requests=seen.requests)
        if not plan.changes and _ended_well(run, cluster, seen.record):
            return await _keep(member, cluster, desired, plan, seen)
        return await _change(run, cluster, member, desired, plan, seen)


async def _look(
    run: Deployment, cluster: Cluster, member: Member, desired: Desired
) -> tuple[Identity, Observation]:
    """Identity and observation within ``applyTimeout``: every request may be in time, and all of them not."""
    limit = run.checked.federation.limits.apply_timeout
    try:
        async with asyncio.timeout(limit.total_seconds()):
            return await member.identify(), await member.observe(desired, deep=run.deep)
    except TimeoutError as error:
        raise SlowError(
            "the member was not seen in time",
            where=cluster.name,
            expected=f"within spec.limits.applyTimeout ({limit})",
            hint=CODES[SlowError.code][1],
        ) from error


async def _keep(
    member: Member, cluster: Cluster, desired: Desired, plan: Plan, seen: Observation
) -> MemberResult:
    requests = seen.requests
    if plan.stale_record and seen.record:
        requests += await member.refresh_record(desired, seen)
    return MemberResult(cluster.name, MemberState.SYNCED, plan, requests=requests)


async def _settle(run: Deployment, cluster: Cluster, record: Record | None) -> None:
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


async def _change(
    run: Deployment, cluster: Cluster, member: Member, desired: Desired, plan: Plan, seen: Observation
) -> MemberResult:
    # 4. The gate and the guards judge the changes.
    try:
        verdict = await asyncio.to_thread(_judge, run, cluster, plan)
        limit = run.checked.federation.limits.max_deletions
        authorized = authorize(plan, verdict, max_deletions=limit, allow=run.allow)
    except GuardError as error:
        return MemberResult(
            cluster.name, MemberState.REFUSED, plan, findings=error.findings, error=error.message
        )
    except GateError as error:
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
    if plan.drift:
        refs = [change.ref for change in plan.drift]
        commit = run.checked.commit
        entries.append(Drift.of(actor=run.writes.actor, cluster=cluster.name, commit=commit, objects=refs))
    entries.append(_intent(run, cluster, authorized, signed.digest, signed.change_set.sequence, seen))
    indices = await run.journal.append(*entries, bodies={signed.digest: signed.envelope})
    # 6. Apply, and say what became of it.
    return await _apply(run, cluster, member, desired, plan, signed, indices[-1])


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
        counts=PlanCounts(counts["create"], counts["update"], counts["delete"]),
    )


async def _apply(
    run: Deployment,
    cluster: Cluster,
    member: Member,
    desired: Desired,
    plan: Plan,
    signed: SignedChangeSet,
    index: int,
) -> MemberResult:
    outcomes: tuple[ObjectOutcome, ...] = ()
    error, requests = "", 0
    try:
        async with asyncio.timeout(run.checked.federation.limits.apply_timeout.total_seconds()):
            report = await member.apply(
                desired, Authorized(signed, run.writes.signer.public_key), log_index=index
            )
        outcomes, requests, error = report.outcomes, report.requests, report.error
    except FleetwardError as failure:
        error = str(failure)
    except TimeoutError:
        error = f"no end within spec.limits.applyTimeout ({run.checked.federation.limits.apply_timeout})"
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
    return MemberResult(cluster.name, state, plan, outcomes, error=error, requests=requests)
