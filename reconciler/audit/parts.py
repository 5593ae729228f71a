"""The small records inside entries. Each is written with exactly its fields (``fields.record``).

>>> from reconciler.model import Finding
>>> first_findings([Finding("FW1203", "unsigned", subject="4be1...")] * 70)[49]
FindingNote(code='FW1203', subject='4be1...', message='unsigned')
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from reconciler.audit import fields as f
from reconciler.model import Finding


class OutcomeResult(StrEnum):
    """What became of an intent as a whole."""

    APPLIED = "applied"  # every object as planned
    FAILED = "failed"  # tried; some object or the member refused
    INTERRUPTED = "interrupted"  # ended in the middle: what reached the member is not known
    ABANDONED = "abandoned"  # never sent, e.g. the member had moved on


@dataclass(frozen=True, slots=True)
class GateSummary:
    """The gate that judged, and how many rules it evaluated."""

    digest: f.Name
    rules: f.Number


@dataclass(frozen=True, slots=True)
class FindingNote:
    """A finding as the log keeps it: bounded, without its source text, expected or got."""

    code: f.Name
    subject: f.Subject
    message: f.Message


@dataclass(frozen=True, slots=True)
class PlanCounts:
    """How many objects a change set creates, updates and deletes."""

    create: f.Number = 0
    update: f.Number = 0
    delete: f.Number = 0


@dataclass(frozen=True, slots=True)
class ResultCounts:
    """How many objects ended in which result."""

    created: f.Number = 0
    updated: f.Number = 0
    unchanged: f.Number = 0
    deleted: f.Number = 0
    failed: f.Number = 0
    skipped: f.Number = 0


NO_RESULTS = ResultCounts()


@dataclass(frozen=True, slots=True)
class Failure:
    """One object that failed, and why."""

    object: f.Subject
    error: f.Message


def first_findings(findings: Sequence[Finding]) -> tuple[FindingNote, ...]:
    """The first 50, with code, subject and message only: what stood in a document may be a secret."""
    return tuple(
        FindingNote(f.clip(x.code, 64), f.clip(x.subject or str(x.source or ""), 512), f.clip(x.message, 512))
        for x in findings[: f.FIRST]
    )
