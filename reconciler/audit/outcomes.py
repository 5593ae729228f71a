"""The body of an outcome: what became of every object, and the Audit-ID that was sent with its write.

Rules: canonical JSON ``{"outcomes": [...], "schema": ...}``, closed and bounded; ``read_outcomes`` takes
only bytes that ``outcomes_body`` would write. A row without an Audit-ID was never sent to the member.

>>> from reconciler.model import ObjectOutcome, ObjectRef, ObjectResult
>>> ref = ObjectRef("", "ConfigMap", "shop", "settings")
>>> body = outcomes_body([ObjectOutcome(ref, ObjectResult.CREATED, audit_id="0d5c")])
>>> [(row.object, row.written, row.audit_id) for row in read_outcomes(body)]
[('ConfigMap shop/settings', True, '0d5c')]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from reconciler.audit import fields as f
from reconciler.model import ObjectOutcome, ObjectResult

OUTCOMES_SCHEMA = "fleetward.io/log-outcomes/v1"
MAX_ROWS = 100_000  # as many changes as a change set may have
_WRITTEN = (ObjectResult.CREATED, ObjectResult.UPDATED, ObjectResult.DELETED)
_Note = Annotated[str, f.text(256, empty=True)]


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """One object, named as ``ObjectRef`` prints it; what is not known is ""."""

    object: Annotated[str, f.text(2048)]
    result: Annotated[ObjectResult, f.choice(ObjectResult)]
    uid: _Note
    resource_version: _Note
    digest: _Note
    audit_id: _Note
    error: Annotated[str, f.text(2048, empty=True)]

    @property
    def written(self) -> bool:
        """Whether the member's state was changed by this write."""
        return self.result in _WRITTEN


@dataclass(frozen=True, slots=True)
class _Body:
    schema: Annotated[str, f.constant(OUTCOMES_SCHEMA)]
    outcomes: Annotated[tuple[ObjectRow, ...], f.listing(f.record(ObjectRow), MAX_ROWS)]


def outcomes_body(outcomes: Sequence[ObjectOutcome]) -> bytes:
    """The body of these outcomes; texts that came from a member are cut to their bounds."""
    rows = tuple(
        ObjectRow(
            f.clip(str(x.ref), 2048), x.result, f.clip(x.uid, 256), f.clip(x.resource_version, 256),
            f.clip(x.digest, 256), f.clip(x.audit_id, 256), f.clip(x.error, 2048),
        )
        for x in outcomes
    )  # fmt: skip
    return f.canonical(f.write_fields(_Body(OUTCOMES_SCHEMA, rows)))


def read_outcomes(body: bytes) -> tuple[ObjectRow, ...]:
    """The rows of a body. Raises BodyFormatError for anything that ``outcomes_body`` would not write."""
    read: _Body = f.read_body(_Body, body, "the objects of an outcome")
    return read.outcomes
