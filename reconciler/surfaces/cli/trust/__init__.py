"""``fleetward trust``: who may change the fleet. Each command is a module, loaded when it is called."""

from __future__ import annotations

import click

from reconciler.surfaces.cli.root import LazyGroup

# name -> (module, help line). The line stands here so that the group's help loads no command.
COMMANDS = {
    "init": ("init", "Name the first trusted commit; everything after is held against it."),
    "explain": ("explain", "Show commit by commit who signed and approved, and what is missing."),
    "add-signer": ("signers", "Write a new signer, or a new key of one, into federation.yaml."),
    "rotate": ("signers", "Write a signer's new key into federation.yaml, and the old one's end."),
    "revoke": ("signers", "Take a signer, or one key of one, out of federation.yaml."),
    "import": ("signers", "Write the signers of an allowed_signers file into federation.yaml."),
    "heartbeat": ("heartbeat", "Sign that the remote is not frozen; for a scheduled job."),
}


@click.group(
    "trust",
    cls=LazyGroup,
    table=COMMANDS,
    package=__name__,
    epilog="`fleetward approve REV` signs that you have reviewed a change.",
)
def trust_command() -> None:
    """Show and change who may change the fleet."""
