"""``fleetward cluster remove``: delete a registration from the work tree."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from reconciler.surfaces.cli.cluster.common import edit_options, finish, name_argument, proposed
from reconciler.surfaces.cli.options import is_terminal

if TYPE_CHECKING:
    from reconciler.surfaces.cluster_files import Proposed

NOTHING_DONE = 2


@click.command("remove")
@edit_options
@name_argument
@click.option("--force", is_flag=True, help="Even if documents of the fleet name the cluster.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask. Without a terminal nobody is asked.")
def remove_command(repo: str | None, name: str, force: bool, yes: bool, output: str) -> int:
    """Delete clusters/NAME.yaml from the work tree, for you to sign and have reviewed.

    What fleetward made on the member stays there, and so does the access to it on both sides. `fleetward
    kick NAME` empties the member, takes the access back and proposes the removal: docs/joining.md, Leaving.

    Exit codes: 0 deleted, 1 something in the fleet names the cluster and nothing was done, 2 error.
    """
    change = proposed(repo, name, None)
    change = replace(change, findings=()) if force else _advised(change)
    notes: tuple[str, ...] = _notes(name)
    if not change.findings and not yes and is_terminal():
        for note in notes:
            click.echo(note, err=True)
        if not click.confirm(f"Delete {change.path}?", err=True):
            click.echo("nothing was done", err=True)
            return NOTHING_DONE
        notes = ()
    return finish(change, output, "Remove", notes)


def _advised(change: Proposed) -> Proposed:
    """The findings with what to do about them here: the name is right, and is to go."""
    hint = f"take {change.name} out of it first; --force deletes the registration all the same"
    return replace(change, findings=tuple(replace(one, hint=hint) for one in change.findings))


def _notes(name: str) -> tuple[str, ...]:
    return (
        f"Once this is accepted, {name} is left alone: its objects, the guard and the record stay there",
        "until its administrator deletes them, and so does the access to it: account and credentials.",
        f"To empty it and take the access back, use `fleetward kick {name}` instead, which proposes this",
        "removal itself: docs/joining.md, Leaving.",
    )
