"""``fleetward sandbox``: local control planes for a first look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from reconciler.surfaces.cli.options import output_option, print_json, progress, quiet

DEFAULT = Path(".sandbox")


@click.group("sandbox")
def sandbox_command() -> None:
    """Start and stop local control planes: real API servers, no nodes."""


def _folder(command: Any) -> Any:
    option = click.option(
        "--directory",
        "-d",
        "directory",
        type=click.Path(path_type=Path, file_okay=False),
        default=DEFAULT,
        show_default=True,
        help="Folder of the sandbox.",
    )
    silent = click.option("--quiet", "-q", "silent", is_flag=True, help="No progress on stderr.")
    return option(silent(command))


@sandbox_command.command("up")
@_folder
@click.argument("names", nargs=-1)
@click.option("--bare", is_flag=True, help="As a cluster that never heard of fleetward, to try `join` on.")
@output_option("text", "json")
def up_command(directory: Path, names: tuple[str, ...], silent: bool, bare: bool, output: str) -> int:
    """Start a control plane for each of NAMES (default: primary member-a member-b).

    They are made ready to be reconciled, with kubeconfigs for it, unless --bare. Exit codes: 0 up, 2 error.
    """
    from reconciler.sandbox.commands import up
    from reconciler.surfaces.provision import provision

    report = quiet if silent else progress
    members = up(directory, names or ("primary", "member-a", "member-b"), report=report)
    ready = {} if bare else members
    credentials = {name: provision(member, directory / "credentials") for name, member in ready.items()}
    if output == "json":
        print_json(
            {
                name: {"url": member.url, "admin": str(member.kubeconfig)}
                | ({"reconciler": str(credentials[name])} if name in credentials else {})
                for name, member in members.items()
            }
        )
        return 0
    for name, member in members.items():
        click.echo(f"{name}  {member.url}  admin: kubectl --kubeconfig {member.kubeconfig} get ns")
    if not bare:
        click.echo(f"reconciler's kubeconfigs: {directory / 'credentials'} (FLEETWARD_CREDENTIALS)")
    click.echo(f"end it with: fleetward sandbox down --directory {directory}")
    return 0


@sandbox_command.command("down")
@_folder
def down_command(directory: Path, silent: bool) -> int:
    """End the control planes that `up` started in the folder."""
    from reconciler.sandbox.commands import down

    down(directory, report=quiet if silent else progress)
    return 0
