"""What our log says was written on one member: every Audit-ID, what is federated since when, open ends.

Rules: an outcome's body names each write with its Audit-ID (a *claim*). Where a run did not live to write
that body, or a request of it broke off without an answer, the intent's change set says which objects it may
have written: a *loose* end, which explains a write without proving it. An object is federated from the
intent that first wrote it to the outcome that deleted it. Bodies are believed because the signed log names
their digests.

Worked example::

    claims = claims_of(view, "member-a")
    claims.by_id["d3a67257-595e-485f-a42e-9d30ed00d1da"].ref    # ClusterRole... viewer
    claims.federated(("", "shop", "settings"), at=noon)         # {"ConfigMap"}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.audit.bodies import change_set_statement, objects_of
from reconciler.audit.entry import (
    CredentialIssued,
    CredentialRenewed,
    Intent,
    MemberKicked,
    MemberLeft,
    Outcome,
    OutcomeResult,
)
from reconciler.audit.outcomes import ObjectRow, read_outcomes
from reconciler.audit.view import LogView
from reconciler.member.revoking import bootstrapped
from reconciler.model import ObjectRef, ObjectResult

Name = tuple[str, str, str]  # group, namespace, name: all that an audit event says but for the kind
SKEW = timedelta(minutes=5)  # by which the clocks of a member and of our host may differ
_REVOKED = tuple((ref, "delete") for ref in bootstrapped())


@dataclass(frozen=True, slots=True)
class Claim:
    """One write as an outcome has it; it took place between ``start`` and ``end``, by our clock."""

    audit_id: str
    ref: ObjectRef
    result: ObjectResult
    intent: int  # index in the log
    outcome: int
    start: datetime
    end: datetime

    @property
    def written(self) -> bool:
        """The member answered that it was done."""
        return self.result in (ObjectResult.CREATED, ObjectResult.UPDATED, ObjectResult.DELETED)


@dataclass(frozen=True, slots=True)
class Run:
    """The time of one change set, from intent to outcome; ``end`` is None while it has no outcome."""

    intent: int
    start: datetime
    end: datetime | None

    def covers(self, at: datetime) -> bool:
        """Whether a write of this run may have the time ``at`` by the member's clock."""
        return self.start - SKEW <= at and (self.end is None or at <= self.end + SKEW)


@dataclass(slots=True)
class _Span:
    kind: str
    start: datetime
    end: datetime | None = None

    def holds(self, at: datetime) -> bool:
        return self.start <= at and (self.end is None or at <= self.end)


@dataclass(slots=True)
class Claims:
    """All of it, for one cluster."""

    cluster: str
    by_id: dict[str, Claim] = field(default_factory=dict)
    tokens: dict[str, datetime] = field(
        default_factory=dict
    )  # Audit-ID of a TokenRequest -> when it was logged
    runs: list[Run] = field(default_factory=list)
    _touched: dict[Name, list[Run]] = field(default_factory=dict)  # by runs that logged what became of it
    _loose: dict[Name, list[Run]] = field(default_factory=dict)
    _spans: dict[Name, list[_Span]] = field(default_factory=dict)
    _places: dict[str, set[str]] = field(default_factory=dict)  # group -> namespaces

    def federated(self, name: Name, at: datetime) -> set[str]:
        """The kinds of federated objects of that name at that time."""
        return {span.kind for span in self._spans.get(name, ()) if span.holds(at)}

    def all_federated(self, at: datetime) -> Iterator[ObjectRef]:
        """Every object that was federated at that time."""
        for (group, namespace, name), spans in self._spans.items():
            for span in spans:
                if span.holds(at):
                    yield ObjectRef(group, span.kind, namespace, name)

    def token(self, audit_id: str, at: datetime) -> bool:
        """Whether the log names that TokenRequest, and of that time."""
        logged = self.tokens.get(audit_id)
        return logged is not None and abs(at - logged) <= SKEW

    def has_place(self, group: str, namespace: str) -> bool:
        """Whether anything of that API group ever was federated there; "" for any namespace."""
        spaces = self._places.get(group, ())
        return namespace in spaces if namespace else bool(spaces)

    def has_namespace(self, namespace: str) -> bool:
        """Whether anything in that namespace ever was federated."""
        return any(namespace in spaces for spaces in self._places.values())

    def loose(self, name: Name, at: datetime) -> Run | None:
        """A run that may have written that object then, and did not log it."""
        return next((run for run in self._loose.get(name, ()) if run.covers(at)), None)

    def tried(self, name: Name, at: datetime) -> bool:
        """Whether a run worked on that object then, with whatever result."""
        runs = (*self._touched.get(name, ()), *self._loose.get(name, ()))
        return any(run.covers(at) for run in runs)

    def running(self, at: datetime) -> bool:
        """Whether any run was under way then."""
        return any(run.covers(at) for run in self.runs)

    def add_row(self, ref: ObjectRef, row: ObjectRow, run: Run, outcome: int, end: datetime) -> None:
        """What an outcome says of one object."""
        name = _name(ref)
        self._touched.setdefault(name, []).append(run)
        if row.audit_id:
            claim = Claim(row.audit_id, ref, row.result, run.intent, outcome, run.start, end)
            self.by_id[row.audit_id] = claim
        elif row.result is ObjectResult.FAILED:  # sent or not, and answered or not: nobody knows
            self._loose.setdefault(name, []).append(run)
        if row.result is ObjectResult.DELETED:
            self._close(ref, end)
        elif row.result in (ObjectResult.CREATED, ObjectResult.UPDATED, ObjectResult.UNCHANGED):
            self._open(ref, run.start)

    def add_loose(self, changes: Iterable[tuple[ObjectRef, str]], run: Run) -> None:
        """The objects (with actions) of a run that logged no outcomes of theirs."""
        for ref, action in changes:
            self._loose.setdefault(_name(ref), []).append(run)
            if action != "delete":
                self._open(ref, run.start)

    def close_all(self, at: datetime) -> None:
        """Nothing is federated any more."""
        for spans in self._spans.values():
            for span in spans:
                span.end = span.end or at

    def _open(self, ref: ObjectRef, at: datetime) -> None:
        spans = self._spans.setdefault(_name(ref), [])
        if not any(span.kind == ref.kind and span.end is None for span in spans):
            spans.append(_Span(ref.kind, at))
            self._places.setdefault(ref.group, set()).add(ref.namespace)

    def _close(self, ref: ObjectRef, at: datetime) -> None:
        for span in self._spans.get(_name(ref), ()):
            if span.kind == ref.kind and span.end is None:
                span.end = at


