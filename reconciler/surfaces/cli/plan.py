"""``fleetward plan``: what would change on each member."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from reconciler.surfaces.cli.options import (
    fleet_options,
    output_option,
    paint,
    print_json,
    reporter,
    settings_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.pipeline.propose import Proposal

CHANGES = 1
ERROR = 2


@click.command("plan")
@fleet_options
@click.option("--rev", default="HEAD", show_default=True, help="Commit to plan.")
@click.option("--against", metavar="REV", help="Plan from two commits alone, without the members.")
@click.option("--cluster", "-c", "clusters", multiple=True, help="Only this cluster; may be repeated.")
@click.option("--deep", is_flag=True, help="Compare full contents, not only resource versions.")
@click.option(
    "--dry-run/--no-dry-run",
    default=True,
    show_default=True,
    help="Ask the API server what an apply would change; without, a registered viewer only reads.",
)
@output_option("text", "json", "markdown")
def plan_command(
    rev: str,
    against: str | None,
    clusters: tuple[str, ...],
    deep: bool,
    dry_run: bool,
    output: str,
    **params: Any,
) -> int:
    """Show what would change on each member, field by field.

    Exit codes: 0 no changes, 1 changes, 2 error (a member that did not answer is one).
    """
    from reconciler.pipeline.check import prepare
    from reconciler.pipeline.membership.standing import kicked_of
    from reconciler.pipeline.propose import propose_between, propose_live
    from reconciler.surfaces.accepted import last_accepted, log_state
    from reconciler.surfaces.wiring import wired

    with wired(settings_of(params), reporter()) as wiring:
        ports = wiring.checks()
        ports.repository.fetch()
        resolve, snapshot = ports.repository.resolve, ports.repository.snapshot
        base = prepare(ports, snapshot(resolve(against))) if against else None
        # Members are only talked to by the rules of the accepted commit: it says which programs may log in.
        accepted = None if against else last_accepted(wiring)
        head = prepare(ports, snapshot(resolve(rev)), accepted=snapshot(accepted) if accepted else None)
        if not head.ok or (base and not base.ok):
            return _refuse(head.errors or (base.errors if base else ()))
        if base:
            proposals = propose_between(base, head, clusters)
        else:
            state = log_state(wiring)
            kicked = kicked_of(state, head.read_fleet, ports.repository.blobs) if state else {}
            looking = propose_live(
                head, wiring.members(), clusters, deep=deep, dry_run=dry_run, left_alone=kicked.keys()
            )
            proposals = asyncio.run(looking)
    _print(proposals, output, base.commit if base else "live", head.commit)
    return _exit_code(proposals)


def _refuse(errors: Any) -> int:
    from reconciler.surfaces.formats import findings

    click.echo(findings.text(errors, paint), err=True, nl=False)
    return ERROR


def _exit_code(proposals: Sequence[Proposal]) -> int:
    if any(proposal.plan is None for proposal in proposals):
        return ERROR
    return CHANGES if any(p.plan.changes for p in proposals if p.plan) else 0


def _print(proposals: Sequence[Proposal], output: str, base: str, head: str) -> None:
    from reconciler.surfaces.formats import plans
    from reconciler.surfaces.formats.safe import safe

    made = [proposal.plan for proposal in proposals if proposal.plan]
    if output == "json":
        failed = [{"cluster": p.cluster, "error": p.error} for p in proposals if p.error]
        print_json({"commit": head, "plans": [plans.as_dict(plan) for plan in made], "errors": failed})
    elif output == "markdown":
        click.echo(plans.markdown(made, base=base, head=head), nl=False)
    else:
        click.echo(plans.text(made, paint), nl=False)
        for proposal in proposals:
            if proposal.error:
                click.echo(f"{paint(proposal.cluster, 'heading')}: {safe(proposal.error)}", err=True)
