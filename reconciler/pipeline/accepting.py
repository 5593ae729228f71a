"""The newest commit against the log: judged, and then accepted or refused, in the log either way."""

from __future__ import annotations

from reconciler.audit.entry import CommitAccepted, CommitRefused, GateSummary, digest_of
from reconciler.audit.provenance import ApprovalProvenance, CommitProvenance, provenance_body
from reconciler.audit.state import LogState
from reconciler.errors import FleetwardError, GateError, RepositoryError, TrustError
from reconciler.model import Finding
from reconciler.pipeline.check import Checked, check
from reconciler.pipeline.heartbeats import require_heartbeat
from reconciler.pipeline.journal import Journal
from reconciler.pipeline.judging import Seen
from reconciler.pipeline.ports import CheckPorts, WritePorts
from reconciler.repository import Repository
from reconciler.trust import CommitVerdict


class UninitializedError(TrustError):
    """Nobody has named the first commit."""

    code = "FW1250"


class TeleportError(TrustError):
    """The log belongs to another repository or ref."""

    code = "FW1251"


class RefusedError(TrustError):
    """The commit was refused; nothing was applied anywhere."""

    code = "FW1252"

    def __init__(self, commit: str, findings: tuple[Finding, ...]) -> None:
        super().__init__(
            "the commit is refused; nothing was applied anywhere",
            where=f"commit {commit}",
            hint="mend what the findings name, and merge a new commit",
        )
        self.findings = findings


def require_initialized(state: LogState, repository: Repository) -> str:
    """The commit accepted last. Raises UninitializedError, TeleportError."""
    if state.accepted is None:
        raise UninitializedError(
            "no commit has been trusted yet",
            hint="review a commit and name it: fleetward trust init --commit SHA",
        )
    if state.repository != repository.location:
        raise TeleportError(
            "the log belongs to another repository",
            expected=state.repository,
            got=repository.location,
            hint="use the repository that the trust was initialized with, or another --state and --log",
        )
    return state.accepted.commit


async def judge_head(
    checks: CheckPorts, writes: WritePorts, journal: Journal, head: str, accepted: str
) -> Checked:
    """Check ``head`` against the accepted commit. A refusal is logged, and raised as what it was."""
    seen = tuple(Seen(one.commit, one.time) for one in writes.log.state().seen)
    try:
        checked = check(checks, rev=head, base=accepted, seen=seen)
        if checked.ok:
            require_heartbeat(checks.repository, checked.federation, head, checks.clock())
    except (RepositoryError, GateError, TrustError) as error:
        await refuse(journal, writes, head, accepted, (as_finding(error, head),))
        raise
    if not checked.ok:
        await refuse(journal, writes, head, accepted, checked.errors)
        raise RefusedError(head, checked.findings)
    return checked


def as_finding(error: FleetwardError, subject: str) -> Finding:
    """An error as a finding about ``subject``."""
    return Finding(
        error.code, error.message, subject=subject, expected=error.expected, got=error.got, hint=error.hint
    )


async def refuse(
    journal: Journal, writes: WritePorts, head: str, accepted: str, findings: tuple[Finding, ...]
) -> None:
    """Log the refusal, once: a schedule meets the same bad commit again and again.

    Once until something else is logged, or until the same commit is refused for another reason.
    """
    state = writes.log.state()
    if state.refused:
        last = state.refused[-1]
        same = (last.commit, last.count, last.summary.partition(":")[0])
        if last.index == state.size - 1 and same == (head, len(findings), findings[0].code):
            return
    entry = CommitRefused.of(actor=writes.actor, commit=head, previous=accepted, findings=findings)
    await journal.append(entry)


async def accept(writes: WritePorts, journal: Journal, checked: Checked, ref: str) -> None:
    """Log that the commit is accepted, by whom it was signed and approved."""
    judgement = checked.judgement
    assert judgement is not None  # noqa: S101  a commit with a base was judged
    body = provenance_body([row for one in judgement.verdicts if (row := _provenance(one))])
    entry = CommitAccepted(
        actor=writes.actor,
        commit=checked.commit,
        tree=checked.tree,
        previous=checked.base,
        ref=ref,
        commits=len(judgement.verdicts),
        signers=tuple(sorted(set(checked.signers.values()))[:100]),
        gate=GateSummary(checked.gate_digest, checked.rules),
        root_version=judgement.root.version,
        provenance=digest_of(body),
    )
    await journal.append(entry, bodies={entry.provenance: body})


def _provenance(verdict: CommitVerdict) -> CommitProvenance | None:
    if verdict.signer is None:
        return None
    return CommitProvenance(
        commit=verdict.commit,
        signer=verdict.signer.name,
        method=verdict.signer.method.value,
        fingerprint=verdict.signer.fingerprint,
        authority=verdict.signer.authority,
        first_seen=verdict.first_seen.replace(microsecond=verdict.first_seen.microsecond // 1000 * 1000),
        rules=tuple(" ".join(one.rule.paths)[:512] for one in verdict.rules)[:100],
        approvals=tuple(
            ApprovalProvenance(one.signer.name, one.signer.fingerprint, one.digest)
            for one in verdict.approvers[:100]
        ),
    )
