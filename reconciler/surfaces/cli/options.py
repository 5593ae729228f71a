"""Options that several commands share, and what they have in common when they print."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click
import orjson

from reconciler.surfaces.settings import Settings, resolve

STYLES: dict[str, dict[str, Any]] = {
    "error": {"fg": "red", "bold": True},
    "warning": {"fg": "yellow", "bold": True},
    "place": {"bold": True},
    "heading": {"bold": True},
    "hint": {"fg": "cyan"},
    "good": {"fg": "green"},
    "create": {"fg": "green"},
    "update": {"fg": "yellow"},
    "delete": {"fg": "red"},
    "release": {"fg": "yellow"},
    "conflict": {"fg": "magenta", "bold": True},
    "refused": {"fg": "magenta", "bold": True},
    "dim": {"dim": True},
}


# What `reconciler.surfaces.membership.administrator_of` does without --kubeconfig.
KUBECONFIG_DEFAULT = "[default: the first of KUBECONFIG that is there, or ~/.kube/config]"


def paint(text: str, style: str) -> str:
    """Colour for a terminal; ``click.echo`` takes it off again for a pipe."""
    return click.style(text, **STYLES.get(style, {}))


def print_json(value: Any) -> None:
    """Indented JSON on stdout."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode())


def progress(line: str) -> None:
    """One line about what is going on, on stderr."""
    click.echo(click.style(line, dim=True), err=True)


def quiet(line: str) -> None:
    """Progress that nobody asked for."""


def reporter() -> Callable[[str], None]:
    """Progress for people at a terminal and for CI logs; ``--quiet`` silences it."""
    context = click.get_current_context()
    return quiet if context.params.get("quiet") else progress


def output_option(*formats: str) -> Callable[[Any], Any]:
    """``--output``; the first format is the default."""
    return click.option(
        "--output", "-o", type=click.Choice(formats), default=formats[0], show_default=True, help="Format."
    )


def fleet_options(command: Any) -> Any:
    """``--repo`` and where state, cache, log and credentials are; the command gets ``settings``."""
    options = [
        click.option(
            "--repo", "-r", metavar="PATH|URL", help="Fleet repository.  [env: FLEETWARD_REPO; default: .]"
        ),
        click.option("--state", metavar="DIR", help="State folder.  [env: FLEETWARD_STATE]"),
        click.option("--cache", metavar="DIR", help="Cache folder.  [env: FLEETWARD_CACHE]"),
        click.option(
            "--credentials", metavar="DIR", help="Credentials folder.  [env: FLEETWARD_CREDENTIALS]"
        ),
        click.option(
            "--log",
            metavar="git|s3://BUCKET/PREFIX|DIR",
            help="Where the log is.  [env: FLEETWARD_LOG; default: STATE/log]",
        ),
        click.option("--quiet", "-q", is_flag=True, help="No progress on stderr."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def settings_of(params: dict[str, Any]) -> Settings:
    """Takes the shared options out of a command's parameters."""
    params.pop("quiet", None)
    return resolve({name: params.pop(name) for name in ("repo", "state", "cache", "credentials", "log")})


def is_terminal() -> bool:
    """Whether a person sits at stdin and stdout."""
    return sys.stdin.isatty() and sys.stdout.isatty()
