"""``fleetward join``: this cluster becomes a member."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from reconciler.surfaces.cli.options import KUBECONFIG_DEFAULT, output_option, print_json, progress, quiet

MAX_INPUT = 16 << 10  # characters


@click.command("join")
@click.option(
    "--token", default="", metavar="TOKEN", help="The join token; others here can see it: see --stdin."
)
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the token from standard input.")
@click.option("--token-file", default="", metavar="FILE", help="Read the token from a file of mode 0600.")
@click.option("--file", "-f", default="", metavar="FILE", help="A Join document; flags go before its fields.")
@click.option("--api-server", multiple=True, metavar="URL", help="Where the primary reaches this API server.")
@click.option(
    "--primary", default="", metavar="URL", help="The primary's join endpoint, instead of the token's."
)
@click.option("--name", default="", metavar="NAME", help="The cluster's name.  [default: the token's]")
@click.option(
    "--kubeconfig",
    default="",
    metavar="FILE",
    help=f"This cluster's administrator.  {KUBECONFIG_DEFAULT}",
)
@click.option(
    "--context", default="", metavar="NAME", help="A context of that file.  [default: its current one]"
)
@click.option("--quiet", "-q", is_flag=True, help="No progress on stderr.")
@output_option("text", "json")
def join_command(
    token: str, from_stdin: bool, token_file: str, file: str, api_server: tuple[str, ...], primary: str,
    name: str, kubeconfig: str, context: str, output: str, **params: Any,
) -> int:  # fmt: skip
    """Prepare this cluster and join it to a primary. Run it again if it broke off.

    Makes namespace, service account and least-privilege roles, asks for a short-lived credential, and sends
    it to the primary that the token pins. The registration is proposed for review, unless it was merged
    beforehand or the token is auto-approved. Exit codes: 0 joined, 2 error.
    """
    from reconciler.pipeline.membership.enrolling import enrol_cluster
    from reconciler.surfaces.joining import Flags, cluster_of, joining_of, settled, token_in
    from reconciler.surfaces.wiring import clock

    if (bool(token), from_stdin, bool(token_file)).count(True) > 1:
        raise click.UsageError("Give the token in one way: --stdin, --token or --token-file.")
    said = settled(Flags(file, token_file, name, api_server, primary, kubeconfig, context))
    if not (token or from_stdin or said.token_file):
        raise click.UsageError("Give the token by --stdin, --token, --token-file, or tokenFile in --file.")
    given = sys.stdin.read(MAX_INPUT).strip() if from_stdin else token or token_in(said.token_file)
    report = quiet if params["quiet"] else progress
    joining, cluster = joining_of(said, given), cluster_of(said)
    done = asyncio.run(enrol_cluster(joining, cluster, clock=clock, report=report))
    if output == "json":
        print_json(
            {"cluster": done.cluster, "uid": done.uid, "version": done.version, "made": list(done.made),
             "credentialExpires": done.credential_expires, "branch": done.branch, "commit": done.commit}
        )  # fmt: skip
        return 0
    from reconciler.surfaces.formats.safe import safe

    click.echo(f"on this cluster: {len(done.made)} objects for fleetward's two accounts, in place")
    proposed = done.branch.startswith("refs/heads/join/")
    how, where = "proposed" if proposed else "registered", f"{safe(done.commit[:12])} on {safe(done.branch)}"
    click.echo(f"cluster {done.cluster} is {how} as {where}")
    click.echo(f"its credential ends {done.credential_expires:%Y-%m-%dT%H:%M:%SZ}")
    review = "somebody reviews that branch and merges it; " if proposed else ""
    click.echo(f"next: {review}the next reconcile makes it a member")
    return 0
