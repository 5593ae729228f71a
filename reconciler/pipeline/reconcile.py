"""One scheduled run: fetch, verify, check, accept, then every member at once.

Fail closed: whatever is wrong with the commit stops the run before any member is contacted for writing;
whatever is wrong with one member stops that member only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from reconciler.audit.entry import CommitAccepted, CommitRefused, GateSummary
from reconciler.audit.state import LogState
from reconciler.documents import Cluster
from reconciler.errors import GateError, RepositoryError, TrustError
from reconciler.model import Finding
from reconciler.pipeline.check import Checked, check
from reconciler.pipeline.deploy import deploy
from reconciler.pipeline.journal import Journal
from reconciler.pipeline.looking import Looks
from reconciler.pipeline.ports import CheckPorts, MemberPorts, WritePorts
from reconciler.pipeline.run import Deployment, MemberResult
from reconciler.plan import NOTHING_ALLOWED, Allowances
from reconciler.repository import Repository


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


@dataclass(frozen=True, slots=True)
class Run:
    """What one run did."""

    commit: str
    accepted_now: bool
    checked: Checked
    members: tuple[MemberResult, ...]

    @property
    def converged(self) -> bool:
        """True when every member that is to be in its desired state is."""
        return all(member.good for member in self.members)


async def reconcile(
    checks: CheckPorts,
    members: MemberPorts,
    writes: WritePorts,
    *,
    clusters: Collection[str] = (),
    deep: bool = False,
    allow: Allowances = NOTHING_ALLOWED,
) -> Run:
    """The whole flow once; ``clusters`` empty means all. Raises RefusedError with nothing applied."""
    checks.repository.fetch()
    state = writes.log.state()
    accepted = require_initialized(state, checks.repository)
    head = checks.repository.resolve(state.ref)
    journal = Journal(writes.log)
    checks.report(f"checking {head[:12]}")
    checked = await _check(checks, writes, journal, head, accepted)

    async def accept() -> None:
        if head != accepted:
            await journal.append(_acceptance(writes, state, checked))

    chosen = checked.select(clusters)
    looks = Looks((cluster.name for cluster in chosen), accept)
    run = Deployment(checked, members, writes, journal, writes.log.state(), looks, deep, allow)
    results = await _deploy_all(run, chosen)
    await looks.accept()
    return Run(head, head != accepted, checked, results)


async def _deploy_all(run: Deployment, clusters: Sequence[Cluster]) -> tuple[MemberResult, ...]:
    """Every member at once. A log that fails stops what has not begun; what has begun ends in order."""
    results = await asyncio.gather(*(deploy(run, cluster) for cluster in clusters), return_exceptions=True)
    done = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        done.append(result)
    return tuple(done)


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


async def _check(
    checks: CheckPorts, writes: WritePorts, journal: Journal, head: str, accepted: str
) -> Checked:
    try:
        checked = check(checks, rev=head, base=accepted)
    except (RepositoryError, GateError) as error:
        finding = Finding(error.code, error.message, subject=head, expected=error.expected, got=error.got)
        await _refuse(journal, writes, head, accepted, (finding,))
        raise
    if not checked.ok:
        await _refuse(journal, writes, head, accepted, checked.errors)
        raise RefusedError(head, checked.findings)
    return checked


async def _refuse(
    journal: Journal, writes: WritePorts, head: str, accepted: str, findings: tuple[Finding, ...]
) -> None:
    # A schedule meets the same bad commit again and again; the log says it once.
    known = writes.log.state().refused
    if known and (known[-1].commit, known[-1].count) == (head, len(findings)):
        return
    entry = CommitRefused.of(actor=writes.actor, commit=head, previous=accepted, findings=findings)
    await journal.append(entry)


def _acceptance(writes: WritePorts, state: LogState, checked: Checked) -> CommitAccepted:
    return CommitAccepted(
        actor=writes.actor,
        commit=checked.commit,
        tree=checked.tree,
        previous=checked.base,
        ref=state.ref,
        commits=len(checked.signers),
        signers=tuple(sorted(set(checked.signers.values()))),
        gate=GateSummary(checked.gate_digest, checked.rules),
    )
