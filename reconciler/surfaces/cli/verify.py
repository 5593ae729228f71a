"""``fleetward verify``: from a live member back to the signature."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from reconciler.surfaces.cli.options import (
    fleet_options,
    output_option,
    paint,
    print_json,
    reporter,
    settings_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.pipeline.explanation import Explanation, Wanted
    from reconciler.surfaces.wiring import Wiring

UNEXPLAINED = 1


@click.command("verify")
@fleet_options
@click.option("--cluster", "-c", required=True, help="The member to verify.")
@click.option(
    "--object", "names", multiple=True, metavar="KIND[.GROUP]/[NAMESPACE/]NAME",
    help="Only this object; may be repeated.",
)  # fmt: skip
@click.option("--deep", is_flag=True, help="Compare full contents, not only resource versions.")
@output_option("text", "json")
def verify_command(cluster: str, names: tuple[str, ...], deep: bool, output: str, **params: Any) -> int:
    """Explain what is on a member: object, change set, commit, signers, verdict, inclusion proof.

    Needs credentials that may read the member, the repository, the log, and its public key
    (FLEETWARD_PUBLIC_KEY); nothing is written. docs/verify.md says what is proven by what.

    Exit codes: 0 all explained, 1 not, 2 error.
    """
    from reconciler.pipeline.explanation import parse_wanted
    from reconciler.surfaces.formats import explanations
    from reconciler.surfaces.wiring import wired

    wanted = [parse_wanted(name) for name in names]
    with wired(settings_of(params), reporter()) as wiring:
        found = _verify(wiring, cluster, wanted, deep)
    if output == "json":
        print_json(explanations.as_dict(found))
    else:
        click.echo(explanations.text(found, paint), nl=False)
    return 0 if found.ok else UNEXPLAINED


def _verify(wiring: Wiring, cluster: str, wanted: Sequence[Wanted], deep: bool) -> Explanation:
    from reconciler.pipeline.verify import VerifyPorts, verify_member

    checks = wiring.checks()
    checks.repository.fetch()
    ports = VerifyPorts(checks.repository, checks.cache, wiring.log_view(), wiring.members().view)
    return asyncio.run(verify_member(ports, cluster, wanted, deep=deep))
