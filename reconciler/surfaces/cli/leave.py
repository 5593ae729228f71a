"""``fleetward leave``: this cluster leaves its fleet, whether or not there still is a primary."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from reconciler.surfaces.cli.options import (
    KUBECONFIG_DEFAULT,
    is_terminal,
    output_option,
    print_json,
    progress,
    quiet,
)

if TYPE_CHECKING:
    from reconciler.member.leaving import Inventory


@click.command("leave")
@click.option(
    "--kubeconfig",
    metavar="FILE",
    help=f"This cluster's administrator.  {KUBECONFIG_DEFAULT}",
)
@click.option("--context", metavar="NAME", help="A context of that file.  [default: its current one]")
@click.option("--keep-objects", is_flag=True, help="Release the federated objects instead of deleting them.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--verbose", "-v", is_flag=True, help="Name every object.")
@click.option("--quiet", "-q", is_flag=True, help="No progress on stderr.")
@output_option("text", "json")
def leave_command(
    kubeconfig: str | None, context: str | None, keep_objects: bool, yes: bool, output: str, **params: Any
) -> int:
    """Take the fleet off this cluster: guard, federated objects, record, accounts and roles.

    Needs no primary. Run it again if it broke off. Exit codes: 0 done, 2 error.
    """
    from reconciler.pipeline.membership.leaving import leave
    from reconciler.surfaces.formats import departures
    from reconciler.surfaces.membership import administrator_of

    def confirm(found: Inventory) -> bool:
        if yes:
            return True
        text = departures.inventory_text(found, keep=keep_objects, names=params["verbose"])
        click.echo(text, nl=False, err=True)
        return is_terminal() and click.confirm("Remove this from the cluster?", err=True)

    report = quiet if params["quiet"] else progress
    cluster = administrator_of(kubeconfig, context)
    done = asyncio.run(leave(cluster, keep=keep_objects, confirm=confirm, report=report))
    if output == "json":
        print_json(departures.left_dict(done))
    else:
        click.echo(departures.left_text(done, names=params["verbose"]), nl=False)
    return 0
