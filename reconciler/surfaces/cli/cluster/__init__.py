"""``fleetward cluster``: the members' registrations. Each command is a module, loaded when it is called."""

from __future__ import annotations

import click

from reconciler.surfaces.cli.root import LazyGroup

# name -> (module, help line). The line stands here so that the group's help loads no command.
COMMANDS = {
    "list": ("listing", "List the registrations, with what was last known of each member."),
    "show": ("show", "Show one: registration, what is placed there, what the log says."),
    "set": ("change", "Write a change of a registration into the work tree."),
    "suspend": ("suspension", "Write that a member is neither planned nor written for now."),
    "resume": ("suspension", "Write that a suspended member takes part again."),
    "discover": ("discovery", "List clusters that others publish on the primary; draft registrations."),
    "remove": ("removal", "Delete a registration from the work tree."),
}


@click.group(
    "cluster",
    cls=LazyGroup,
    table=COMMANDS,
    package=__name__,
    epilog="No command of this group commits or pushes: changes are written for review. Only discover"
    " contacts a cluster, the primary.",
)
def cluster_command() -> None:
    """List and show the members' registrations; write changes of them."""
