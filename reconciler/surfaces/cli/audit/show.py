"""``fleetward audit show``: one entry with everything that it names."""

from __future__ import annotations

from typing import Any

import click

from reconciler.surfaces.cli.options import (
    fleet_options,
    output_option,
    paint,
    print_json,
    reporter,
    settings_of,
)

DAMAGED = 1
EXAMPLES = """\b
Examples:
  fleetward audit show 7
  fleetward audit show 7 -o json | jq '.bodies[].content'"""


@click.command("show", epilog=EXAMPLES)
@fleet_options
@click.argument("index", type=click.IntRange(0))
@output_option("text", "json")
def show_command(index: int, output: str, **params: Any) -> int:
    """Show the entry at INDEX: all fields, its leaf hash, the checkpoint that covers it, and its bodies:
    the change set of an intent, the objects of an outcome, the signers and approvals of a commit.

    Exit codes: 0 shown, 1 a body is missing or damaged, 2 error.
    """
    from reconciler.audit.bodies import bodies_of
    from reconciler.audit.evidence import require_index
    from reconciler.surfaces.formats import entry_details
    from reconciler.surfaces.wiring import wired

    with wired(settings_of(params), reporter()) as wiring:
        log = wiring.written_log()
        entry = log.entry(require_index(log, index))
        details = entry_details.Details(
            index, entry, log.raw(index), log.checkpoint, tuple(bodies_of(log, entry))
        )
    if output == "json":
        print_json(entry_details.as_dict(details))
    else:
        click.echo(entry_details.text(details, paint), nl=False)
    return DAMAGED if any(body.problem for body in details.bodies) else 0
