"""``fleetward check``: everything that needs no cluster."""

from __future__ import annotations

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
    from reconciler.pipeline.check import Checked

FINDINGS = 1


@click.command("check")
@fleet_options
@click.option("--rev", default="HEAD", show_default=True, help="Commit to check.")
@click.option(
    "--against", metavar="REV", help="Base whose signers, schemas and gate judge.  [default: last accepted]"
)
@click.option("--worktree", is_flag=True, help="Check the files as they are on disk, for editing.")
@output_option("text", "json", "sarif", "junit", "github")
def check_command(rev: str, against: str | None, worktree: bool, output: str, **params: Any) -> int:
    """Check a commit: signatures, schemas, references, compile, tests of the gate, gate.

    Exit codes: 0 clean (warnings are shown), 1 findings, 2 error.
    """
    from reconciler.pipeline.check import check, check_worktree
    from reconciler.surfaces.accepted import last_accepted
    from reconciler.surfaces.wiring import wired

    report = reporter()
    with wired(settings_of(params), report) as wiring:
        ports = wiring.checks()
        ports.repository.fetch()
        if worktree:
            checked = check_worktree(ports)
        else:
            checked = check(ports, rev=rev, base=against or last_accepted(wiring))
    _print(checked, output)
    return 0 if checked.ok else FINDINGS


def _print(checked: Checked, output: str) -> None:
    from reconciler import __version__
    from reconciler.surfaces.formats import findings

    if output == "sarif":
        print_json(findings.sarif(checked.findings, __version__))
    elif output == "junit":
        click.echo(findings.junit(checked.findings, checked.documents), nl=False)
    elif output == "github":
        click.echo(findings.github(checked.findings), nl=False)
    elif output == "json":
        print_json(_as_dict(checked))
    else:
        click.echo(findings.text(checked.findings, paint) + _summary(checked))


def _as_dict(checked: Checked) -> dict[str, Any]:
    from reconciler.surfaces.formats import findings

    return {
        "commit": checked.commit,
        "base": checked.base,
        "ok": checked.ok,
        "documents": checked.documents,
        "objects": checked.objects,
        "rules": checked.rules,
        "signers": dict(checked.signers),
        "findings": [findings.as_dict(finding) for finding in findings.sort_findings(checked.findings)],
    }


def _summary(checked: Checked) -> str:
    from reconciler.surfaces.formats.words import counted

    errors = len(checked.errors)
    warnings = len(checked.findings) - errors
    verdict = paint("clean", "good") if checked.ok else paint(counted(errors, "error"), "error")
    numbers = ((checked.documents, "document"), (checked.objects, "object"), (checked.rules, "rule"))
    facts = [counted(number, noun) for number, noun in numbers]
    if checked.signers:
        facts.append(f"{counted(len(checked.signers), 'commit')} verified")
    if warnings:
        facts.append(counted(warnings, "warning"))
    return f"{checked.commit[:12] or 'work tree'}: {verdict} ({', '.join(facts)})"
