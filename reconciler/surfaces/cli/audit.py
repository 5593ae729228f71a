"""``fleetward audit``: read and verify the log."""

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


@click.group("audit")
def audit_command() -> None:
    """Read and verify the log."""


@audit_command.command("verify")
@fleet_options
@output_option("text", "json")
def verify_command(output: str, **params: Any) -> int:
    """Recompute the whole tree: checkpoint signature, tiles, entries, bodies.

    Exit codes: 0 whole, 1 findings, 2 error.
    """
    from reconciler.surfaces.formats import findings
    from reconciler.surfaces.wiring import wired

    with wired(settings_of(params), reporter()) as wiring:
        view = wiring.log_view()
        result = view.verify()
    if output == "json":
        shown = [findings.as_dict(finding) for finding in result.findings]
        print_json({"ok": result.ok, "size": result.size, "root": result.root.hex(), "findings": shown})
    else:
        click.echo(findings.text(result.findings, paint), nl=False)
        verdict = paint("verified", "good") if result.ok else paint("damaged", "error")
        click.echo(f"{verdict}: {result.entries} entries, {result.bodies} bodies, root {result.root.hex()}")
    return 0 if result.ok else DAMAGED


@audit_command.command("log")
@fleet_options
@click.option("--cluster", "-c", help="Only entries about this cluster.")
@click.option("--kind", help="Only entries of this kind, such as outcome.")
@click.option("--limit", "-n", type=click.IntRange(1), help="Only the newest N.")
@output_option("text", "json")
def log_command(cluster: str | None, kind: str | None, limit: int | None, output: str, **params: Any) -> int:
    """Show the entries, oldest first.

    Exit codes: 0 shown, 2 error.
    """
    from reconciler.audit.entry import to_json
    from reconciler.surfaces.formats.entries import line
    from reconciler.surfaces.wiring import wired

    with wired(settings_of(params), reporter()) as wiring:
        rows = [
            (index, entry)
            for index, entry in wiring.log_view().entries()
            if (not cluster or getattr(entry, "cluster", "") == cluster) and (not kind or entry.kind == kind)
        ][-limit if limit else None :]
    if output == "json":
        print_json([{"index": index} | to_json(entry) for index, entry in rows])
    else:
        for index, entry in rows:
            click.echo(line(index, entry, paint))
    return 0
