"""What can be held against a commit or an approval, as errors with a code and as findings."""

from collections.abc import Sequence

from reconciler.errors import FleetwardError, TrustError
from reconciler.model import Finding, Severity
from reconciler.trust.commits import VerifiedSigner
from reconciler.trust.errors import (
    ApprovalError,
    ForgeError,
    RootRollbackError,
    RootVersionError,
    StatementError,
)
from reconciler.trust.verdicts import Candidate, RuleVerdict


def finding(error: TrustError, commit: str) -> Finding:
    """An error as a finding about a commit."""
    return Finding(
        error.code,
        error.message,
        subject=f"commit {commit}",
        expected=error.expected,
        got=error.got,
        hint=error.hint,
    )


def note(tag: str, error: FleetwardError) -> Finding:
    """Why the approval in a tag (its name or id) does not count: a warning."""
    return Finding(
        StatementError.code,
        f"an approval does not count: {error.message}",
        subject=tag,
        severity=Severity.WARNING,
        expected=error.expected,
        got=error.got or error.code,
        hint=error.hint,
    )


def forge_error(commit: Candidate, signer: VerifiedSigner | None) -> ForgeError:
    """A forge authored something."""
    what = "a merge that is not what its parents merge to" if len(commit.parents) > 1 else "a squash or edit"
    return ForgeError(
        "a forge's key signed content of its own",
        expected="a merge commit whose parents explain every file",
        got=f"{what} by {signer.name if signer else ''}: {_listed(commit.paths)}",
        hint="let the forge make merge commits only (no squash, no rebase), of branches that are up to date",
    )


def lacking_error(verdict: RuleVerdict) -> ApprovalError:
    """A rule lacks people."""
    missing = " and ".join(map(str, verdict.lacking))
    return ApprovalError(
        f"the change of {_listed(verdict.paths)} lacks {missing}",
        expected=" and ".join(map(str, verdict.rule.needs)),
        got=", ".join(verdict.people) or "nobody who counts",
        hint="have it approved: `fleetward approve REV`; `fleetward trust explain REV` shows by whom",
    )


def rollback(version: int, newest: int) -> RootRollbackError:
    """The root is of an older version."""
    hint = "undo a change of the root by a new version, never by an old one"
    return RootRollbackError(
        "the trust root is older than the one before it",
        expected=f"version {newest}",
        got=f"version {version}",
        hint=hint,
    )


def not_next(version: int, newest: int) -> RootVersionError:
    """The root changed without the next version."""
    hint = "set spec.trust.version in federation.yaml in the same commit"
    return RootVersionError(
        "the trust root changed without the next version",
        expected=f"version {newest + 1}",
        got=f"version {version}",
        hint=hint,
    )


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(paths[:3]) + more
