"""Who cosigned the log's checkpoint, and who did not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from reconciler.surfaces.formats.findings import Paint, plain
from reconciler.surfaces.formats.safe import safe

if TYPE_CHECKING:
    from reconciler.audit.witnessed import WitnessReport


def text(report: WitnessReport, paint: Paint = plain) -> str:
    """One line for the quorum, and one for each witness that is missing."""
    return "".join(f"{line}\n" for line in _lines(report, paint))


def _lines(report: WitnessReport, paint: Paint) -> Iterator[str]:
    verdict = paint("witnessed", "good") if report.satisfied else paint("not witnessed", "warning")
    names = ", ".join(safe(str(row.witness)) for row in report.cosigned) or "nobody"
    yield f"{verdict}: cosigned by {names}; {report.quorum} of {len(report.rows)} needed"
    for row in report.missing:
        why = f": {safe(row.error.code)} {safe(row.error.message)}" if row.error else ""
        yield f"    not by {safe(str(row.witness))}{why}"
    if report.unpublished:
        yield f"    not published: {safe(str(report.unpublished))}"


def as_dict(report: WitnessReport) -> dict[str, Any]:
    """The JSON form."""
    return {
        "satisfied": report.satisfied,
        "quorum": report.quorum,
        "size": report.size,
        "witnesses": [
            {
                "name": str(row.witness),
                "cosigned": row.time.isoformat() if row.time else None,
                "error": str(row.error) if row.error else "",
            }
            for row in report.rows
        ],
    }
