"""``fleetward cluster discover``: what others publish on the primary, and drafts of registrations."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from reconciler.errors import SettingsError
from reconciler.surfaces.cli.cluster.common import FINDINGS, facts_of, finish, warn_of_log
from reconciler.surfaces.cli.options import (
    fleet_options,
    output_option,
    paint,
    print_json,
    reporter,
    settings_of,
)

if TYPE_CHECKING:
    from reconciler.documents import Fleet
    from reconciler.member.published import Published
    from reconciler.surfaces.cluster_files import Proposed
    from reconciler.surfaces.discovering import Discovered
    from reconciler.surfaces.wiring import Wiring

SUBJECT = "Register"


@click.command("discover")
@fleet_options
@click.option("--kubeconfig", metavar="FILE", help="The primary's.  [default: the primary's registration]")
@click.option("--context", metavar="NAME", help="A context of that file.  [default: its current one]")
@click.option("--write", "names", multiple=True, metavar="NAME", help="Draft its registration; repeatable.")
@click.option("--credentials-of", "login", metavar="KIND:...", help="How to log in to them; see below.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE|KEY-", help="Set or leave out a label.")
@output_option("text", "json")
def discover_command(
    kubeconfig: str | None,
    context: str | None,
    names: tuple[str, ...],
    login: str | None,
    labels: tuple[str, ...],
    output: str,
    **params: Any,
) -> int:
    """List the clusters that other managers publish as ClusterProfiles on the primary: manager, version, API
    server, and under which name they are registered here, if they are.

    With --write, draft clusters/NAME.yaml in the work tree, in mode observe, for you to complete, sign and
    have reviewed. What is published is the publisher's word alone: compare it with the administrator's.

    \b
    fleetward cluster discover --write eu-1 --credentials-of 'tokenFile:{name}.token' \\
        --label owner=platform --label environment=staging --label tier=workload

    {name} becomes the cluster's name; the forms are those of `fleetward cluster set --credentials`.
    Exit codes: 0 listed or written, 1 findings, 2 error.
    """
    from reconciler.surfaces import registrations
    from reconciler.surfaces.discovering import chosen, discovered
    from reconciler.surfaces.formats import published
    from reconciler.surfaces.wiring import wired

    _require_login(names, login)
    with wired(settings_of(params), reporter()) as wiring:
        fleet = _fleet(wiring)
        looked = _look(wiring, fleet, kubeconfig, context)
        found = discovered(looked, fleet, registrations.readable_log(wiring, warn_of_log))
        if names:
            picked = [chosen(found, name) for name in names]
            changes = _drafts(wiring, picked, login or "", labels)
            return _finish(changes, output)
    if output == "json":
        print_json([published.as_dict(one) for one in found])
    else:
        click.echo(published.table(found, paint), nl=False)
    return 0


def _require_login(names: Sequence[str], login: str | None) -> None:
    if names and not login:
        from reconciler.surfaces.cluster_edit import CREDENTIAL_FORMS

        raise SettingsError(
            "a registration says how to log in, and a profile does not", expected=CREDENTIAL_FORMS,
            hint="for instance --credentials-of 'tokenFile:{name}.token'; see docs/joining-by-hand.md",
        )  # fmt: skip


def _fleet(wiring: Wiring) -> Fleet:
    """The fleet at HEAD; members are only talked to by the rules of the accepted commit."""
    from reconciler.pipeline.check import prepare
    from reconciler.surfaces.accepted import last_accepted

    ports = wiring.checks()
    ports.repository.fetch()
    repository, accepted = ports.repository, last_accepted(wiring)
    base = repository.snapshot(accepted) if accepted else None
    checked = prepare(ports, repository.snapshot(repository.resolve("HEAD")), accepted=base)
    if checked.fleet is None:
        raise SettingsError(
            "the commit cannot be read as a fleet", hint="`fleetward check` says what is wrong"
        )
    return checked.fleet


def _look(wiring: Wiring, fleet: Fleet, kubeconfig: str | None, context: str | None) -> tuple[Published, ...]:
    from reconciler.surfaces.membership import administrator_of

    if kubeconfig or context:
        return asyncio.run(_as_administrator(administrator_of(kubeconfig, context)))
    primary = next((c for c in fleet.clusters if c.name == fleet.federation.primary), None)
    if primary is None:
        raise SettingsError(
            "nothing says which cluster is the primary", expected="spec.primary of federation.yaml",
            hint="add it, or name the primary's kubeconfig with --kubeconfig",
        )  # fmt: skip
    ports = wiring.members()

    async def look() -> tuple[Published, ...]:
        async with ports.view(primary, fleet) as member:
            return await member.published()

    return asyncio.run(look())


async def _as_administrator(cluster: Any) -> tuple[Published, ...]:
    from reconciler.member.profiles import published

    transport = cluster.transport()
    try:
        return await published(transport)
    finally:
        await transport.close()


def _drafts(
    wiring: Wiring, picked: Sequence[Discovered], login: str, labels: Sequence[str]
) -> list[Proposed]:
    from reconciler.surfaces.cluster_edit import parse_credentials, parse_labels
    from reconciler.surfaces.cluster_files import propose_new
    from reconciler.surfaces.discovering import draft

    wanted = parse_labels(labels)
    changes = []
    for one in picked:
        name = one.published.name
        credentials = parse_credentials(login.replace("{name}", name))
        changes.append(propose_new(wiring, name, draft(one.published, wanted, credentials)))
    return changes


def _finish(changes: Sequence[Proposed], output: str) -> int:
    """All or none: a draft with findings keeps the others from being written."""
    if output == "text":
        bad = [change for change in changes if change.findings]
        return max(finish(change, output, SUBJECT) for change in bad or changes)
    if not any(change.findings for change in changes):
        for change in changes:
            change.write()
    print_json([facts_of(change, SUBJECT) for change in changes])
    return FINDINGS if any(change.findings for change in changes) else 0
