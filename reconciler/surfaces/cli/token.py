"""``fleetward token``: what a cluster joins with."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from reconciler.surfaces.cli.options import fleet_options, output_option, print_json, reporter, settings_of

if TYPE_CHECKING:
    from reconciler.audit.state import LogState


@click.group("token")
def token_command() -> None:
    """Make, list and revoke join tokens. Each is good for one cluster, once."""


@token_command.command("create")
@fleet_options
@click.option("--ttl", default="1h", metavar="DURATION", show_default=True, help="How long it is good.")
@click.option("--cluster", default="", metavar="NAME", help="The only name that it is good for.")
@click.option("--labels", default="", metavar="K=V,...", help="Labels of the registration.")
@click.option("--auto-approve", is_flag=True, help="Its cluster is registered at once, without review.")
def create_command(ttl: str, cluster: str, labels: str, auto_approve: bool, **params: Any) -> int:
    """Make a join token and print it, this once: whoever has it can propose one cluster.

    With --auto-approve, whoever has it can add one: joining.autoApprove in federation.yaml has to allow it.

    Exit codes: 0 made, 2 error.
    """
    from reconciler.pipeline.membership.approving import require_allowed
    from reconciler.pipeline.membership.tokens import create_token, parse_labels
    from reconciler.surfaces.membership import token_key
    from reconciler.surfaces.wiring import actor, clock, wired

    settings, report = settings_of(params), reporter()
    life, kept = _duration(ttl), parse_labels(labels)  # before anything is opened
    with wired(settings, report) as wiring:
        key, repository = wiring.key(), wiring.repository()

        def approver(state: LogState) -> None:
            repository.fetch()
            require_allowed(repository, state, key.public_key)

        made = create_token(
            wiring.log(key), token_key(settings), ttl=life, cluster=cluster, labels=kept, clock=clock,
            actor=actor(), approver=approver if auto_approve else None,
        )  # fmt: skip
    report(f"token {made.id}, until {made.expires:%Y-%m-%dT%H:%M:%SZ}; it is not shown again")
    click.echo(made.token)
    return 0


def _duration(text: str) -> timedelta:
    from reconciler.documents.durations import is_duration, parse_duration

    if not is_duration(text):
        raise click.UsageError(f"--ttl: not a duration such as 30m or 1h: {text[:40]}")
    return parse_duration(text)


@token_command.command("list")
@fleet_options
@output_option("text", "json")
def list_command(output: str, **params: Any) -> int:
    """List the tokens that the log remembers; their ids are no secrets.

    Exit codes: 0 shown, 2 error.
    """
    from reconciler.surfaces.wiring import clock, wired

    with wired(settings_of(params), reporter()) as wiring:
        tokens = wiring.log_view().state().membership.tokens
    now = clock()
    rows: list[dict[str, Any]] = []
    for name, token in tokens.items():
        state = "revoked" if token.revoked else "used" if token.used_by else "open"
        state = "expired" if state == "open" and token.expires <= now else state
        rows.append(
            {"id": name, "state": state, "cluster": token.used_by or token.cluster, "expires": token.expires,
             "labels": list(token.labels), "autoApprove": token.auto_approve}
        )  # fmt: skip
    if output == "json":
        print_json(rows)
        return 0
    for row in sorted(rows, key=lambda row: row["expires"]):
        until = f"{row['expires']:%Y-%m-%dT%H:%M:%SZ}"
        how = "  auto-approved" if row["autoApprove"] else ""
        click.echo(f"{row['id']}  {row['state']:<8} {until}  {row['cluster'] or 'any name'}{how}")
    return 0


@token_command.command("revoke")
@fleet_options
@click.argument("token_id", metavar="ID")
def revoke_command(token_id: str, **params: Any) -> int:
    """Revoke an unused token by its id.

    Exit codes: 0 revoked, 2 error.
    """
    from reconciler.pipeline.membership.tokens import revoke_token
    from reconciler.surfaces.wiring import actor, wired

    with wired(settings_of(params), reporter()) as wiring:
        revoke_token(wiring.log(wiring.key()), token_id, actor=actor())
    click.echo(f"token {token_id} is revoked")
    return 0
