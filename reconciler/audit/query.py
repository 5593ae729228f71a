"""Finding entries: by cluster, object, person, commit, time and kind, newest or oldest first, lazily.

Rules: a filter that is not set lets everything pass; those that are set must all agree. Entries are read
one after the other and bodies only where a filter needs them, so ``limit`` ends the reading. What cannot
be read raises, since "not found" would be a wrong answer.

- object: ``NAME`` or ``NAMESPACE/NAME``, or ``KIND`` before it, with or without its group; looked for in
  change sets, outcomes and drift.
- person: who ran it (the whole actor or its part before the @), signed a commit, or approved one.
- commit: the beginning of its id; an accepted range has all its commits, an outcome that of its intent.

>>> names_object("ClusterRole.rbac.authorization.k8s.io viewer", "clusterrole viewer")
True
>>> names_object("Role.rbac.authorization.k8s.io shop/viewer", "web/viewer")
False
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from reconciler.audit.bodies import objects_of
from reconciler.audit.codes import QueryError
from reconciler.audit.entry import KINDS, CommitAccepted, Drift, Entry, Intent, Outcome, decode
from reconciler.audit.outcomes import read_outcomes
from reconciler.audit.provenance import CommitProvenance, read_provenance
from reconciler.audit.view import LogView

_COMMIT = re.compile(r"[0-9a-f]{4,64}")


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for; "" and None let everything pass. ``since`` is inclusive, ``until`` is not."""

    cluster: str = ""
    object: str = ""
    person: str = ""
    commit: str = ""
    since: datetime | None = None
    until: datetime | None = None
    kinds: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not all(text.isprintable() for text in (self.cluster, self.object, self.person)):
            raise QueryError("a filter with control characters", hint="type the name as the log prints it")
        if self.commit and not _COMMIT.fullmatch(self.commit):
            raise QueryError(
                "not the beginning of a commit id", expected="4 to 64 hex digits", got=self.commit[:80]
            )
        if unknown := self.kinds - KINDS.keys():
            got = ", ".join(sorted(unknown))[:200]
            raise QueryError("no such kind of entry", expected=", ".join(KINDS), got=got)


def select(
    log: LogView, query: Query, *, limit: int | None = None, newest_first: bool = False
) -> Iterator[tuple[int, Entry]]:
    """(index, entry) of what matches, oldest first; ``limit`` keeps the newest.

    Raises on the way what ``LogView.entry`` and ``LogView.body`` raise, and BodyFormatError.
    """
    if limit is None and not newest_first:
        return _matching(log, query, range(log.size))
    found = islice(_matching(log, query, range(log.size - 1, -1, -1)), limit)
    return found if newest_first else reversed(list(found))


def _matching(log: LogView, query: Query, indices: range) -> Iterator[tuple[int, Entry]]:
    marks = _marks(query)
    for index in indices:
        data = log.raw(index)
        # Canonical bytes hold a field in one spelling only: most entries need not even be parsed.
        if all(any(mark in data for mark in group) for group in marks):
            entry = decode(data)
            if _matches(log, query, entry):
                yield index, entry


def _marks(query: Query) -> list[list[bytes]]:
    """Of each group one has to be in the bytes of an entry that matches."""
    marks = [[b'"kind":"%s"' % kind.encode() for kind in query.kinds]] if query.kinds else []
    if query.cluster:
        from reconciler.audit.fields import canonical

        marks.append([b'"cluster":%s' % canonical(query.cluster)])
    return marks


def _matches(log: LogView, query: Query, entry: Entry) -> bool:
    """Cheap facts first; bodies last."""
    return (
        (not query.kinds or entry.kind in query.kinds)
        and (not query.cluster or getattr(entry, "cluster", "") == query.cluster)
        and _in_time(query, entry)
        and (not query.commit or _has_commit(log, query.commit, entry))
        and (not query.person or _has_person(log, query.person, entry))
        and (not query.object or any(names_object(name, query.object) for name in _objects(log, entry)))
    )


def _in_time(query: Query, entry: Entry) -> bool:
    if entry.time is None:
        return False
    after = query.since is None or entry.time >= query.since
    return after and (query.until is None or entry.time < query.until)


def _has_commit(log: LogView, prefix: str, entry: Entry) -> bool:
    if isinstance(entry, Outcome):
        intent = log.entry(entry.intent)
        return isinstance(intent, Intent) and intent.commit.startswith(prefix)
    if getattr(entry, "commit", "").startswith(prefix):
        return True
    return any(row.commit.startswith(prefix) for row in _provenance(log, entry))


def _has_person(log: LogView, person: str, entry: Entry) -> bool:
    if person in (entry.actor, entry.actor.partition("@")[0]):
        return True
    if isinstance(entry, CommitAccepted) and person in entry.signers:
        return True
    rows = _provenance(log, entry)
    return any(person == row.signer or person in [a.name for a in row.approvals] for row in rows)


def _provenance(log: LogView, entry: Entry) -> tuple[CommitProvenance, ...]:
    if isinstance(entry, CommitAccepted) and entry.provenance:
        return read_provenance(log.body(entry.provenance))
    return ()


def _objects(log: LogView, entry: Entry) -> Iterator[str]:
    match entry:
        case Intent():
            yield from map(str, objects_of(log.body(entry.change_set)))
        case Outcome():
            yield from (failure.object for failure in entry.failures)
            if entry.body:
                yield from (row.object for row in read_outcomes(log.body(entry.body)))
        case Drift():
            yield from entry.objects


def names_object(name: str, wanted: str) -> bool:
    """Whether ``wanted``, as a person types it, means the object that ``ObjectRef`` prints as ``name``."""
    kind, _, path = name.rpartition(" ")
    wanted_kind, _, wanted_path = wanted.strip().rpartition(" ")
    if wanted_path not in (path, path.rpartition("/")[2]):
        return False
    return wanted_kind.lower() in ("", kind.lower(), kind.partition(".")[0].lower())
