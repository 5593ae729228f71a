"""``fleetward join``: this cluster becomes a member."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from reconciler.surfaces.cli.options import output_option, print_json, progress, quiet

MAX_INPUT = 16 << 10  # characters


@click.command("join")
@click.option(
    "--token", default="", metavar="TOKEN", help="The join token; others here can see it: see --stdin."
)
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the token from standard input.")
@click.option("--api-server", multiple=True, metavar="URL", help="Where the primary reaches this API server.")
@click.option(
    "--primary", default="", metavar="URL", help="The primary's join endpoint, instead of the token's."
)
@click.option("--name", default="", metavar="NAME", help="The cluster's name.  [default: the token's]")
@click.option("--kubeconfig", metavar="FILE", help="This cluster's administrator.  [default: as kubectl]")
@click.option("--context", metavar="NAME", help="A context of that file.  [default: its current one]")
@click.option("--quiet", "-q", is_flag=True, help="No progress on stderr.")
@output_option("text", "json")
def join_command(
    token: str, from_stdin: bool, api_server: tuple[str, ...], primary: str, name: str,
    kubeconfig: str | None, context: str | None, output: str, **params: Any,
) -> int:  # fmt: skip
    """Prepare this cluster and propose it to a primary. Run it again if it broke off.

    Makes namespace, service account and least-privilege roles, asks for a short-lived credential, and sends
    it to the primary that the token pins. Exit codes: 0 proposed, 2 error.
    """
    from reconciler.pipeline.membership.enrolling import Joining, enrol_cluster
    from reconciler.surfaces.membership import administrator_of
    from reconciler.surfaces.wiring import clock

    if bool(token) == from_stdin:
        raise click.UsageError("Give the token either by --stdin or by --token.")
    given = sys.stdin.read(MAX_INPUT).strip() if from_stdin else token
    joining = Joining(given, name, tuple(url.rstrip("/") for url in api_server), primary)
    report = quiet if params["quiet"] else progress
    cluster = administrator_of(kubeconfig, context)
    done = asyncio.run(enrol_cluster(joining, cluster, clock=clock, report=report))
    if output == "json":
        print_json(
            {"cluster": done.cluster, "uid": done.uid, "version": done.version, "made": list(done.made),
             "credentialExpires": done.credential_expires, "branch": done.branch, "commit": done.commit}
        )  # fmt: skip
        return 0
    from reconciler.surfaces.formats.safe import safe

    click.echo(f"on this cluster: {len(done.made)} objects for fleetward's two accounts, in place")
    click.echo(f"cluster {done.cluster} is proposed as {safe(done.commit[:12])} on {safe(done.branch)}")
    click.echo(f"its credential ends {done.credential_expires:%Y-%m-%dT%H:%M:%SZ}")
    click.echo("next: somebody reviews that branch and merges it; the next reconcile makes it a member")
    return 0
