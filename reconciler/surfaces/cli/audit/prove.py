"""``fleetward audit prove``: an entry and its proof as two files."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.surfaces.cli.options import (
    fleet_options,
    output_option,
    print_json,
    reporter,
    settings_of,
)

if TYPE_CHECKING:
    from reconciler.audit.view import LogView

SUFFIX = ".tlog-proof"
EXAMPLES = """\b
Examples:
  fleetward audit prove 7
  fleetward audit prove --cluster member-a --out evidence/last-outcome.tlog-proof
  fleetward audit prove --change-set sha256:5d41..."""


@click.command("prove", epilog=EXAMPLES)
@fleet_options
@click.argument("index", type=click.IntRange(0), required=False)
@click.option("--cluster", "-c", help="Instead of INDEX: this cluster's latest outcome.")
@click.option("--change-set", metavar="DIGEST", help="Instead of INDEX: the intent of this change set.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Where to write the proof; the entry goes beside it as .json.  [default: entry-INDEX.tlog-proof]",
)  # fmt: skip
@output_option("text", "json")
def prove_command(
    index: int | None,
    cluster: str | None,
    change_set: str | None,
    out: Path | None,
    output: str,
    **params: Any,
) -> int:
    """Write the entry's exact bytes, and a C2SP tlog-proof that they are in the log under its signed
    checkpoint. Anyone can check the two files offline; the command for that is printed.

    Exit codes: 0 written, 2 error.
    """
    from reconciler.audit.evidence import gather
    from reconciler.surfaces.cli.audit.files import write
    from reconciler.surfaces.wiring import wired

    if [index, cluster, change_set].count(None) != 2:
        raise click.UsageError("Name one of INDEX, --cluster and --change-set.")
    with wired(settings_of(params), reporter()) as wiring:
        log = wiring.written_log()
        evidence = gather(log, _chosen(log, index, cluster, change_set))
    proof, entry = _paths(out, evidence.index)
    write(entry, evidence.entry)
    write(proof, evidence.proof)
    check = shlex.join(
        ["fleetward", "audit", "check-proof", str(proof), str(entry), "--public-key", str(evidence.key)]
    )
    if output == "json":
        files = {"proof": str(proof), "entry": str(entry)}
        print_json({"index": evidence.index, **files, "publicKey": str(evidence.key), "check": check})
        return 0
    click.echo(f"wrote {proof} and {entry}\nanyone checks them with:\n  {check}")
    return 0


def _chosen(log: LogView, index: int | None, cluster: str | None, change_set: str | None) -> int:
    from reconciler.audit.evidence import intent_of, latest_outcome

    if cluster is not None:
        return latest_outcome(log, cluster)
    return intent_of(log, change_set) if change_set is not None else index or 0


def _paths(out: Path | None, index: int) -> tuple[Path, Path]:
    """Of the proof and of the entry."""
    proof = out or Path(f"entry-{index}{SUFFIX}")
    return proof, proof.with_name(f"{proof.name.removesuffix(SUFFIX)}.json")
