"""``fleetward trust init``: the first trusted commit."""

from __future__ import annotations

from typing import Any

import click

from reconciler.surfaces.cli.options import fleet_options, output_option, print_json, reporter, settings_of


@click.command("init")
@fleet_options
@click.option("--commit", required=True, metavar="SHA", help="The commit that you have reviewed.")
@output_option("text", "json")
def init_command(commit: str, output: str, **params: Any) -> int:
    """Make the reconciler's key if there is none, and start the log with the commit you reviewed.

    Exit codes: 0 done, 2 error.
    """
    from reconciler.pipeline.trusting import initialize_trust
    from reconciler.surfaces.wiring import actor, wired

    with wired(settings_of(params), reporter()) as wiring:
        checks = wiring.checks()
        log = wiring.log(wiring.new_key())
        checked = initialize_trust(checks, log, commit, actor())
    if output == "json":
        print_json({"commit": checked.commit, "signers": dict(checked.signers), "log": log.vkey})
        return 0
    click.echo(f"trusted commit {checked.commit}, signed by {', '.join(set(checked.signers.values()))}")
    click.echo(f"log key {log.vkey}")
    click.echo("Keep the log key: anyone can verify the log with it.")
    return 0
