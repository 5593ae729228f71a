"""``fleetward audit export``: the log in the formats of other tools."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from reconciler.surfaces.cli.options import fleet_options, reporter, settings_of

FORMATS = ("ocsf", "jsonl", "csv")  # as ``audit.export.formats`` has them; named here to load nothing
EXAMPLES = """\b
Examples:
  fleetward audit export --format ocsf --since 1d > events.jsonl
  fleetward audit export --format jsonl --out log.jsonl
  fleetward audit export --format csv --since 2026-01-01 --until 2026-02-01 --out january.csv"""


@click.command("export", epilog=EXAMPLES)
@fleet_options
@click.option(
    "--format", "-f", "name", type=click.Choice(FORMATS), required=True,
    help="ocsf: OCSF 1.3 events for a SIEM; jsonl: the entries as they are; csv: a flat table, its"
    " formulas made harmless by an apostrophe.",
)  # fmt: skip
@click.option("--since", metavar="TIME", help="Not before: RFC 3339, a date, or how long ago (2h, 7d).")
@click.option("--until", metavar="TIME", help="Before: as for --since.")
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
    help="Write this file, whole or not at all; else stdout.",
)  # fmt: skip
def export_command(name: str, since: str | None, until: str | None, out: Path | None, **params: Any) -> int:
    """Write the log for another tool: a line an event, entry or row, each checked as it is read.

    Exit codes: 0 written, 2 error; what stands on stdout then is not the whole.
    """
    from reconciler.audit.export.formats import export
    from reconciler.audit.moments import parse_moment
    from reconciler.surfaces.wiring import clock, wired

    now, report = clock(), reporter()
    start, end = (parse_moment(text, now) if text else None for text in (since, until))
    with wired(settings_of(params), report) as wiring:
        lines = export(wiring.written_log(), name, since=start, until=end)
        if out is None:
            sys.stdout.buffer.writelines(lines)
            sys.stdout.buffer.flush()
        else:
            report(f"{out}: {_write(out, lines)} lines")
    return 0


def _write(out: Path, lines: Iterable[bytes]) -> int:
    """Beside the target, and moved there when it is whole; how many lines. Raises ExportError."""
    from reconciler.audit.codes import ExportError

    count = 0
    try:
        with ExitStack() as undo:
            # Readable by this user only: a log names people and clusters.
            file = undo.enter_context(
                tempfile.NamedTemporaryFile(dir=out.parent, prefix=f".{out.name}.", delete=False)
            )
            undo.callback(Path(file.name).unlink, missing_ok=True)
            for line in lines:
                file.write(line)
                count += 1
            file.flush()
            Path(file.name).replace(out)
    except OSError as error:
        raise ExportError(
            "the export cannot be written", where=str(out), got=error.strerror or type(error).__name__,
            hint="name a file in a folder that exists and can be written",
        ) from error  # fmt: skip
    return count