def _name(ref: ObjectRef) -> Name:
    return ref.group, ref.namespace, ref.name


def claims_of(view: LogView, cluster: str) -> Claims:
    """Everything that the log says of that cluster.

    Raises BodyError, BodyFormatError, and what reading the log raises.
    """
    claims = Claims(cluster)
    intents: dict[int, Intent] = {}
    kicked: Run | None = None
    for index, entry in view.entries():
        if isinstance(entry, Intent) and entry.cluster == cluster:
            intents[index] = entry
        elif isinstance(entry, Outcome) and entry.cluster == cluster:
            claims.runs.append(_settle(view, claims, intents.pop(entry.intent), entry, index))
        elif isinstance(entry, (CredentialRenewed, CredentialIssued)) and entry.cluster == cluster:
            claims.tokens[entry.audit_id] = _time(entry.time)
        elif isinstance(entry, (MemberKicked, MemberLeft)) and entry.cluster == cluster:
            kicked = _kick(claims, kicked, entry, index)
    if kicked:
        claims.add_loose(_REVOKED, kicked)
    for index, intent in intents.items():
        claims.runs.append(run := Run(index, _time(intent.time), None))
        claims.add_loose(changes_of(view.body(intent.change_set)), run)
    return claims


def _kick(claims: Claims, open_kick: Run | None, entry: MemberKicked | MemberLeft, index: int) -> Run | None:
    """A kick takes our access back, by writes without an outcome; from its end nothing is federated."""
    if isinstance(entry, MemberKicked):
        return open_kick or Run(index, _time(entry.time), None)
    if open_kick:
        claims.add_loose(_REVOKED, Run(open_kick.intent, open_kick.start, _time(entry.time)))
    claims.close_all(_time(entry.time))
    return None


def _settle(view: LogView, claims: Claims, intent: Intent, entry: Outcome, index: int) -> Run:
    run = Run(entry.intent, _time(intent.time), _time(entry.time))
    if entry.body:
        for row in read_outcomes(view.body(entry.body)):
            claims.add_row(ref_of(row.object), row, run, index, _time(entry.time))
    elif entry.result is not OutcomeResult.ABANDONED:
        claims.add_loose(changes_of(view.body(intent.change_set)), run)
    return run


def _time(moment: datetime | None) -> datetime:
    assert moment is not None  # noqa: S101  an entry that was read has its time
    return moment


def ref_of(text: str) -> ObjectRef:
    """The object that ``str(ObjectRef)`` names.

    >>> ref_of("Role.rbac.authorization.k8s.io shop/a"), ref_of("Namespace shop")[1:]
    (ObjectRef(group='rbac.authorization.k8s.io', kind='Role', namespace='shop', name='a'), \
('Namespace', '', 'shop'))
    """
    head, _, place = text.partition(" ")
    kind, _, group = head.partition(".")
    namespace, _, name = place.rpartition("/")
    return ObjectRef(group, kind, namespace, name)


def changes_of(envelope: bytes) -> list[tuple[ObjectRef, str]]:
    """(object, action) of each change in an intent's body. Raises BodyFormatError."""
    changes = change_set_statement(envelope)["predicate"]["changes"]
    return list(zip(objects_of(envelope), (str(change.get("action")) for change in changes), strict=True))
