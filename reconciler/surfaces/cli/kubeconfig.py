"""``fleetward kubeconfig``: a short-lived credential for kubectl."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.surfaces.cli.options import fleet_options, is_terminal, reporter, settings_of

if TYPE_CHECKING:
    from reconciler.pipeline.issuing import Credential
    from reconciler.surfaces.wiring import Wiring


def issue_options(command: Any) -> Any:
    """Role, life and consent, for every command that issues."""
    options = [
        click.option(
            "--role", type=click.Choice(["viewer", "admin"]), default="viewer", show_default=True,
            help="viewer reads; admin is the reconciler's own account, which may change what is federated.",
        ),
        click.option("--ttl", default="15m", show_default=True, metavar="DURATION", help="Life: 10m to 24h."),
        click.option("--yes", "-y", is_flag=True, help="Do not ask before an admin credential is issued."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@click.command("kubeconfig")
@fleet_options
@click.argument("cluster")
@issue_options
@click.option(
    "--out",
    metavar="FILE|-",
    help="Where to write it; - is stdout.  [default: STATE/kubeconfigs/CLUSTER-ROLE]",
)
def kubeconfig_command(cluster: str, role: str, ttl: str, yes: bool, out: str | None, **params: Any) -> int:
    """Write a kubeconfig with a credential that ends by itself; that it was issued is logged.

    Exit codes: 0 written, 2 error.
    """
    from reconciler.surfaces import kubeconfigs
    from reconciler.surfaces.wiring import wired

    with wired(settings_of(params), reporter()) as wiring:
        credential = issued(wiring, cluster, role, ttl, yes=yes)
        path = Path(out or wiring.settings.state / "kubeconfigs" / f"{cluster}-{role}")
        document = kubeconfigs.empty()
        kubeconfigs.add_credential(document, credential)
        if out == "-":
            click.echo(kubeconfigs.text_of(document), nl=False)
            return 0
        kubeconfigs.write(path, document)
    say(credential, path)
    return 0


def issued(wiring: Wiring, cluster: str, role: str, ttl: str, *, yes: bool) -> Credential:
    """Ask if it is to be asked, then issue and log. Raises UnconfirmedError, and what issuing raises."""
    from reconciler.audit.entry import CredentialRole
    from reconciler.documents.durations import parse_duration
    from reconciler.member.errors import LifeError
    from reconciler.pipeline.issuing import issue, registered

    try:
        life = parse_duration(ttl)
    except ValueError as error:
        raise LifeError("not a duration", expected="e.g. 15m or 1h", got=ttl[:40]) from error
    wanted = CredentialRole(role)
    if wanted is CredentialRole.ADMIN and not yes:
        _confirm(cluster, ttl)
    checks, writes, members = wiring.checks(), wiring.writes(), wiring.members()
    checks.repository.fetch()
    fleet = registered(checks.repository, checks.cache, writes.log.state())
    return asyncio.run(issue(members, writes, fleet, cluster, wanted, life))


def _confirm(cluster: str, ttl: str) -> None:
    from reconciler.member.errors import UnconfirmedError
    from reconciler.surfaces.formats.safe import safe

    question = f"A credential that may change everything federated on {safe(cluster)}, for {safe(ttl)}?"
    if not is_terminal() or not click.confirm(question, err=True):
        raise UnconfirmedError("no admin credential without a yes", where=cluster)


def say(credential: Credential, path: Path) -> None:
    """What was issued on stderr; on stdout what a shell can take."""
    import shlex

    until = f"{credential.expires:%Y-%m-%dT%H:%M:%SZ}"
    click.echo(f"{credential.cluster.name}: {credential.role.value}, until {until}; logged", err=True)
    click.echo(f"export KUBECONFIG={shlex.quote(str(path.absolute()))}")
