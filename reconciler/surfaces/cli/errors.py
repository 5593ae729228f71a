"""How an error of ours is shown: code, place, message; then expected, got and what to do."""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import Any

import click

from reconciler.errors import FleetwardError
from reconciler.surfaces.formats.safe import safe


def show(error: FleetwardError) -> None:
    """On stderr as text, or on stdout as JSON where the command was asked for JSON."""
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
