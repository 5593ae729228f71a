"""``fleetward cluster show``: everything about one registration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from reconciler.surfaces.cli.cluster.common import FINDINGS, name_argument, snapshot_of, warn_of_log
from reconciler.surfaces.cli.options import (
    fleet_options,
    output_option,
    paint,
    print_json,
    reporter,
    settings_of,
)

if TYPE_CHECKING:
    from reconciler.model import Finding
    from reconciler.pipeline.check import Checked
    from reconciler.surfaces.registrations import Detail
    from reconciler.surfaces.wiring import Wiring


@click.command("show")
@fleet_options
@name_argument
@click.option("--rev", default="HEAD", show_default=True, help="Commit to read.")
@click.option("--worktree", is_flag=True, help="Read the files as they are on disk.")
@output_option("text", "json", "yaml")
def show_command(name: str, rev: str, worktree: bool, output: str, **params: Any) -> int:
    """Show one registration: how the member is reached, the documents and objects placed there, the overrides
    that apply, what the log says of it, the last contact. No cluster is contacted.

    Exit codes: 0 shown, 1 it has findings, 2 error.
    """
    from reconciler.model import Severity
    from reconciler.pipeline.check import prepare
    from reconciler.surfaces.cluster_files import registration
    from reconciler.surfaces.wiring import wired

    with wired(settings_of(params), reporter()) as wiring:
        ports = wiring.checks()
        snapshot = snapshot_of(ports.repository, rev, worktree)
        path = registration(snapshot.files, name)
        checked = prepare(ports, snapshot)
        found = _detail(wiring, checked, name)
    if found is None:
        _print_unreadable([f for f in checked.findings if _about(f, path)] or list(checked.errors))
        return FINDINGS
    _print(found, output)
    return FINDINGS if any(one.severity is Severity.ERROR for one in found.findings) else 0


def _about(finding: Finding, path: str) -> bool:
    return finding.source is not None and finding.source.path == path


def _detail(wiring: Wiring, checked: Checked, name: str) -> Detail | None:
    from reconciler.pipeline.membership.standing import departed_of
    from reconciler.surfaces import registrations

    if checked.fleet is None or all(cluster.name != name for cluster in checked.fleet.clusters):
        return None
    state = registrations.readable_log(wiring, warn_of_log)
    gone = departed_of(state, checked.fleet, wiring.repository().blobs) if state else {}
    all_of_them = registrations.registered(wiring, checked.fleet, state, gone)
    (found,) = (one for one in all_of_them if one.cluster.name == name)
    return registrations.detail(found, checked, state)


def _print_unreadable(wrong: list[Finding]) -> None:
    from reconciler.surfaces.formats import findings

    click.echo(findings.text(wrong, paint), err=True, nl=False)


def _print(found: Detail, output: str) -> None:
    from reconciler.surfaces.formats import registration_text, registrations
    from reconciler.surfaces.formats.safe import safe
    from reconciler.surfaces.wiring import clock
    from reconciler.surfaces.yaml_edit import as_yaml

    if output == "json":
        print_json(registrations.detail_dict(found))
    elif output == "yaml":
        click.echo(safe(as_yaml(registrations.detail_dict(found)), keep="\n"), nl=False)
    else:
        click.echo(registration_text.text(found, clock(), paint), nl=False)
