"""``fleetward cluster suspend|resume``: write that a member takes no part for a while, or does again."""

from __future__ import annotations

import click

from reconciler.surfaces.cli.cluster.common import edit_options, finish, name_argument, proposed


@click.command("suspend")
@edit_options
@name_argument
@click.option("--reason", metavar="TEXT", help="Why; kept in the registration until it is resumed.")
def suspend_command(repo: str | None, name: str, reason: str | None, output: str) -> int:
    """Write that the member NAME is neither planned nor written, into the work tree, for review.

    It holds from the commit on that has it. Exit codes: 0 written or nothing to change, 1 findings, 2 error.
    """
    from reconciler.surfaces import cluster_edit

    note = f"What is on {name} stays; drift there is not seen until it is resumed."
    change = proposed(repo, name, lambda document: cluster_edit.suspend(document, reason))
    return finish(change, output, "Suspend", (note,))


@click.command("resume")
@edit_options
@name_argument
def resume_command(repo: str | None, name: str, output: str) -> int:
    """Write that the suspended member NAME takes part again, into the work tree, for review.

    Exit codes: 0 written or nothing to change, 1 findings, 2 error.
    """
    from reconciler.surfaces import cluster_edit

    return finish(proposed(repo, name, cluster_edit.resume), output, "Resume")
