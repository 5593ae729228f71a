"""``fleetward kick``: the primary lets a cluster go."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from reconciler.surfaces.cli.options import (
    fleet_options,
    is_terminal,
    output_option,
    paint,
    print_json,
    reporter,
    settings_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.pipeline.membership.emptying import Outlook
    from reconciler.pipeline.membership.kicking import Forgotten


@click.command("kick")
@fleet_options
@click.argument("cluster")
@click.option("--keep-objects", is_flag=True, help="Release the federated objects instead of deleting them.")
@click.option("--gone", is_flag=True, help="Do not ask the cluster: it is gone for good, or left by itself.")
@click.option("--reason", default="", metavar="TEXT", help="Why; it stands in the log and in `status`.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@output_option("text", "json")
def kick_command(
    cluster: str, keep_objects: bool, gone: bool, reason: str, yes: bool, output: str, **params: Any
) -> int:
    """Empty a member, take its credentials back on both sides, and propose to remove its registration.

    Everything is logged before and after. Run it again if it broke off. Exit codes: 0 done, 2 error.
    """
    from reconciler.pipeline.membership.kicking import KickPorts, Order, kick
    from reconciler.surfaces.forgetting import forget_credentials
    from reconciler.surfaces.formats import departures
    from reconciler.surfaces.wiring import wired

    def confirm(outlook: Outlook) -> bool:
        if yes:
            return True
        click.echo(departures.outlook_text(outlook, paint), nl=False, err=True)
        return is_terminal() and click.confirm(f"Kick cluster {cluster}?", err=True)

    with wired(settings_of(params), reporter()) as wiring:

        async def forget(paths: Sequence[str]) -> Forgotten:
            return await forget_credentials(wiring, cluster, paths)

        checks, writes = wiring.checks(), wiring.writes()
        ports = KickPorts(checks, wiring.members(), writes, forget, confirm)
        done = asyncio.run(kick(Order(cluster, keep_objects, gone, reason), ports))
    if output == "json":
        print_json(departures.kicked_dict(done))
    else:
        click.echo(departures.kicked_text(done), nl=False)
    return 0
