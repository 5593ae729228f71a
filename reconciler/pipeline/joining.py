"""Joins a member's own Kubernetes audit log with ours: who wrote what is federated, and was it us?

- A write of ours is *matched* by its Audit-ID, and only if everything else is right too (``matching``).
- A write that our outcome proves is matched by an event of unknown end too (a 504: a connection broke).
- A successful write by our user that no outcome names is a finding, unless an intent whose run did not end
  well names its object (then it is shown). The signed record is written without Audit-ID: it proves itself.
- A write by anybody else to what is federated at that time is a finding (``foreign``). So is a write as our
  user by impersonation. Writes that failed are shown.
- Our writes at times that no file covers from start to end are counted and not searched for.

Streams the files once; what is kept grows with our own writes and with the findings, which are bounded.

Worked example::

    joined = join(view, [Path("member-a.audit.jsonl")], cluster="member-a")
    joined.share, joined.ok, joined.findings        # 1.0, True, ()
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.audit import codes
from reconciler.audit.codes import KubeAuditError
from reconciler.audit.kube_audit import read_events
from reconciler.audit.kube_event import BadLine, KubeEvent
from reconciler.audit.view import LogView
from reconciler.errors import SettingsError
from reconciler.model import RECONCILER_USER, ObjectRef, ObjectResult, Severity
from reconciler.pipeline.claims import Claim, Claims, claims_of
from reconciler.pipeline.foreign import (
    by_control_plane,
    concerned,
    is_itself,
    is_record,
    may_concern,
    name_of,
)
from reconciler.pipeline.joined import Joined, JoinFinding, Window
from reconciler.pipeline.matching import mismatch
from reconciler.pipeline.resources import Resources

MAX_FINDINGS = 10_000
TOKEN_REQUEST = ("", "serviceaccounts", "token")
_COUNTS = ("events", "writes", "unproven", "unexplained", "not_covered", "record_writes", "tokens", "refused")
_ERROR, _WARNING = Severity.ERROR, Severity.WARNING


def join(view: LogView, files: Sequence[Path], *, cluster: str, user: str = RECONCILER_USER) -> Joined:
    """Join all files with what the log says of ``cluster``; ``user`` is the reconciler's there.

    Raises KubeAuditError, SettingsError for a cluster that the log never spoke of, AuditError for our log.
    """
    known = view.state().clusters
    if cluster not in known:
        expected = " or ".join(sorted(known)) or "a cluster that was reconciled"
        raise SettingsError("the log has no such cluster", got=cluster, expected=expected)
    work = _Join(claims_of(view, cluster), user)
    for file in files:
        work.read(file)
    return work.result()


@dataclass(slots=True)
class _Join:
    claims: Claims
    user: str
    resources: Resources = field(default_factory=Resources)
    windows: list[Window] = field(default_factory=list)
    matched: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    control_plane: Counter[str] = field(default_factory=Counter)
    findings: list[JoinFinding] = field(default_factory=list)
    dropped: int = 0
    # What is not ours, each once: the same line may stand in two files. Others' wait until all resources
    # are known.
    mine: set[KubeEvent] = field(default_factory=set)
    others: dict[KubeEvent, None] = field(default_factory=dict)

    def read(self, file: Path) -> None:
        """One file, once, line by line."""
        first = last = None
        events = 0
        for item in read_events(file):
            if isinstance(item, BadLine):
                self._add(JoinFinding(codes.KUBE_LINE, _ERROR, item.reason, place=str(item.place)))
                continue
            events += 1
            first = item.time if first is None else min(first, item.time)
            last = item.ended if last is None else max(last, item.ended)
            if item.is_write:
                self._write(item)
        if first is None or last is None:
            raise KubeAuditError(
                "the audit log has no event", where=str(file), hint=codes.CODES[KubeAuditError.code][1]
            )
        self.windows.append(Window(str(file), first, last, events))
        self.counts["events"] += events

    def _write(self, event: KubeEvent) -> None:
        self.counts["writes"] += 1
        if claim := self.claims.by_id.get(event.audit_id):
            self._claimed(event, claim)
        elif event.impersonated == self.user or (event.user == self.user and not event.impersonated):
            if self._first(event, self.mine):
                self._unclaimed(event)
        elif may_concern(event, self.claims):
            self._by_others(event)

    def _by_others(self, event: KubeEvent) -> None:
        if by_control_plane(event):  # only counted, so not worth being kept
            about = event.succeeded and concerned(event, self.claims, self.resources)
            self.control_plane[event.user] += bool(about)
        elif self._first(event, self.others):
            self.others[event] = None

    def _first(self, event: KubeEvent, seen: set[KubeEvent] | dict[KubeEvent, None]) -> bool:
        if event in seen:
            return False
        if len(seen) >= MAX_FINDINGS:
            self.dropped += 1
            return False
        return True

    def _claimed(self, event: KubeEvent, claim: Claim) -> None:
        if reason := mismatch(event, claim, self.user, self.resources):
            self.counts["unexplained"] += event.succeeded and event.user == self.user
            self._note(codes.AUDIT_ID_REUSED, event, f"not our write of that Audit-ID: {reason}", claim.ref)
        elif event.succeeded or _answered_otherwise(event, claim):
            self.matched.add(claim.audit_id)
        else:
            self.counts["refused"] += 1  # the try before one that was answered, or a failure that is logged

    def _unclaimed(self, event: KubeEvent) -> None:
        """A write by our user, or as our user, whose Audit-ID is in no outcome."""
        name, counts = name_of(event), self.counts
        if event.impersonated and event.succeeded:
            counts["unexplained"] += 1
            about = concerned(event, self.claims, self.resources)
            self._note(codes.IMPERSONATED, event, "a write as our user, by impersonation", about)
        elif not event.succeeded and self._tried(event) and not event.impersonated:
            counts["refused"] += 1
        elif not event.succeeded:
            self._note(codes.WRITE_REFUSED, event, f"{_failed(event)}, and no run of ours tried it")
        elif is_record(event):
            counts["record_writes"] += 1
        elif event.target[:3] == TOKEN_REQUEST and self.claims.token(event.audit_id, event.time):
            counts["tokens"] += 1
        elif run := self.claims.loose(name, event.time):
            counts["unproven"] += 1
            self._note(codes.WRITE_UNPROVEN, event, f"by our user, explained by entry {run.intent} alone")
        else:
            counts["unexplained"] += 1
            about = concerned(event, self.claims, self.resources)
            self._note(codes.WRITE_UNEXPLAINED, event, "by our user, not explained by our log", about)
        self.mine.add(event)

    def _tried(self, event: KubeEvent) -> bool:
        """Whether a run of ours that was under way explains a request that failed."""
        if is_record(event):
            return self.claims.running(event.time)
        return self.claims.tried(name_of(event), event.time)

    def result(self) -> Joined:
        """After all files were read."""
        for event in self.others:
            if ref := concerned(event, self.claims, self.resources):
                self._foreign(event, ref)
        missing = self._missing()
        counts = {name: self.counts[name] for name in _COUNTS}
        control_plane = {user: count for user, count in self.control_plane.most_common() if count}
        return Joined(
            self.claims.cluster, self.user, tuple(self.windows), matched=len(self.matched), missing=missing,
            control_plane=control_plane, findings=tuple(self.findings), dropped=self.dropped, **counts,
        )  # fmt: skip

    def _foreign(self, event: KubeEvent, ref: ObjectRef) -> None:
        if not event.succeeded:
            self._note(codes.WRITE_REFUSED, event, f"{_failed(event)}, to a federated object", ref)
        elif is_itself(event, ref):
            self._note(codes.WRITE_BY_OTHERS, event, "not ours, to a federated object", ref)
        else:
            self._note(codes.WRITE_BY_OTHERS, event, f"not ours, and takes along {ref}", ref)

    def _missing(self) -> int:
        missing = 0
        for claim in self.claims.by_id.values():
            if claim.audit_id in self.matched or not claim.written:
                continue
            if not any(window.covers(claim.start, claim.end) for window in self.windows):
                self.counts["not_covered"] += 1
                continue
            missing += 1
            message = f"{claim.result.value} by us, and the member's log does not have it"
            self._add(JoinFinding(codes.WRITE_MISSING, _ERROR, message, claim=claim, object=claim.ref))
        return missing

    def _note(self, code: str, event: KubeEvent, message: str, ref: ObjectRef | None = None) -> None:
        severity = _WARNING if code in (codes.WRITE_REFUSED, codes.WRITE_UNPROVEN) else _ERROR
        self._add(JoinFinding(code, severity, message, event, None, ref, str(event.place)))

    def _add(self, finding: JoinFinding) -> None:
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(finding)
        else:
            self.dropped += 1


def _answered_otherwise(event: KubeEvent, claim: Claim) -> bool:
    """Whether the write was done by an event that does not say so.

    What was deleted may be gone already; and where a connection broke, the API server notes a 504 or nothing
    for what it has done all the same, of which our outcome had proof (``member.writes``).
    """
    if event.refused:
        return claim.result is ObjectResult.DELETED and event.code == 404
    return claim.written


def _failed(event: KubeEvent) -> str:
    return "refused" if event.refused else "answered with an error, and may have been done"
