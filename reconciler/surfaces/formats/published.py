"""Published clusters as a table and as JSON values. All of it is text from strangers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reconciler.surfaces.discovering import Discovered
from reconciler.surfaces.formats.columns import padded, row_text
from reconciler.surfaces.formats.findings import Paint, plain
from reconciler.surfaces.formats.safe import safe

HEADER = ("PROFILE", "MANAGER", "VERSION", "REGISTERED", "API SERVER")
_WIDEST = 60  # characters of a cell but the last


def table(found: Sequence[Discovered], paint: Paint = plain) -> str:
    """One row a cluster, and below it what was left out."""
    if not found:
        return "nobody else publishes a cluster on the primary\n"
    rows = [HEADER, *(_row(one) for one in found)]
    header, *cells = padded(rows)
    lines = [row_text(header)]
    for row, one in zip(cells, found, strict=True):
        lines.append(row_text(row))
        left = one.published.left_out
        lines += [f"    {paint('left out', 'warning')}: {safe(reason)}" for reason in left]
    return "\n".join(lines) + "\n"


def _row(one: Discovered) -> tuple[str, ...]:
    published = one.published
    more = len(published.servers) - 1
    servers = safe(published.servers[0]) + (f" +{more}" if more else "") if published.servers else "-"
    texts = (published.key, published.manager, published.version, one.registered)
    return (*map(_cell, texts), servers)


def _cell(text: str) -> str:
    shown = safe(text) or "-"
    return shown if len(shown) <= _WIDEST else f"{shown[: _WIDEST - 3]}..."


def as_dict(one: Discovered) -> dict[str, Any]:
    """JSON values; the CA is told by whether there is one."""
    published = one.published
    return {
        "namespace": published.namespace,
        "name": published.name,
        "manager": published.manager,
        "displayName": published.display,
        "version": published.version,
        "labels": dict(published.labels),
        "apiServers": list(published.servers),
        "caBundle": any(access.ca_bundle for access in published.access),
        "properties": dict(published.properties),
        "registered": one.registered or None,
        "registeredBy": one.by or None,
        "leftOut": list(published.left_out),
    }
