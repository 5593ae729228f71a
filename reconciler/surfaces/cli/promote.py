"""``fleetward promote``: a cluster becomes the primary."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from reconciler.surfaces.cli.options import fleet_options, output_option, print_json, reporter, settings_of

PORT = 11443


@click.command("promote")
@fleet_options
@click.option("--address", required=True, metavar="HOST", help="Where members reach this host: name or IP.")
@click.option("--port", type=click.IntRange(1, 65_535), default=PORT, show_default=True, help="TCP port.")
@click.option("--kubeconfig", metavar="FILE", help="The cluster's administrator.  [default: as kubectl]")
@click.option("--context", metavar="NAME", help="A context of that file.  [default: its current one]")
@output_option("text", "json")
def promote_command(
    address: str, port: int, kubeconfig: str | None, context: str | None, output: str, **params: Any
) -> int:
    """Make a cluster the primary: members join where this host serves them.

    Makes the key for join tokens and the join endpoint's CA in the state folder. You have to be authenticated
    by the cluster itself (client certificate or service account). Exit codes: 0 done, 2 error.
    """
    from reconciler.pipeline.membership.promoting import promote, require_promotable
    from reconciler.surfaces.membership import administrator_of, join_authority, token_key
    from reconciler.surfaces.wiring import actor, wired
    from reconciler.trust.pinned import pin_of
    from reconciler.trust.sshsig import public_key_text

    settings = settings_of(params)
    cluster = administrator_of(kubeconfig, context)
    with wired(settings, reporter()) as wiring:
        signer = wiring.key()
        log = wiring.log(signer)
        require_promotable(log.state(), address, port)  # before keys are made for nothing
        key, authority = token_key(settings, make=True), join_authority(settings, make_for=address)
        made = asyncio.run(
            promote(
                log, cluster, address=address, port=port, token_key=key.id,
                ca_pin=pin_of(authority.certificate), actor=actor(),
            )
        )  # fmt: skip
        proposer = public_key_text(signer.public_key)
    if output == "json":
        print_json(
            {"clusterUid": made.cluster_uid, "address": made.address, "port": made.port,
             "tokenKey": made.token_key, "caPin": made.ca_pin, "proposer": proposer}
        )  # fmt: skip
        return 0
    click.echo(f"cluster {made.cluster_uid} is the primary; members join at {made.address}:{made.port}")
    click.echo(f"registrations are proposed by {proposer}")
    click.echo("next: `fleetward serve` on this host, then `fleetward token create`")
    return 0
