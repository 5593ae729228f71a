"""Running the command line: our errors become a message and exit code 2, never a traceback."""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from typing import Any

import click

from reconciler.errors import FleetwardError
from reconciler.surfaces.formats.safe import safe

ERROR = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def run(command: click.Command) -> int:
    """Run with the process's arguments; returns the exit code."""
    try:
        code = command.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return ERROR
    except FleetwardError as error:
        _show(error)
        return ERROR
    except BrokenPipeError:
        # The reader (head, less) has gone: nothing to say, and nothing more to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def _show(error: FleetwardError) -> None:
    if _wants_json(sys.argv):
        import orjson

        click.echo(orjson.dumps({"error": error_dict(error)}, option=orjson.OPT_INDENT_2).decode())
        return
    click.echo(
        f"{click.style('error', fg='red')} {safe(error.code)}: {_place(error)}{safe(error.message)}", err=True
    )
    for label, value in (("expected", error.expected), ("got", error.got), ("fix", error.hint)):
        if value:
            click.echo(f"    {label}: {safe(value)}", err=True)


def _place(error: FleetwardError) -> str:
    return f"{safe(error.where)}: " if error.where else ""


def error_dict(error: FleetwardError) -> dict[str, Any]:
    """The JSON form of an error; absent facts are left out."""
    names = ("code", "message", "where", "expected", "got", "hint")
    return {name: getattr(error, name) for name in names if getattr(error, name)}


def _wants_json(arguments: list[str]) -> bool:
    pairs = pairwise(arguments)
    return any(a in ("--output", "-o") and b in ("json", "sarif") for a, b in pairs) or bool(
        {"--output=json", "--output=sarif", "-ojson"} & set(arguments)
    )
