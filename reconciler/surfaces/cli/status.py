"""``fleetward status``: how every member stands."""

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
    from reconciler.pipeline.status import MemberStatus
    from reconciler.surfaces.wiring import Wiring

NOT_GOOD = 1


@click.command("status")
@fleet_options
@click.option("--cluster", "-c", "clusters", multiple=True, help="Only this cluster; may be repeated.")
@click.option("--watch", "-w", is_flag=True, help="Look again and again, until interrupted.")
@click.option(
    "--interval", type=click.IntRange(1, 3600), default=10, show_default=True, help="Seconds, with --watch."
)
@output_option("text", "json")
def status_command(clusters: tuple[str, ...], watch: bool, interval: int, output: str, **params: Any) -> int:
    """Show each member: state, since when and why; accepted and applied commit, objects, drift, last contact.
    Clusters that are about to join are shown after the members. The states are those of docs/states.md.

    Exit codes: 0 all good, 1 not, 2 error.
    """
    import time

    from reconciler.surfaces.wiring import wired

    settings = settings_of(params)
    while True:
        with wired(settings, reporter()) as wiring:
            statuses = _look(wiring, clusters)
        if watch and output == "text":
            click.clear()
        _print(statuses, output)
        if not watch:
            return 0 if all(status.good for status in statuses) else NOT_GOOD
        time.sleep(interval)


def _look(wiring: Wiring, clusters: tuple[str, ...]) -> tuple[MemberStatus, ...]:
    from reconciler.pipeline.accepting import require_initialized
    from reconciler.pipeline.check import prepare
    from reconciler.pipeline.membership.pending import pending_joins
    from reconciler.pipeline.membership.standing import departed_of
    from reconciler.pipeline.status import fleet_status
    from reconciler.surfaces.wiring import clock

    checks = wiring.checks()
    checks.repository.fetch()
    state = wiring.log_view().state()
    accepted = require_initialized(state, checks.repository)
    prepared = prepare(checks, checks.repository.snapshot(accepted))
    registered = {cluster.name for cluster in prepared.select(())}
    proposed = pending_joins(state.membership, checks.repository, registered, clock())
    departed = departed_of(state, prepared.read_fleet, checks.repository.blobs) if prepared.fleet else {}
    ports = wiring.members()
    return asyncio.run(fleet_status(prepared, state, ports, clusters, proposed=proposed, departed=departed))


def _print(statuses: tuple[MemberStatus, ...], output: str) -> None:
    from dataclasses import asdict

    from reconciler.surfaces.formats.statuses import table
    from reconciler.surfaces.wiring import clock

    if output == "json":
        also = [{"good": status.good, "health": status.state} for status in statuses]  # health: its old name
        print_json([asdict(one) | more for one, more in zip(statuses, also, strict=True)])
    else:
        click.echo(table(statuses, clock(), paint), nl=False)
