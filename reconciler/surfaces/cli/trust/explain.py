"""``fleetward trust explain``: why a range of commits is trusted, or what it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from reconciler.errors import SettingsError
from reconciler.surfaces.cli.options import (
    fleet_options,
    output_option,
    paint,
    print_json,
    reporter,
    settings_of,
)

if TYPE_CHECKING:
    from reconciler.repository import Repository

REFUSED = 1


@click.command("explain")
@fleet_options
@click.argument("rev", default="HEAD")
@click.option(
    "--against",
    metavar="REV",
    help="Base whose trust root judges.  [default: last accepted, else its parent]",
)
@output_option("text", "json")
def explain_command(rev: str, against: str | None, output: str, **params: Any) -> int:
    """Show commit by commit who signed REV since the base, which rules apply, who approved, what is missing.

    Exit codes: 0 trusted, 1 refused, 2 error.
    """
    from reconciler.pipeline.judging import Seen
    from reconciler.pipeline.stating import explain_trust
    from reconciler.surfaces.accepted import log_state
    from reconciler.surfaces.formats import judgements
    from reconciler.surfaces.wiring import clock, wired

    with wired(settings_of(params), reporter()) as wiring:
        repository = wiring.checks().repository
        repository.fetch()
        state = log_state(wiring)
        accepted = state.accepted.commit if state and state.accepted else ""
        seen = tuple(Seen(one.commit, one.time) for one in (state.seen if state else ()))
        explained = explain_trust(
            repository, rev, against or accepted or _parent(repository, rev), at=clock(), seen=seen
        )
    if output == "json":
        print_json(judgements.as_dict(explained))
    else:
        click.echo(judgements.text(explained, paint), nl=False)
    return REFUSED if any(verdict.findings for verdict in explained.judgement.verdicts) else 0


def _parent(repository: Repository, rev: str) -> str:
    """What a commit is held against where nothing was accepted yet. Raises SettingsError, RepositoryError."""
    parents = repository.commit(repository.resolve(rev)).parents
    if not parents:
        raise SettingsError(
            "nothing came before this commit that could judge it", got=rev,
            hint="a person names the first one: `fleetward trust init`; or say --against what",
        )  # fmt: skip
    return parents[0]
