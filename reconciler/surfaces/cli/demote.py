"""``fleetward demote``: there is no primary any more."""

from __future__ import annotations

from typing import Any

import click

from reconciler.surfaces.cli.options import fleet_options, reporter, settings_of


@click.command("demote")
@fleet_options
@click.option("--force", is_flag=True, help="Even though clusters are registered: they stay as they are.")
def demote_command(force: bool, **params: Any) -> int:
    """Give the primary up: nobody can join, and no token holds any more.

    Refused while clusters are registered. The keys in the state folder stay. Exit codes: 0 done, 2 error.
    """
    from reconciler.pipeline.membership.promoting import demote
    from reconciler.surfaces.wiring import actor, wired

    with wired(settings_of(params), reporter()) as wiring:
        members = demote(wiring.log(wiring.key()), wiring.repository(), actor=actor(), force=force)
    click.echo(f"there is no primary any more; {members} clusters are still registered")
    return 0
