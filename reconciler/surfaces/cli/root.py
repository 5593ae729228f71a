"""The ``fleetward`` group: its commands by name, and the options that all of them share."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from reconciler import __version__
from reconciler.errors import FleetwardError

ERROR = 2

# name -> (module, help line). The line stands here so that the group's help loads no command.
COMMANDS = {
    "init": ("init", "Make a new fleet repository from the template."),
    "check": ("check", "Everything that needs no cluster: signatures, schemas, compile, gate."),
    "render": ("render", "Print one cluster's desired objects as YAML."),
    "plan": ("plan", "Show what would change on each member."),
    "reconcile": ("reconcile", "Bring every member to its desired state."),
    "status": ("status", "Show each member: commits, objects, drift, last contact."),
    "cluster": ("cluster", "List and show the members' registrations; write changes of them."),
    "doctor": ("doctor", "Examine the host, the log and every member: what is wrong, what to do."),
    "verify": ("verify", "Explain what is on a member, back to the signatures."),
    "kubeconfig": ("kubeconfig", "Write a short-lived kubeconfig for one member."),
    "use": ("use", "Make a member kubectl's current cluster, with a short-lived credential."),
    "trust": ("trust", "Show and change who may change the fleet."),
    "approve": ("approve", "Sign that you have reviewed a change."),
    "audit": ("audit", "Read and verify the log."),
    "key": ("key", "Show and replace the reconciler's own key."),
    "promote": ("promote", "Make a cluster the primary, which members join."),
    "demote": ("demote", "Give the primary up."),
    "token": ("token", "Make, list and revoke join tokens."),
    "serve": ("serve", "Answer clusters that join."),
    "join": ("join", "Make this cluster a member."),
    "leave": ("leave", "Take the fleet off this cluster."),
    "kick": ("kick", "Let a member go: its objects, credentials and registration."),
    "sandbox": ("sandbox", "Start and stop local control planes."),
    "completion": ("completion", "Print the completion script of a shell."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command is called.

    ``table`` is name -> (module below ``package``, help line); the module has ``<name>_command``.
    """

    def __init__(
        self,
        *args: Any,
        table: Mapping[str, tuple[str, str]] = COMMANDS,
        package: str = "reconciler.surfaces.cli",
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.table, self.package = table, package

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """In the order of a newcomer's first day."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name, loaded now."""
        if cmd_name not in self.table:
            return None
        module = import_module(f"{self.package}.{self.table[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of commands from the table, without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.table.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Our errors are shown while the context, with its colours, is still there."""
        from reconciler.surfaces.cli.errors import show

        try:
            return super().invoke(ctx)
        except FleetwardError as error:
            show(error)
            ctx.exit(ERROR)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a suggestion where the name is misspelt."""
        if args and args[0] not in self.table and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.table, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 good, 1 findings or changes, 2 error. docs/runbook.md explains every error code.",
)
@click.version_option(__version__, prog_name="fleetward", message="%(prog)s %(version)s")
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="Colours; auto uses them on a terminal unless NO_COLOR is set.",
)
@click.pass_context
def cli(ctx: click.Context, color: str) -> None:
    """Govern a fleet of Kubernetes clusters from one signed Git repository."""
    import os

    ctx.color = {"always": True, "never": False, "auto": None}[color]
    if color == "auto" and os.environ.get("NO_COLOR"):
        ctx.color = False
