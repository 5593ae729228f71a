"""``fleetward cluster list``: all registrations, and what was last known of each member."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from reconciler.surfaces.cli.cluster.common import FINDINGS, snapshot_of, warn_of_log
from reconciler.surfaces.cli.options import (
    fleet_options,
    output_option,
    paint,
    print_json,
    reporter,
    settings_of,
)

if TYPE_CHECKING:
    from reconciler.surfaces.registrations import Registered, Stranger


@click.command("list")
@fleet_options
@click.option("--selector", "-l", default="", metavar="SELECTOR", help="Labels, as kubectl -l has them.")
@click.option("--rev", default="HEAD", show_default=True, help="Commit to read.")
@click.option("--worktree", is_flag=True, help="Read the files as they are on disk.")
@output_option("text", "json", "yaml", "name")
def list_command(selector: str, rev: str, worktree: bool, output: str, **params: Any) -> int:
    """List the registrations: state as it was last seen from here, with age and reason; mode, API servers,
    credentials, version, labels; commit applied last, from the log if one can be read here, and the last
    contact. Then, without a selector, the clusters that are about to join. No cluster is contacted.

    \b
    fleetward cluster list -l 'environment in (staging,test),!legacy'
    fleetward cluster list -o name | xargs -n1 fleetward render --cluster

    Exit codes: 0 listed, 1 a registration has findings and may be missing, 2 error.
    """
    from reconciler.documents import load
    from reconciler.pipeline.membership.standing import departed_of
    from reconciler.surfaces import registrations
    from reconciler.surfaces.formats import findings
    from reconciler.surfaces.selectors import placement
    from reconciler.surfaces.wiring import wired

    chosen = placement(selector)
    with wired(settings_of(params), reporter()) as wiring:
        ports = wiring.checks()
        loaded = load(snapshot_of(ports.repository, rev, worktree), cache=ports.cache)
        found: tuple[Registered, ...] = ()
        outside: tuple[Stranger, ...] = ()
        wrong = registrations.broken(loaded.findings) if loaded.fleet else loaded.findings
        if loaded.fleet:
            state = None if output == "name" else registrations.readable_log(wiring, warn_of_log)
            gone = departed_of(state, loaded.fleet, ports.repository.blobs) if state else {}
            found = registrations.registered(wiring, loaded.fleet, state, gone)
            outside = () if selector else registrations.strangers(ports, loaded.fleet, state, gone)
    _print([one for one in found if chosen.selects(one.cluster)], outside, output)
    click.echo(findings.text(wrong, paint), err=True, nl=False)
    return FINDINGS if wrong else 0


def _print(found: Sequence[Registered], outside: Sequence[Stranger], output: str) -> None:
    from reconciler.surfaces.formats import registrations
    from reconciler.surfaces.formats.safe import safe
    from reconciler.surfaces.wiring import clock
    from reconciler.surfaces.yaml_edit import as_yaml

    facts = [registrations.as_dict(one) for one in found]
    facts += [registrations.stranger_dict(one) for one in outside]
    if output == "name":
        click.echo("".join(f"{safe(one.cluster.name)}\n" for one in found), nl=False)
    elif output == "json":
        print_json(facts)
    elif output == "yaml":
        click.echo(safe(as_yaml(facts), keep="\n"), nl=False)
    else:
        click.echo(registrations.table(found, clock(), paint, outside), nl=False)
