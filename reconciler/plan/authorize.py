"""The guards: what no plan may do without a person saying so.

Every guard is judged, and all that speak are named in one error. Only an ``AuthorizedPlan`` can become a
change set, and only ``authorize`` makes one.

>>> deletion_limit("10%", 200), deletion_limit("10%", 3), deletion_limit(2, 200)
(20, 5, 2)
"""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.errors import PlanError
from reconciler.model import Finding, SourceRef, Verdict
from reconciler.plan.changes import Action, Change, Plan

CODES = {
    "FW1600": (
        "A guard refused the plan; the findings say which.",
        "Read each finding; nothing was applied.",
    ),
    "FW1601": (
        "The plan deletes more objects than the Federation allows at once.",
        "Check that the deletions are meant; then raise spec.limits.maxDeletions or pass --allow-deletions.",
    ),
    "FW1602": (
        "Nothing is desired for a member that has objects.",
        "Check placement and the commit; pass --allow-empty if the member shall really be emptied.",
    ),
    "FW1603": (
        "Another field manager owns a field that the fleet sets.",
        "Remove the field here or there, or annotate the document with fleetward.io/conflict: take.",
    ),
    "FW1604": (
        "The API server refuses the object.",
        "Mend the document as the message says; `fleetward plan` shows it again without writing.",
    ),
    "FW1605": ("The gate refused the plan.", "Mend what its findings name."),
}
MINIMUM_DELETIONS = 5  # a percentage never limits below this, or small members could not be changed


class GuardError(PlanError):
    """At least one guard spoke; ``findings`` has them all."""

    code = "FW1600"

    def __init__(self, plan: Plan, findings: tuple[Finding, ...]) -> None:
        text = "; ".join(f"{finding.code} {finding.message}" for finding in findings)
        super().__init__(f"the plan was refused: {text}", where=plan.cluster)
        self.findings = findings


@dataclass(frozen=True, slots=True)
class Allowances:
    """What a person allowed for this run."""

    empty: bool = False
    deletions: bool = False


NOTHING_ALLOWED = Allowances()


@dataclass(frozen=True, slots=True)
class AuthorizedPlan:
    """A plan that passed the guards and the gate; the only thing that is signed."""

    plan: Plan
    verdict: Verdict


def authorize(
    plan: Plan, verdict: Verdict, *, max_deletions: int | str, allow: Allowances = NOTHING_ALLOWED
) -> AuthorizedPlan:
    """Hold the plan against every guard. Raises GuardError with all findings."""
    findings = [*_blocked(plan), *_deletions(plan, max_deletions, allow), *_empty(plan, allow)]
    if not verdict.allowed:
        findings += [f for f in verdict.findings if f.severity == "error"] or [
            Finding("FW1605", "the gate evaluated no rule", subject=plan.cluster)
        ]
    if findings:
        raise GuardError(plan, tuple(findings))
    return AuthorizedPlan(plan, verdict)


def deletion_limit(setting: int | str, objects: int) -> int:
    """``maxDeletions`` as a number of objects; a percentage is of what the member has."""
    if isinstance(setting, int):
        return setting
    return max(MINIMUM_DELETIONS, objects * int(setting.rstrip("%")) // 100)


def _blocked(plan: Plan) -> list[Finding]:
    return [_blocked_finding(plan, change) for change in plan.blocked]


def _blocked_finding(plan: Plan, change: Change) -> Finding:
    code = "FW1603" if change.action is Action.CONFLICT else "FW1604"
    source: SourceRef | None = change.source
    return Finding(
        code,
        f"{change.ref}: {change.reason}: {change.detail}",
        source,
        subject=f"{plan.cluster}/{change.ref}",
        hint=CODES[code][1],
    )


def _deletions(plan: Plan, setting: int | str, allow: Allowances) -> list[Finding]:
    deletions = plan.count(Action.DELETE)
    limit = deletion_limit(setting, plan.kept + plan.count(Action.UPDATE) + deletions)
    if allow.deletions or deletions <= limit:
        return []
    return [
        Finding(
            "FW1601",
            f"{deletions} deletions on {plan.cluster}",
            subject=plan.cluster,
            expected=f"at most {limit} (maxDeletions {setting})",
            got=str(deletions),
            hint=CODES["FW1601"][1],
        )
    ]


def _empty(plan: Plan, allow: Allowances) -> list[Finding]:
    if allow.empty or plan.wanted or not plan.count(Action.DELETE):
        return []
    return [Finding("FW1602", f"nothing is desired for {plan.cluster}", hint=CODES["FW1602"][1])]
