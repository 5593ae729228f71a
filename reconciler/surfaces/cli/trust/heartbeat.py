"""``fleetward trust heartbeat``: sign that the remote is not frozen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from reconciler.errors import SettingsError
from reconciler.surfaces.cli.options import fleet_options, output_option, print_json, reporter, settings_of

PUSH_TIMEOUT = 60.0  # seconds


@click.command("heartbeat")
@fleet_options
@click.argument("rev", default="HEAD")
@click.option("--ttl", default="1h", show_default=True, help="How long it may be believed.")
@click.option(
    "--push", metavar="REMOTE", is_flag=False, flag_value="origin", help="Push it.  [REMOTE: origin]"
)
@output_option("text", "json")
def heartbeat_command(rev: str, ttl: str, push: str | None, output: str, **params: Any) -> int:
    """Sign, with git's own signing settings, that the reconciled branch is at REV now.

    For a job on the forge, more often than --ttl. A reconciler whose federation.yaml asks for a heartbeat
    refuses what builds on no current one. Exit codes: 0 signed, 2 error.
    """
    from reconciler.documents.durations import parse_duration
    from reconciler.pipeline.stating import beat
    from reconciler.repository.signing import push as push_ref
    from reconciler.surfaces.wiring import clock, wired

    try:
        life = parse_duration(ttl)
    except ValueError as error:
        raise SettingsError("not a duration", expected="e.g. 1h", got=ttl) from error
    settings = settings_of(params)
    path = Path(settings.repo)
    with wired(settings, reporter()) as wiring:
        statement, ref = beat(wiring.checks().repository, path, rev, life, clock())
    if push:
        push_ref(path, ref, push, timeout=PUSH_TIMEOUT)
    if output == "json":
        expires = f"{statement.expires:%Y-%m-%dT%H:%M:%SZ}"
        print_json({"commit": statement.commit, "expires": expires, "ref": ref, "pushed": bool(push)})
        return 0
    click.echo(f"signed {ref}: {statement.commit[:12]}, until {statement.expires:%Y-%m-%dT%H:%M:%SZ}")
    if not push:
        click.echo(f"Next: git push --force origin {ref}")
    return 0
