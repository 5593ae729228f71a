"""``fleetward audit check-proof``: the reader's side of ``audit prove``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.surfaces.cli.options import output_option, paint, print_json

if TYPE_CHECKING:
    from reconciler.audit.evidence import Proven
    from reconciler.audit.note import VerifierKey

EXAMPLES = """\b
Examples:
  fleetward audit check-proof entry-7.tlog-proof entry-7.json --public-key log.pub
  fleetward audit check-proof entry-7.tlog-proof entry-7.json --public-key fleetward.io/log+5c3a...+AaV4..."""
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("check-proof", epilog=EXAMPLES)
@click.argument("proof", type=_FILE)
@click.argument("entry", type=_FILE)
@click.option(
    "--public-key", required=True, metavar="VKEY|FILE",
    help="The log's public key, as `fleetward key show` prints it, or a file with one a line.",
)  # fmt: skip
@output_option("text", "json")
def check_proof_command(proof: Path, entry: Path, public_key: str, output: str) -> int:
    """Check that the bytes of ENTRY are in the log, by PROOF. Reads these files and nothing else: no log,
    no state, no settings, no network.

    Exit codes: 0 proven, 2 not proven, or an error.
    """
    from reconciler.audit.evidence import check
    from reconciler.audit.proof import MAX_PROOF
    from reconciler.audit.tiles import MAX_ENTRY
    from reconciler.surfaces.cli.audit.files import read

    proven = check(read(proof, MAX_PROOF), read(entry, MAX_ENTRY), _keys(public_key))
    if output == "json":
        print_json(_as_dict(proven))
    else:
        _print(proven)
    return 0


def _keys(given: str) -> tuple[VerifierKey, ...]:
    from reconciler.audit.note import VerifierKey
    from reconciler.surfaces import signing
    from reconciler.surfaces.cli.audit.files import read

    where, text = "--public-key", given
    if not given.lstrip().startswith(f"{signing.ORIGIN}+"):
        where, text = given, read(Path(given), signing.MAX_FILE).decode(errors="replace")
    return tuple(VerifierKey(signing.ORIGIN, key) for key in signing.parse_public_keys(text, where))


def _as_dict(proven: Proven) -> dict[str, object]:
    from reconciler.audit.entry import to_json

    head = {
        "origin": proven.checkpoint.origin,
        "size": proven.checkpoint.size,
        "root": proven.checkpoint.root.hex(),
    }
    entry = to_json(proven.entry) if proven.entry else None
    return {"proven": True, "index": proven.index, "checkpoint": head, "entry": entry}


def _print(proven: Proven) -> None:
    from reconciler.surfaces.formats.entries import line

    head = proven.checkpoint
    click.echo(
        f"{paint('proven', 'good')}: entry {proven.index} of {head.origin},"
        f" under its checkpoint of {head.size} entries, root {head.root.hex()}"
    )
    if proven.entry:
        click.echo(line(proven.index, proven.entry, paint))
    else:
        click.echo("the entry is of a kind or form that this version does not know")
