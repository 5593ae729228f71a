"""What the commands of this group share: NAME and its completion, options, what a change prints."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from reconciler.errors import FleetwardError
from reconciler.surfaces.cli.options import output_option, paint, print_json, reporter

if TYPE_CHECKING:
    from reconciler.model import Snapshot
    from reconciler.repository import Repository
    from reconciler.surfaces.cluster_files import Proposed
    from reconciler.surfaces.yaml_edit import Edit

FINDINGS = 1
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}", re.ASCII)


def complete_name(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of the files in clusters/ of the work tree. Reads no file."""
    repo = ctx.params.get("repo") or os.environ.get("FLEETWARD_REPO") or "."
    names = sorted(path.stem for path in Path(str(repo)).glob("clusters/*.yaml"))
    return [CompletionItem(name) for name in names if name.startswith(incomplete) and _NAME.fullmatch(name)]


def name_argument(command: Any) -> Any:
    """``NAME``, completed."""
    return click.argument("name", shell_complete=complete_name)(command)


def edit_options(command: Any) -> Any:
    """What every command has that writes."""
    repo = click.option(
        "--repo", "-r", metavar="PATH", help="Work tree of the fleet.  [env: FLEETWARD_REPO; default: .]"
    )
    return repo(output_option("text", "json")(command))


def snapshot_of(repository: Repository, rev: str, worktree: bool) -> Snapshot:
    """The files of a commit, or of the work tree."""
    repository.fetch()
    return repository.worktree() if worktree else repository.snapshot(repository.resolve(rev))


def warn_of_log(error: FleetwardError) -> None:
    """A log that is here and cannot be read is no reason to show nothing."""
    from reconciler.surfaces.formats.safe import safe

    click.echo(f"{paint('warning', 'warning')}: the log is not shown: {safe(str(error))}", err=True)


def proposed(repo: str | None, name: str, edit: Edit | None) -> Proposed:
    """A change of the work tree, judged and not yet written."""
    from reconciler.surfaces.cluster_files import propose
    from reconciler.surfaces.settings import resolve
    from reconciler.surfaces.wiring import wired

    flags = {"repo": repo, "state": None, "cache": None, "credentials": None, "log": None}
    with wired(resolve(flags), reporter()) as wiring:
        return propose(wiring, name, edit)


def finish(change: Proposed, output: str, subject: str, notes: tuple[str, ...] = ()) -> int:
    """Write the change unless it has findings; print what was done and what comes next."""
    refused = bool(change.findings)
    if change.changes and not refused:
        change.write()
    if output == "json":
        _print_json(change, subject)
    elif refused:
        _print_findings(change)
    elif change.changes:
        _print_change(change, subject, notes)
    else:
        click.echo(f"nothing to change: {change.path} says so already")
    return FINDINGS if refused else 0


def _print_json(change: Proposed, subject: str) -> None:
    print_json(facts_of(change, subject))


def facts_of(change: Proposed, subject: str) -> dict[str, Any]:
    """A change, and whether it was written, as JSON values."""
    from reconciler.surfaces.formats import findings, registrations

    facts: dict[str, Any] = {
        "cluster": change.name,
        "path": change.path,
        "written": change.changes and not change.findings,
        "diff": registrations.diff(change.path, change.old, change.new),
        "findings": [findings.as_dict(one) for one in findings.sort_findings(change.findings)],
    }
    return facts | {"next": _next(change, subject) if facts["written"] else []}


def _print_findings(change: Proposed) -> None:
    from reconciler.surfaces.formats import findings

    click.echo(findings.text(change.findings, paint), nl=False, err=True)
    click.echo(f"nothing was written: {change.path} is as it was", err=True)


def _print_change(change: Proposed, subject: str, notes: tuple[str, ...]) -> None:
    from reconciler.surfaces.formats.registrations import diff

    click.echo(diff(change.path, change.old, change.new, paint), nl=False)
    click.echo(f"{'wrote' if change.new is not None else 'deleted'} {change.file}")
    for note in notes:
        click.echo(note)
    check, *git = _next(change, subject)
    click.echo(f"Next: {check}; then sign, push and have it reviewed:")
    for line in git:
        click.echo(f"    {line}")


def _next(change: Proposed, subject: str) -> list[str]:
    """Commands that can be pasted where this one was called."""
    top = change.file.parents[1]
    here = top == Path.cwd()
    repo, folder = ("", "") if here else (f" --repo {shlex.quote(str(top))}", f" -C {shlex.quote(str(top))}")
    commit = f'git{folder} commit -S -m "{subject} {change.name}" {change.path}'
    add = [f"git{folder} add {change.path}"] if change.fresh else []
    return [f"fleetward check --worktree{repo}", *add, commit]
