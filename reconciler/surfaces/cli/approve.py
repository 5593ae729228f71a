"""``fleetward approve``: sign that a change was reviewed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from reconciler.surfaces.cli.options import (
    fleet_options,
    is_terminal,
    output_option,
    print_json,
    reporter,
    settings_of,
)

PUSH_TIMEOUT = 60.0  # seconds


@click.command("approve")
@fleet_options
@click.argument("rev", default="HEAD")
@click.option(
    "--against", metavar="REV", help="What was reviewed begins after it.  [default: the reconciled branch]"
)
@click.option(
    "--push", metavar="REMOTE", is_flag=False, flag_value="origin", help="Push it.  [REMOTE: origin]"
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@output_option("text", "json")
def approve_command(
    rev: str, against: str | None, push: str | None, yes: bool, output: str, **params: Any
) -> int:
    """Sign, with git's own signing settings, that you reviewed what REV has and the base has not.

    The approval is a signed tag below refs/fleetward/statements. It covers these commits and nothing that is
    pushed later. Whether it counts is decided by the path rules in the base's federation.yaml.

    Exit codes: 0 signed, 2 error.
    """
    from reconciler.pipeline.stating import approve, federation_at, target
    from reconciler.repository.signing import push as push_ref
    from reconciler.surfaces.formats.safe import safe
    from reconciler.surfaces.formats.words import counted
    from reconciler.surfaces.wiring import wired

    settings = settings_of(params)
    path = Path(settings.repo)
    with wired(settings, reporter()) as wiring:
        repository = wiring.checks().repository
        commit = repository.resolve(rev)
        base = against or target(repository, federation_at(repository, commit).ref)
        covered = repository.missing_from(repository.resolve(base), commit)
        if output == "text":
            click.echo(f"approving {counted(len(covered), 'commit')} for the fleet:")
            for one in covered:
                click.echo(f"  {one.id[:12]} {safe(one.subject)}")
        if is_terminal() and not yes:
            click.confirm("Have you reviewed them?", abort=True)
        approval, ref = approve(repository, path, rev, base)
    if push:
        push_ref(path, ref, push, timeout=PUSH_TIMEOUT)
    if output == "json":
        facts = {"commit": approval.commit, "base": approval.base, "ref": ref, "pushed": bool(push)}
        print_json(facts)
        return 0
    click.echo(f"signed {ref}")
    if not push:
        click.echo(f"Next: git push origin {ref}")
    return 0
