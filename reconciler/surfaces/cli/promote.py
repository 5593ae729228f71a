"""``fleetward promote``: a cluster becomes the primary."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from reconciler.surfaces.cli.options import (
    KUBECONFIG_DEFAULT,
    fleet_options,
    output_option,
    print_json,
    reporter,
    settings_of,
)

if TYPE_CHECKING:
    from reconciler.audit.log import Log
    from reconciler.member.administrator import Administrator
    from reconciler.pipeline.membership.promoting import Promotion
    from reconciler.surfaces.settings import Settings

PORT = 11443


@click.command("promote")
@fleet_options
@click.option("--address", metavar="HOST", help="Where members reach this host: name or IP. Required.")
@click.option("--port", type=click.IntRange(1, 65_535), default=PORT, show_default=True, help="TCP port.")
@click.option(
    "--kubeconfig",
    metavar="FILE",
    help=f"The cluster's administrator.  {KUBECONFIG_DEFAULT}",
)
@click.option("--context", metavar="NAME", help="A context of that file.  [default: its current one]")
@click.option(
    "--cluster-profiles", "namespace", metavar="NAMESPACE",
    help="Prepare it for ClusterProfiles there.  [default: as the accepted federation.yaml says]",
)  # fmt: skip
@output_option("text", "json")
def promote_command(
    address: str | None, port: int, kubeconfig: str | None, context: str | None, namespace: str | None,
    output: str, **params: Any,
) -> int:  # fmt: skip
    """Make a cluster the primary: members join where this host serves them.

    Makes the key for join tokens and the join endpoint's CA in the state folder, and on the cluster the
    namespace fleetward-system and what ClusterProfiles need, if they are asked for. You have to be
    authenticated by the cluster itself (client certificate or service account). Killed anywhere, the same
    command finishes it.

    A primary that there is is prepared for ClusterProfiles by --cluster-profiles, without --address.
    Exit codes: 0 done, 2 error.
    """
    from reconciler.pipeline.membership.promoting import prepare
    from reconciler.surfaces.membership import administrator_of
    from reconciler.surfaces.promotion import lacking
    from reconciler.surfaces.wiring import wired
    from reconciler.trust.sshsig import public_key_text

    settings = settings_of(params)
    cluster = administrator_of(kubeconfig, context)
    with wired(settings, reporter()) as wiring:
        signer = wiring.key()
        log = wiring.log(signer)
        state = log.state()
        again = bool(namespace and not address and state.membership.primary)
        if not again:
            _require(log, address, port)  # before keys are made for nothing
        wiring.repository().fetch()
        fleet = wiring.accepted_fleet()
        if again:
            done = asyncio.run(prepare(state, cluster, _checked(namespace or "")))
        else:
            namespace = _checked(namespace) if namespace else fleet.federation.profiles
            done = _promote(settings, log, cluster, str(address), port, namespace)
    notes = lacking(fleet, cluster.server, namespace) if namespace else ()
    _print(done, public_key_text(signer.public_key), notes, again=again, output=output)
    return 0


def _require(log: Log, address: str | None, port: int) -> None:
    from reconciler.pipeline.membership.promoting import require_promotable

    if address is None:
        raise click.MissingParameter(param_hint="'--address'", param_type="option")
    require_promotable(log.state(), address, port)


def _checked(namespace: str) -> str:
    from reconciler.documents.formats import is_dns_label

    if not is_dns_label(namespace):
        raise click.BadParameter("not the name of a namespace", param_hint="'--cluster-profiles'")
    return namespace


def _promote(
    settings: Settings, log: Log, cluster: Administrator, address: str, port: int, namespace: str
) -> Promotion:
    from reconciler.pipeline.membership.promoting import promote
    from reconciler.pki import pin_of
    from reconciler.surfaces.membership import join_authority, token_key
    from reconciler.surfaces.wiring import actor

    key, authority = token_key(settings, make=True), join_authority(settings, make_for=address)
    return asyncio.run(
        promote(
            log, cluster, address=address, port=port, token_key=key.id,
            ca_pin=pin_of(authority.certificate), actor=actor(), profiles=namespace,
        )
    )  # fmt: skip


def _print(done: Promotion, proposer: str, notes: tuple[str, ...], *, again: bool, output: str) -> None:
    from reconciler.surfaces.formats.safe import safe

    made = done.primary
    if output == "json":
        print_json(
            {"clusterUid": made.cluster_uid, "address": made.address, "port": made.port,
             "tokenKey": made.token_key, "caPin": made.ca_pin, "proposer": proposer,
             "made": list(done.made), "lacking": list(notes)}
        )  # fmt: skip
        return
    since = f" already, since entry {made.index}" if again else ""
    click.echo(
        f"cluster {made.cluster_uid} is the primary{since}; members join at {made.address}:{made.port}"
    )
    for line in done.made:
        click.echo(f"applied {safe(line)}")
    if notes:
        click.echo("add to the spec of federation.yaml, so that the fleet is mirrored:")
        for line in notes:
            click.echo(f"    {safe(line)}")
    if not again:
        click.echo(f"registrations are proposed by {proposer}")
        click.echo("next: `fleetward serve` on this host, then `fleetward token create`")
