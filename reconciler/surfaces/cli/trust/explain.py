"""``fleetward trust explain``: why a range of commits is trusted, or what it lacks."""

from __future__ import annotations

from typing import Any

import click

from reconciler.surfaces.cli.options import (
    fleet_options,
    output_option,
    paint,
    print_json,
    reporter,
    settings_of,
)

REFUSED = 1


@click.command("explain")
@fleet_options
@click.argument("rev", default="HEAD")
@click.option("--against", metavar="REV", help="Base whose trust root judges.  [default: last accepted]")
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
        accepted = state.accepted.commit if state and state.accepted else f"{rev}~1"
        seen = tuple(Seen(one.commit, one.time) for one in (state.seen if state else ()))
        explained = explain_trust(repository, rev, against or accepted, at=clock(), seen=seen)
    if output == "json":
        print_json(judgements.as_dict(explained))
    else:
        click.echo(judgements.text(explained, paint), nl=False)
    return REFUSED if any(verdict.findings for verdict in explained.judgement.verdicts) else 0
