"""What an entry about membership says, as one line of text; the caller escapes it."""

from __future__ import annotations

from reconciler.audit.entry import (
    Demoted,
    Entry,
    JoinRefused,
    MemberJoined,
    MemberKicked,
    MemberLeft,
    Promoted,
    TokenCreated,
    TokenRevoked,
    TokenUsed,
)
from reconciler.surfaces.formats.words import counted


def membership_line(entry: Entry) -> str:
    """The line; "" for an entry about something else."""
    match entry:
        case Promoted():
            return f"primary {entry.cluster_uid}, members join at {entry.address}:{entry.port}"
        case Demoted():
            return f"primary {entry.cluster_uid} given up with {counted(entry.members, 'member')}"
        case TokenCreated():
            how = ", auto-approved" if entry.auto_approve else ""
            until = f"{entry.expires:%Y-%m-%dT%H:%M:%SZ}"
            return f"{entry.token} for {entry.cluster or 'any name'}, until {until}{how}"
        case TokenUsed():
            return f"{entry.token} by {entry.cluster} ({entry.cluster_uid})"
        case TokenRevoked():
            return entry.token
        case JoinRefused():
            asked = f" for {entry.cluster}" if entry.cluster else ""
            return f"{entry.code}{asked} from {entry.address or '-'}, {counted(entry.count, 'request')}"
        case MemberJoined():
            how = "proposed" if entry.branch.startswith("refs/heads/join/") else "registered"
            return f"{entry.cluster} ({entry.cluster_uid}) {how} as {entry.commit[:12]} on {entry.branch}"
        case MemberKicked():
            return _kicked(entry)
        case MemberLeft():
            proposed = f", removal proposed on {entry.branch}" if entry.branch else ""
            return f"{entry.cluster} by the kick at {entry.kick}{proposed}"
    return ""


def _kicked(entry: MemberKicked) -> str:
    how = (
        "gone" if not entry.contacted else "keeping its objects" if entry.kept_objects else "with its objects"
    )
    return (
        f"{entry.cluster} ({entry.cluster_uid or 'unknown uid'}), {how}: {entry.reason or 'no reason given'}"
    )
