"""Log entries as lines of text."""

from __future__ import annotations

from reconciler.audit.entry import (
    CommitAccepted,
    CommitRefused,
    CredentialIssued,
    CredentialRenewed,
    Drift,
    Entry,
    Intent,
    KeyRotated,
    MemberRefused,
    Outcome,
    TrustInitialized,
)
from reconciler.surfaces.formats.findings import Paint, plain
from reconciler.surfaces.formats.memberships import membership_line
from reconciler.surfaces.formats.safe import safe
from reconciler.surfaces.formats.words import counted


def line(index: int, entry: Entry, paint: Paint = plain) -> str:
    """Index, time, kind, who ran it, and what it says."""
    time = entry.time.strftime("%Y-%m-%dT%H:%M:%SZ") if entry.time else "-"
    kind = paint(f"{entry.kind:<18}", "heading")
    return f"{index:>6}  {time}  {kind}  {safe(_says(entry))}  {paint(safe(entry.actor), 'dim')}"


def _says(entry: Entry) -> str:
    match entry:
        case TrustInitialized():
            return f"{entry.commit[:12]} of {entry.repository} {entry.ref}"
        case CommitAccepted():
            commits = counted(entry.commits, "commit")
            return f"{entry.commit[:12]}, {commits} signed by {', '.join(entry.signers)}"
        case CommitRefused():
            return f"{entry.commit[:12]}, {_refusal(entry)}"
        case MemberRefused():
            return f"{entry.cluster}: commit {entry.commit[:12]}, {_refusal(entry)}"
        case Intent():
            counts = entry.counts
            return (
                f"{entry.cluster}: +{counts.create} ~{counts.update} -{counts.delete}, "
                f"change set {entry.sequence} of commit {entry.commit[:12]}"
            )
        case Outcome():
            error = f": {entry.error}" if entry.error else ""
            return f"{entry.cluster}: {entry.result.value} (intent {entry.intent}){error}"
        case KeyRotated():
            return f"{entry.reason.value}: {entry.old_key} is replaced by {entry.new_key}"
        case CredentialRenewed() | CredentialIssued():
            return f"{entry.cluster}: {entry.role.value}, until {entry.expires:%Y-%m-%dT%H:%M:%SZ}"
        case Drift():
            more = f" and {entry.count - 3} more" if entry.count > 3 else ""
            return f"{entry.cluster}: {', '.join(entry.objects[:3])}{more}"
    return membership_line(entry)


def _refusal(entry: CommitRefused | MemberRefused) -> str:
    first = f": {entry.findings[0].code} {entry.findings[0].message}" if entry.findings else ""
    return f"{counted(entry.count, 'finding')}{first}"
