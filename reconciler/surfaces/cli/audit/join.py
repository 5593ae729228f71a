"""``fleetward audit join``: a member's own audit log beside ours."""

from __future__ import annotations

from pathlib import Path
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
    from reconciler.audit.view import LogView
    from reconciler.surfaces.wiring import Wiring

UNEXPLAINED = 1
EXAMPLES = """\b
Examples:
  fleetward audit join --cluster member-a --kube-audit audit.log
  fleetward audit join -c member-a -k audit-2026-01-01.log.gz -k audit.log -o json"""


@click.command("join", epilog=EXAMPLES)
@fleet_options
@click.option(
    "--kube-audit", "-k", "files", metavar="FILE", multiple=True, required=True,
    type=click.Path(path_type=Path), help="The member's audit log: JSON lines, or gzip; may be repeated.",
)  # fmt: skip
@click.option("--cluster", "-c", help="The member that wrote it; needless where the log has only one.")
@click.option("--user", help="The reconciler's user name there.  [default: that of the registration]")
@output_option("text", "json")
def join_command(
    files: tuple[Path, ...], cluster: str | None, user: str | None, output: str, **params: Any
) -> int:  # fmt: skip
    """Join a member's Kubernetes audit log with ours by Audit-ID: writes of ours, writes of others.

    Exit codes: 0 nothing unexplained, 1 findings, 2 error.
    """
    from reconciler.pipeline.joining import join
    from reconciler.surfaces.formats import joins
    from reconciler.surfaces.wiring import wired

    with wired(settings_of(params), reporter()) as wiring:
        view = wiring.written_log()
        name = cluster or _only_cluster(view)
        joined = join(view, files, cluster=name, user=user or _registered_user(wiring, view, name))
    if output == "json":
        print_json(joins.as_dict(joined))
    else:
        click.echo(joins.text(joined, paint), nl=False)
    return 0 if joined.ok else UNEXPLAINED


def _only_cluster(view: LogView) -> str:
    from reconciler.errors import SettingsError

    known = sorted(view.state().clusters)
    if len(known) != 1:
        raise SettingsError(
            "not one cluster in the log", expected="--cluster", got=", ".join(known) or "none",
            hint="name the member whose API server wrote the audit log",
        )  # fmt: skip
    return known[0]


def _registered_user(wiring: Wiring, view: LogView, name: str) -> str:
    """As the last accepted commit registers the member; the usual name where it does not (any more)."""
    from reconciler.model import RECONCILER_USER
    from reconciler.pipeline.check import prepare

    accepted = view.state().accepted
    if accepted is None:
        return RECONCILER_USER
    checks = wiring.checks()
    checks.repository.fetch()
    prepared = prepare(checks, checks.repository.snapshot(accepted.commit))
    clusters = prepared.fleet.clusters if prepared.fleet else ()
    return next((cluster.username for cluster in clusters if cluster.name == name), RECONCILER_USER)
