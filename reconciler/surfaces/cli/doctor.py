"""``fleetward doctor``: what is wrong, what was expected, what to do."""

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
    from collections.abc import Callable
    from datetime import timedelta

    from reconciler.pipeline.examining_fleet import Examined

FAILED = 1


def _duration(_ctx: click.Context, _param: click.Parameter, value: str) -> timedelta:
    """A duration as federation.yaml has them: "30s", "1h30m"."""
    from reconciler.documents.durations import parse_duration

    try:
        return parse_duration(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a duration such as 30s, 5m or 720h") from None


def _bound(flag: str, default: str, text: str) -> Callable[[Any], Any]:
    return click.option(
        flag, metavar="DURATION", callback=_duration, default=default, show_default=True, help=text
    )


@click.command("doctor")
@fleet_options
@click.option("--cluster", "-c", "clusters", multiple=True, help="Only this cluster; may be repeated.")
@click.option("--rev", default="", help="Members as this commit registers them, not the accepted one.")
@_bound("--timeout", "30s", "For each member.")
@_bound("--clock-skew", "30s", "How far clocks may differ.")
@_bound("--expiring", "720h", "Warn of what ends sooner, if less than a fifth of its life is left.")
@click.option("--verbose", "-v", is_flag=True, help="Show every check, not only what is wrong.")
@output_option("text", "json")
def doctor_command(
    clusters: tuple[str, ...], rev: str, timeout: timedelta, clock_skew: timedelta, expiring: timedelta,
    verbose: bool, output: str, **params: Any,
) -> int:  # fmt: skip
    """Examine this host, the log and every member: names, TLS, clocks, versions, rights, guard, record.

    Reads only. Says of each check what was expected, what was found and what to do; docs/doctor.md has all.

    Exit codes: 0 nothing failed (there may be warnings), 1 something failed, 2 error.
    """
    from contextlib import ExitStack

    from reconciler.member.diagnosis.results import Bounds
    from reconciler.pipeline.examining_fleet import examine_fleet
    from reconciler.surfaces.examining import ExaminingWiring

    with ExitStack() as stack:
        wiring = ExaminingWiring(settings_of(params), reporter(), stack)
        bounds = Bounds(timeout, clock_skew, expiring)
        work = examine_fleet(wiring.hosts(), wiring.examines(), bounds, rev=rev, clusters=clusters)
        examined = asyncio.run(work)
    _print(examined, output, verbose=verbose)
    return 0 if examined.ok else FAILED


def _print(examined: Examined, output: str, *, verbose: bool) -> None:
    from reconciler.surfaces.formats import examinations

    if output == "json":
        print_json(examinations.as_dict(examined))
    else:
        click.echo(examinations.text(examined, paint, verbose=verbose), nl=False)
