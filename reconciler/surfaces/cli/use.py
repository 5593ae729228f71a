"""``fleetward use``: from one cluster to the next, with kubectl."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.surfaces.cli.kubeconfig import issue_options, issued, say
from reconciler.surfaces.cli.options import fleet_options, output_option, print_json, reporter, settings_of

if TYPE_CHECKING:
    from reconciler.surfaces.settings import Settings
    from reconciler.surfaces.wiring import Wiring


@click.command("use")
@fleet_options
@click.argument("cluster", required=False)
@click.option("--list", "listing", is_flag=True, help="List the clusters; nothing is issued.")
@issue_options
@output_option("text", "json")
def use_command(
    cluster: str | None, listing: bool, role: str, ttl: str, yes: bool, output: str, **params: Any
) -> int:
    """Issue a short-lived credential and make the cluster kubectl's current one, in a kubeconfig of our own.

    The file is STATE/kubeconfig, never ~/.kube/config: eval "$(fleetward use CLUSTER)".

    Exit codes: 0 done, 2 error.
    """
    from reconciler.surfaces import kubeconfigs
    from reconciler.surfaces.wiring import wired

    if listing == bool(cluster):
        raise click.UsageError("Name a cluster, or give --list.")
    with wired(settings_of(params), reporter()) as wiring:
        if not cluster:
            _print(_clusters(wiring), output)
            return 0
        path = file_of(wiring.settings)
        document = kubeconfigs.read(path)  # before anything is issued for nothing
        credential = issued(wiring, cluster, role, ttl, yes=yes)
        kubeconfigs.add_credential(document, credential)
        kubeconfigs.write(path, document)
    if output == "json":
        print_json({"cluster": cluster, "role": role, "expires": credential.expires, "kubeconfig": str(path)})
    else:
        say(credential, path)
    return 0


def file_of(settings: Settings) -> Path:
    """Our own kubeconfig."""
    return settings.state / "kubeconfig"


def _clusters(wiring: Wiring) -> list[dict[str, Any]]:
    from reconciler.pipeline.issuing import registered
    from reconciler.pipeline.membership.registration import uids_of
    from reconciler.surfaces import kubeconfigs

    checks, state = wiring.checks(), wiring.log_view().state()
    checks.repository.fetch()
    fleet = registered(checks.repository, checks.cache, state)
    promoted = state.membership.primary
    primaries = {fleet.federation.primary} | {
        one.name for one in fleet.clusters if promoted and promoted.cluster_uid in uids_of(state, one.name)
    }
    document = kubeconfigs.read(file_of(wiring.settings))
    ends, current = kubeconfigs.ends(document), document.get("current-context")
    return [
        {
            "name": cluster.name,
            "primary": cluster.name in primaries,
            "current": cluster.name == current,
            "server": cluster.api_servers[0],
            "expires": ends.get(cluster.name),
        }
        for cluster in fleet.clusters
    ]


def _print(clusters: list[dict[str, Any]], output: str) -> None:
    from reconciler.surfaces.formats.safe import safe

    if output == "json":
        print_json(clusters)
        return
    width = max((len(safe(one["name"])) for one in clusters), default=0)
    for one in clusters:
        mark = "*" if one["current"] else " "
        label = "primary" if one["primary"] else ""
        until = f"  until {one['expires']:%Y-%m-%dT%H:%M:%SZ}" if one["expires"] else ""
        click.echo(f"{mark} {safe(one['name']):<{width}}  {label:<7}  {safe(one['server'])}{until}")
