"""What ``trust explain`` shows: for each commit who signed, what it changes, who agreed, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from reconciler.surfaces.formats import findings
from reconciler.surfaces.formats.safe import safe
from reconciler.surfaces.formats.words import counted

if TYPE_CHECKING:
    from reconciler.pipeline.stating import Explained
    from reconciler.repository import Commit
    from reconciler.trust import CommitVerdict, VerifiedSigner
    from reconciler.trust.verdicts import RuleVerdict

SHOWN_PATHS = 5


def text(explained: Explained, paint: findings.Paint = findings.plain) -> str:
    """The explanation, commits in the order of their history."""
    return "\n".join(_lines(explained, paint)) + "\n"


def as_dict(explained: Explained) -> dict[str, Any]:
    """The JSON form."""
    return {
        "base": explained.base,
        "rootVersion": explained.federation.root.version,
        "ok": not any(verdict.findings for verdict in explained.judgement.verdicts),
        "commits": [_commit(verdict) for verdict in explained.judgement.verdicts],
        "notes": [findings.as_dict(note) for note in explained.judgement.notes],
    }


def _commit(verdict: CommitVerdict) -> dict[str, Any]:
    return {
        "commit": verdict.commit,
        "firstSeen": verdict.first_seen.isoformat(),
        "rootVersion": verdict.root_version,
        "signer": _signer(verdict.signer) if verdict.signer else None,
        "paths": list(verdict.paths),
        "rules": [_rule(rule) for rule in verdict.rules],
        "approvals": [{**_signer(one.signer), "tag": one.statement} for one in verdict.approvers],
        "findings": [findings.as_dict(finding) for finding in verdict.findings],
    }


def _signer(signer: VerifiedSigner) -> dict[str, str]:
    facts = {"name": signer.name, "method": signer.method.value, "fingerprint": signer.fingerprint}
    return facts | ({"authority": signer.authority} if signer.authority else {})


def _rule(verdict: RuleVerdict) -> dict[str, Any]:
    return {
        "paths": list(verdict.rule.paths),
        "needs": [str(need) for need in verdict.rule.needs],
        "counted": list(verdict.people),
        "missing": [str(need) for need in verdict.lacking],
    }


def _lines(explained: Explained, paint: findings.Paint) -> Iterator[str]:
    version = explained.federation.root.version
    commits = counted(len(explained.commits), "commit")
    yield f"{commits} since {explained.base[:12]}, trust root version {version}"
    by_id = {commit.id: commit for commit in explained.commits}
    for verdict in explained.judgement.verdicts:
        yield ""
        yield from _explain(verdict, by_id[verdict.commit], paint)
    for note in explained.judgement.notes:
        yield ""
        yield findings.text((note,), paint).rstrip("\n")


def _explain(verdict: CommitVerdict, commit: Commit, paint: findings.Paint) -> Iterator[str]:
    yield f"{paint(verdict.commit[:12], 'heading')} {safe(commit.subject)}"
    yield f"  signed by   {_named(verdict.signer) if verdict.signer else 'nobody who is trusted'}"
    if verdict.paths:
        more = len(verdict.paths) - SHOWN_PATHS
        shown = [*verdict.paths[:SHOWN_PATHS], *([f"{more} more"] if more > 0 else [])]
        yield f"  changes     {safe(', '.join(shown))}"
    for rule in verdict.rules:
        needs = " and ".join(map(str, rule.rule.needs))
        people = safe(", ".join(rule.people)) or "nobody"
        yield f"  rule        {' '.join(rule.rule.paths)} needs {needs}; counted: {people}"
    for one in verdict.approvers:
        yield f"  approved by {_named(one.signer)}, tag {one.statement[:12]}"
    if not verdict.findings:
        yield f"  verdict     {paint('good', 'good')}, first seen {verdict.first_seen:%Y-%m-%dT%H:%M:%SZ}"
    for finding in verdict.findings:
        yield f"  verdict     {paint('refused', 'error')} {finding.code}: {safe(finding.message)}"
        if finding.got:
            yield f"              got {safe(finding.got)}" + (
                f", expected {safe(finding.expected)}" if finding.expected else ""
            )
        yield f"              {paint('fix:', 'hint')} {safe(finding.hint)}"


def _named(signer: VerifiedSigner) -> str:
    by = f", certified by {safe(signer.authority)}" if signer.authority else ""
    return f"{safe(signer.name)}, {signer.method.value} {safe(signer.fingerprint)}{by}"
