"""``fleetward audit``: read, prove and verify the log. Each command is a module, loaded when it is called."""

from __future__ import annotations

import click

from reconciler.surfaces.cli.root import LazyGroup

# name -> (module, help line). The line stands here so that the group's help loads no command.
COMMANDS = {
    "log": ("log", "List entries: what happened, when, where and by whom."),
    "show": ("show", "Show one entry with everything that it names."),
    "prove": ("prove", "Write an entry and its proof, for anyone to check offline."),
    "check-proof": ("check_proof", "Check such a proof; needs nothing but the log's public key."),
    "verify": ("verify", "Verify the log, whole or from a remembered checkpoint."),
    "export": ("export", "Write the log for other tools: OCSF, JSON lines, CSV."),
    "join": ("join", "Join a member's own Kubernetes audit log with ours."),
}


@click.group(
    "audit",
    cls=LazyGroup,
    table=COMMANDS,
    package=__name__,
    epilog="The log's public key is enough for all of them: see FLEETWARD_PUBLIC_KEY.",
)
def audit_command() -> None:
    """Read, prove and verify the log."""
