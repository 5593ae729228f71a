"""``fleetward audit log``: the entries, filtered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from reconciler.audit.entry import KINDS
from reconciler.surfaces.cli.options import (
    fleet_options,
    output_option,
    paint,
    print_json,
    reporter,
    settings_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.audit.entry import Entry

EXAMPLES = """\b
Examples:
  fleetward audit log --since 7d --kind commit-accepted --kind commit-refused
  fleetward audit log --cluster member-a --limit 20 --reverse
  fleetward audit log --object 'Role shop/reader' -o jsonl
  fleetward audit log --person alice --since 2026-01-01 --until 2026-02-01T00:00:00Z"""


@click.command("log", epilog=EXAMPLES)
@fleet_options
@click.option("--cluster", "-c", default="", help="Only entries about this cluster.")
@click.option(
    "--object", "wanted", default="", metavar="OBJECT",
    help="Only what touches this object: [KIND ][NAMESPACE/]NAME. Looks into change sets and outcomes.",
)  # fmt: skip
@click.option("--person", default="", metavar="NAME", help="Only what NAME ran, signed or approved.")
@click.option("--commit", default="", metavar="SHA", help="Only entries about this commit; a prefix will do.")
@click.option("--since", metavar="TIME", help="Not before: RFC 3339, a date, or how long ago (2h, 7d).")
@click.option("--until", metavar="TIME", help="Before: as for --since.")
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(list(KINDS)), metavar="KIND",
    help=f"Only of this kind; may be repeated. One of {', '.join(KINDS)}.",
)  # fmt: skip
@click.option("--limit", "-n", type=click.IntRange(1), help="Only the newest N.")
@click.option("--reverse", is_flag=True, help="Newest first.")
@output_option("text", "json", "jsonl")
def log_command(
    cluster: str, wanted: str, person: str, commit: str, since: str | None, until: str | None,
    kinds: tuple[str, ...], limit: int | None, reverse: bool, output: str, **params: Any,
) -> int:  # fmt: skip
    """List entries, oldest first: index, time, kind and what happened.

    Exit codes: 0 shown (also when there are none), 2 error.
    """
    from reconciler.audit.moments import parse_moment
    from reconciler.audit.query import Query, select
    from reconciler.surfaces.wiring import clock, wired

    now = clock()
    query = Query(
        cluster=cluster, object=wanted, person=person, commit=commit.lower(), kinds=frozenset(kinds),
        since=parse_moment(since, now) if since else None,
        until=parse_moment(until, now) if until else None,
    )  # fmt: skip
    with wired(settings_of(params), reporter()) as wiring:
        _print(select(wiring.written_log(), query, limit=limit, newest_first=reverse), output)
    return 0


def _print(rows: Iterator[tuple[int, Entry]], output: str) -> None:
    import orjson

    from reconciler.audit.entry import to_json
    from reconciler.surfaces.formats.entries import line

    if output == "json":
        print_json([{"index": index} | to_json(entry) for index, entry in rows])
        return
    for index, entry in rows:
        as_json = output == "jsonl"
        shown = (
            orjson.dumps({"index": index} | to_json(entry)).decode() if as_json else line(index, entry, paint)
        )
        click.echo(shown)
