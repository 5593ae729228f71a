"""The result of ``fleetward audit join`` as text and as JSON.

What stands in a member's audit log was written by whoever could send a request there: all of it is escaped.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from reconciler.audit.codes import CODES
from reconciler.audit.kube_event import KubeEvent
from reconciler.model import Severity
from reconciler.pipeline.claims import Claim
from reconciler.pipeline.joined import Joined, JoinFinding, Window
from reconciler.surfaces.formats.findings import Paint, plain
from reconciler.surfaces.formats.safe import safe
from reconciler.surfaces.formats.words import counted


def text(joined: Joined, paint: Paint = plain) -> str:
    """What was read, then the findings, errors first, then the verdict."""
    lines = [_window(window) for window in joined.windows]
    ordered = sorted(joined.findings, key=lambda finding: finding.severity is Severity.WARNING)
    for finding in ordered:
        lines += _finding(finding, paint)
    lines += _counts(joined)
    if joined.dropped:
        lines.append(paint(f"{joined.dropped} more were found and are not shown", "error"))
    verdict = paint("explained", "good") if joined.ok else paint("unexplained", "error")
    lines.append(f"{verdict}: {safe(joined.cluster)}, {_share(joined)}")
    return "\n".join(lines) + "\n"


def _window(window: Window) -> str:
    events = counted(window.events, "event")
    return f"{safe(window.file)}: {_time(window.first)} to {_time(window.last)}, {events}"


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _finding(finding: JoinFinding, paint: Paint) -> Iterator[str]:
    severity = finding.severity.value
    place = f"{paint(safe(finding.place), 'place')}: " if finding.place else ""
    yield f"{place}{paint(severity, severity)} {finding.code}: {safe(finding.message)}"
    if finding.object:
        yield f"    object {safe(str(finding.object))}"
    if finding.event:
        yield from (f"    {line}" for line in _event(finding.event))
    if finding.claim:
        claim = finding.claim
        entries = f"entries {claim.intent} and {claim.outcome}"
        yield f"    between {_time(claim.start)} and {_time(claim.end)}, {entries}"
        yield f"    Audit-ID {safe(claim.audit_id)}"
    yield f"    {paint('fix:', 'hint')} {CODES[finding.code][1]}"


def _event(event: KubeEvent) -> Iterator[str]:
    who = f"{event.user} as {event.impersonated}" if event.impersonated else event.user
    yield safe(f"{_time(event.time)} {event.verb} {event.target} by {who or 'nobody'}: {event.code}")
    yield safe(f"from {', '.join(event.addresses) or '?'}, user agent {event.agent or 'none'}")
    yield safe(f"Audit-ID {event.audit_id or 'none'}")


def _counts(joined: Joined) -> Iterator[str]:
    """Only what there was any of."""
    ours = f"requests of {safe(joined.user)}"
    if joined.not_covered:
        writes = counted(joined.not_covered, "write")
        yield f"{writes} of ours at a time that no file covers from start to end: not looked for"
    if joined.record_writes:
        yield f"{counted(joined.record_writes, 'write')} of ours to the signed record"
    if joined.tokens:
        yield f"{counted(joined.tokens, 'credential')} that our log has as renewed or issued"
    if joined.refused:
        yield f"{joined.refused} {ours} that failed, and that a run of ours explains"
    for user, count in joined.control_plane.items():
        yield f"{counted(count, 'write')} to federated objects by the control plane: {safe(user)}"


def _share(joined: Joined) -> str:
    if joined.share is None:
        return "no write by the reconciler's user in the time that is covered"
    whole = joined.matched + joined.missing + joined.unproven + joined.unexplained
    # Rounded down: 100 % means every one.
    percent = f"{joined.matched * 10_000 // whole / 100:g}"
    writes = counted(whole, "write")
    return f"{percent} % of {writes} by the reconciler's user have intent, outcome and matching Audit-ID"


def as_dict(joined: Joined) -> dict[str, Any]:
    """The JSON form; ``share`` is null where there was no write."""
    return {
        "cluster": joined.cluster,
        "user": joined.user,
        "ok": joined.ok,
        "share": joined.share,
        "counts": {
            "events": joined.events,
            "writes": joined.writes,
            "matched": joined.matched,
            "missing": joined.missing,
            "unproven": joined.unproven,
            "unexplained": joined.unexplained,
            "notCovered": joined.not_covered,
            "recordWrites": joined.record_writes,
            "tokens": joined.tokens,
            "refused": joined.refused,
            "dropped": joined.dropped,
        },
        "controlPlane": dict(joined.control_plane),
        "files": [
            {"file": w.file, "first": w.first.isoformat(), "last": w.last.isoformat(), "events": w.events}
            for w in joined.windows
        ],
        "findings": [_finding_dict(finding) for finding in joined.findings],
    }


def _finding_dict(finding: JoinFinding) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "code": finding.code,
        "severity": finding.severity.value,
        "message": finding.message,
        "hint": CODES[finding.code][1],
    }
    if finding.place:
        path, _, line = finding.place.rpartition(":")
        facts |= {"path": path, "line": int(line)}
    if finding.object:
        facts["object"] = str(finding.object)
    if finding.event:
        facts["event"] = _event_dict(finding.event)
    if finding.claim:
        facts["write"] = _claim_dict(finding.claim)
    return facts


def _event_dict(event: KubeEvent) -> dict[str, Any]:
    return {
        "auditID": event.audit_id,
        "time": event.time.isoformat(),
        "verb": event.verb,
        "target": str(event.target),
        "user": event.user,
        "impersonatedUser": event.impersonated,
        "userAgent": event.agent,
        "sourceIPs": list(event.addresses),
        "code": event.code,
    }


def _claim_dict(claim: Claim) -> dict[str, Any]:
    return {
        "auditID": claim.audit_id,
        "result": claim.result.value,
        "intent": claim.intent,
        "outcome": claim.outcome,
        "from": claim.start.isoformat(),
        "to": claim.end.isoformat(),
    }
