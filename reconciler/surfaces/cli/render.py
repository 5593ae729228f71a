"""``fleetward render``: one cluster's desired objects as YAML."""

from __future__ import annotations

from typing import Any

import click

from reconciler.surfaces.cli.options import fleet_options, paint, reporter, settings_of


@click.command("render")
@fleet_options
@click.option("--cluster", "-c", required=True, help="The cluster to render.")
@click.option("--rev", default="HEAD", show_default=True, help="Commit to render.")
@click.option("--worktree", is_flag=True, help="Render the files as they are on disk.")
def render_command(cluster: str, rev: str, worktree: bool, **params: Any) -> int:
    """Print a cluster's desired objects as a YAML stream that `kubectl apply -f -` takes.

    Exit codes: 0 rendered, 1 findings (on stderr, nothing rendered), 2 error.
    """
    from reconciler.pipeline.check import prepare
    from reconciler.surfaces.formats import findings
    from reconciler.surfaces.formats.manifests import yaml_stream
    from reconciler.surfaces.wiring import wired

    with wired(settings_of(params), reporter()) as wiring:
        ports = wiring.checks()
        ports.repository.fetch()
        repository = ports.repository
        snapshot = repository.worktree() if worktree else repository.snapshot(repository.resolve(rev))
        checked = prepare(ports, snapshot)
    if not checked.ok:
        click.echo(findings.text(checked.errors, paint), err=True, nl=False)
        return 1
    (chosen,) = checked.select([cluster])
    click.echo(yaml_stream(checked.compiled[chosen.name].desired.objects), nl=False)
    return 0
