"""``fleetward reconcile``: one run of the whole flow."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from reconciler.surfaces.cli.options import (
    fleet_options,
    is_terminal,
    output_option,
    paint,
    print_json,
    reporter,
    settings_of,
)

if TYPE_CHECKING:
    from reconciler.member.renewal import Standing
    from reconciler.pipeline.mirroring import Mirrored
    from reconciler.pipeline.reconcile import Run
    from reconciler.pipeline.run import MemberResult
    from reconciler.surfaces.wiring import Wiring

NOT_CONVERGED = 1
NOTHING_DONE = 2


@click.command("reconcile")
@fleet_options
@click.option(
    "--once", is_flag=True, help="One run, then end. This is what happens anyway; for scripts that say so."
)
@click.option("--cluster", "-c", "clusters", multiple=True, help="Only this cluster; may be repeated.")
@click.option(
    "--yes", "-y", is_flag=True, help="Do not ask before writing. Without a terminal nobody is asked."
)
@click.option("--deep", is_flag=True, help="Compare full contents, not only resource versions.")
@click.option("--allow-deletions", is_flag=True, help="Pass spec.limits.maxDeletions for this run.")
@click.option("--allow-empty", is_flag=True, help="Let a member be emptied in this run.")
@output_option("text", "json")
def reconcile_command(
    once: bool,  # noqa: ARG001
    clusters: tuple[str, ...],
    yes: bool,
    deep: bool,
    allow_deletions: bool,
    allow_empty: bool,
    output: str,
    **params: Any,
) -> int:
    """Fetch, verify, check, and bring every member to its desired state; repair drift and prune.

    Exit codes: 0 all converged, 1 some member is not, 2 nothing was begun, or the log failed on the way.
    """
    from reconciler.pipeline.accepting import RefusedError
    from reconciler.pipeline.reconcile import reconcile
    from reconciler.plan import Allowances
    from reconciler.surfaces.wiring import wired

    with wired(settings_of(params), reporter()) as wiring:
        if not yes and is_terminal() and not _confirmed(wiring, clusters):
            click.echo("nothing was done", err=True)
            return NOTHING_DONE
        allow = Allowances(empty=allow_empty, deletions=allow_deletions)
        checks, members, writes = wiring.checks(), wiring.members(), wiring.writes()
        try:
            run = asyncio.run(reconcile(checks, members, writes, clusters=clusters, deep=deep, allow=allow))
        except RefusedError as error:
            _show_findings(error)
            raise
    _print(run, output)
    return 0 if run.converged else NOT_CONVERGED


def _confirmed(wiring: Wiring, clusters: tuple[str, ...]) -> bool:
    """Show the plan of the commit that would be applied, and ask."""
    from reconciler.pipeline.check import prepare
    from reconciler.pipeline.membership.standing import kicked_of
    from reconciler.pipeline.propose import propose_live
    from reconciler.surfaces.formats import plans

    checks = wiring.checks()
    checks.repository.fetch()
    state = wiring.log_view().state()
    if state.accepted is None:
        return True  # the run itself says so, as it says what is wrong with a commit
    commit = checks.repository.resolve(state.ref)
    accepted = checks.repository.snapshot(state.accepted.commit)
    prepared = prepare(checks, checks.repository.snapshot(commit), accepted=accepted)
    if not prepared.ok:
        return True
    kicked = kicked_of(state, prepared.read_fleet, checks.repository.blobs)
    looking = propose_live(prepared, wiring.members(), clusters, left_alone=kicked.keys())
    proposals = asyncio.run(looking)
    made = [proposal.plan for proposal in proposals if proposal.plan]
    click.echo(plans.text(made, paint), nl=False)
    if not any(plan.changes for plan in made):
        return True
    return click.confirm(f"Apply commit {commit[:12]}?", err=True)


def _show_findings(error: Any) -> None:
    from reconciler.surfaces.formats import findings

    click.echo(findings.text(error.findings, paint), err=True, nl=False)


def _print(run: Run, output: str) -> None:
    if output == "json":
        print_json(_as_dict(run))
        return
    from reconciler.surfaces.formats import witnesses
    from reconciler.surfaces.formats.words import counted

    verb = "accepted" if run.accepted_now else "unchanged"
    verified = counted(len(run.checked.signers), "new commit")
    click.echo(f"commit {run.commit[:12]} {verb}, {verified} verified")
    for member in run.members:
        click.echo(_line(member), nl=False)
    if run.profiles:
        click.echo(_profiles(run.profiles), nl=False)
    if run.witnesses:
        click.echo(witnesses.text(run.witnesses, paint), nl=False)


def _line(member: MemberResult) -> str:
    from reconciler.surfaces.formats import findings
    from reconciler.surfaces.formats.plans import summary
    from reconciler.surfaces.formats.safe import safe

    state = paint(member.state.value, "good" if member.good else "error")
    facts = [summary(member.plan)] if member.plan else []
    if member.plan and member.plan.drift:
        facts.append(f"{len(member.plan.drift)} drifted")
    lines = [f"{paint(safe(member.cluster), 'heading')}: {state}{': ' if facts else ''}{', '.join(facts)}\n"]
    if member.error:
        lines.append(f"    {safe(member.error)}\n")
    lines += [f"    {paint('warning', 'warning')}: {said}\n" for said in _warnings(member)]
    lines += [f"    {safe(str(o.ref))}: {safe(o.error)}\n" for o in member.outcomes if o.error]
    lines += [
        f"    {safe(str(ref))}: {h.state.value}: {safe(h.message)}\n" for ref, h in member.health.items()
    ]
    return "".join(lines) + findings.text(member.findings, paint)


def _profiles(mirrored: Mirrored) -> str:
    from reconciler.surfaces.formats.safe import safe
    from reconciler.surfaces.formats.words import counted

    lines = [f"{counted(mirrored.profiles, 'ClusterProfile')}: {mirrored.written} statuses written"]
    lines += [f"    {paint('warning', 'warning')}: {safe(error)}" for error in mirrored.errors]
    return "".join(f"{line}\n" for line in lines)


def _profiles_dict(mirrored: Mirrored) -> dict[str, Any]:
    return {"profiles": mirrored.profiles, "written": mirrored.written, "errors": list(mirrored.errors)}


def _warnings(member: MemberResult) -> list[str]:
    from reconciler.surfaces.formats.credentials import warnings
    from reconciler.surfaces.wiring import clock

    own, viewer = member.credential, member.viewer
    return warnings((own.expires, own.error), (viewer.expires, viewer.error), clock())


def _standing(standing: Standing) -> dict[str, Any]:
    return {"expires": standing.expires, "renewed": standing.renewed, "error": standing.error}


def _as_dict(run: Run) -> dict[str, Any]:
    from reconciler.surfaces.formats import witnesses

    return {
        "commit": run.commit,
        "accepted": run.accepted_now,
        "converged": run.converged,
        "members": [_member_dict(member) for member in run.members],
        "clusterProfiles": _profiles_dict(run.profiles) if run.profiles else None,
        "witnesses": witnesses.as_dict(run.witnesses) if run.witnesses else None,
    }


def _member_dict(member: MemberResult) -> dict[str, Any]:
    from reconciler.surfaces.formats import findings

    return {
        "cluster": member.cluster,
        "state": member.state.value,
        "counts": member.plan.counts if member.plan else None,
        "drift": len(member.plan.drift) if member.plan else 0,
        "requests": member.requests,
        "error": member.error,
        "findings": [findings.as_dict(finding) for finding in member.findings],
        "notReady": [
            {"object": str(ref), "state": health.state.value, "message": health.message}
            for ref, health in member.health.items()
        ],
        "credential": _standing(member.credential),
        "viewerCredential": _standing(member.viewer),
        "failures": [{"object": str(o.ref), "error": o.error} for o in member.outcomes if o.error],
    }
