"""``fleetward audit verify``: is the log what was signed, and does it go on from what was seen?"""

from __future__ import annotations

from pathlib import Path
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
    from reconciler.audit.verify import VerifyReport
    from reconciler.audit.view import LogView
    from reconciler.audit.witnessed import WitnessReport

DAMAGED = 1
EXAMPLES = """\b
Examples:
  fleetward audit verify
  fleetward audit verify --save last.checkpoint
  fleetward audit verify --checkpoint last.checkpoint --save last.checkpoint"""
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("verify", epilog=EXAMPLES)
@fleet_options
@click.option(
    "--checkpoint", type=_FILE, metavar="FILE",
    help="Verify that the log goes on from this remembered checkpoint, and only what came after it.",
)  # fmt: skip
@click.option("--save", type=_FILE, metavar="FILE", help="Remember the present checkpoint, if all is well.")
@click.option(
    "--witness",
    "witnesses",
    multiple=True,
    metavar="VKEY",
    help="Verifier key of a witness; may be repeated.",
)
@click.option("--quorum", type=click.IntRange(0), help="How many must have cosigned.  [default: all]")
@output_option("text", "json")
def verify_command(
    checkpoint: Path | None,
    save: Path | None,
    witnesses: tuple[str, ...],
    quorum: int | None,
    output: str,
    **params: Any,
) -> int:
    """Recompute the whole tree: checkpoint signature, tiles, entries, bodies. With --checkpoint: the old
    checkpoint's signature, the consistency of old and new tree, and the entries since. With --witness: who
    cosigned the checkpoint. Shows all findings.

    Exit codes: 0 whole, 1 findings, 2 error (also a log that was forked, FW1811, or cut, FW1810).
    """
    from reconciler.audit.note import MAX_NOTE
    from reconciler.audit.since import verify_since, written
    from reconciler.surfaces.cli.audit.files import read, write
    from reconciler.surfaces.wiring import wired

    remembered = read(checkpoint, MAX_NOTE) if checkpoint else None
    with wired(settings_of(params), reporter()) as wiring:
        log = wiring.written_log()
        report = log.verify() if remembered is None else verify_since(log, remembered)
        if save and report.ok:
            write(save, written(log))
        seen = _witnessed(log, witnesses, quorum)
    if output == "json":
        _print_json(report, seen)
    else:
        _print(report, remembered is not None, seen)
    return 0 if report.ok and (seen is None or seen.satisfied) else DAMAGED


def _witnessed(log: LogView, keys: tuple[str, ...], quorum: int | None) -> WitnessReport | None:
    """Who cosigned, of the witnesses that were named. Raises WitnessPolicyError, CosignatureError."""
    if not keys:
        return None
    from reconciler.audit.witness_policy import WitnessPolicy
    from reconciler.audit.witnessed import witnessed
    from reconciler.surfaces.wiring import clock

    policy = WitnessPolicy.of(((key, "") for key in keys), len(keys) if quorum is None else quorum)
    return witnessed(log.checkpoint, policy, clock())


def _print_json(report: VerifyReport, seen: WitnessReport | None) -> None:
    from reconciler.surfaces.formats import findings
    from reconciler.surfaces.formats import witnesses as format_witnesses

    complete = report.completeness
    print_json(
        {
            "ok": report.ok,
            "size": report.size,
            "root": report.root.hex(),
            "start": report.start,
            "entries": report.entries,
            "bodies": report.bodies,
            "completeness": {
                "writes": complete.writes,
                "complete": complete.complete,
                "share": complete.share,
            },
            "witnesses": format_witnesses.as_dict(seen) if seen else None,
            "findings": [findings.as_dict(finding) for finding in report.findings],
        }
    )


def _print(report: VerifyReport, since_then: bool, seen: WitnessReport | None) -> None:
    from reconciler.surfaces.formats import findings
    from reconciler.surfaces.formats import witnesses as format_witnesses

    click.echo(findings.text(report.findings, paint), nl=False)
    verdict = paint("verified", "good") if report.ok else paint("damaged", "error")
    since = (
        f" after the {report.start} remembered ones, with which the log is consistent" if since_then else ""
    )
    click.echo(
        f"{verdict}: {report.entries} entries{since}, {report.bodies} bodies, root {report.root.hex()}"
    )
    click.echo(f"complete: {report.completeness} have intent, outcome and Audit-ID")
    if seen:
        click.echo(format_witnesses.text(seen, paint), nl=False)
