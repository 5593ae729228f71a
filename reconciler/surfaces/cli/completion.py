"""``fleetward completion``: the script that a shell sources."""

from __future__ import annotations

import click


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    bash:  source <(fleetward completion bash)
    zsh:   source <(fleetward completion zsh)
    fish:  fleetward completion fish | source
    """
    from click.shell_completion import get_completion_class

    from reconciler.surfaces.cli.root import cli

    completer = get_completion_class(shell)
    assert completer is not None  # noqa: S101  the choices are click's own shells
    click.echo(completer(cli, {}, "fleetward", "_FLEETWARD_COMPLETE").source())
