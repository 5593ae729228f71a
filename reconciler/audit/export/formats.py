"""The formats by name, and the export itself.

Worked example::

    for chunk in export(view, "ocsf", since=yesterday):
        file.write(chunk)
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from types import MappingProxyType

from reconciler.audit.export import csvrows, jsonlines, ocsf
from reconciler.audit.export.rows import Format, rows
from reconciler.audit.view import LogView

FORMATS = MappingProxyType(
    dict[str, Format]({"ocsf": ocsf.lines, "jsonl": jsonlines.lines, "csv": csvrows.lines})
)
_WITH_OBJECTS = ("ocsf", "csv")


def export(
    view: LogView, name: str, *, since: datetime | None = None, until: datetime | None = None
) -> Iterator[bytes]:
    """The bytes of the export, line by line; ``name`` is one of FORMATS. Raises what ``rows`` raises."""
    return FORMATS[name](rows(view, since=since, until=until, bodies=name in _WITH_OBJECTS))
