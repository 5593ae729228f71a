"""Plans as text, JSON and Markdown.

The text reads like a diff: ``+`` create, ``~`` update, ``-`` delete, ``!`` cannot be done. Markdown is for
one comment on a pull request, whose size a forge bounds: it is cut at a whole member, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from reconciler.plan import Action, Change, FieldChange, Plan
from reconciler.surfaces.formats.findings import Paint, plain
from reconciler.surfaces.formats.safe import safe

SIGNS = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.DELETE: "-",
    Action.RELEASE: "=",
    Action.CONFLICT: "!",
    Action.REFUSED: "!",
}
VALUE_LIMIT = 120  # characters of one value
FIELD_LIMIT = 40  # fields of one object
COMMENT_LIMIT = 60_000  # characters; forges refuse comments over 65,536


def as_dict(plan: Plan) -> dict[str, Any]:
    """The JSON form of one member's plan."""
    return {
        "cluster": plan.cluster,
        "desired": plan.desired_digest,
        "counts": plan.counts,
        "changes": [_change_dict(change) for change in plan.changes],
    }


def _change_dict(change: Change) -> dict[str, Any]:
    ref = change.ref
    facts: dict[str, Any] = {
        "action": change.action.value,
        "object": {"group": ref.group, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name},
        "reason": change.reason,
        "drift": change.drift,
        "before": change.before,
        "after": change.after,
        "fields": [{"path": f.path, "before": f.before, "after": f.after} for f in change.fields],
    }
    if change.source:
        facts["source"] = str(change.source)
    return facts | ({"detail": change.detail} if change.detail else {})


def summary(plan: Plan) -> str:
    """ "2 to create, 1 to update, 0 to delete, 12 unchanged" and what is blocked."""
    counts = plan.counts
    line = (
        f"{counts['create']} to create, {counts['update']} to update, "
        f"{counts['delete']} to delete, {counts['keep']} unchanged"
    )
    blocked = len(plan.blocked)
    return f"{line}, {blocked} blocked" if blocked else line


def text(plans: Sequence[Plan], paint: Paint = plain) -> str:
    """All members' plans, each with its changes and their fields."""
    return "".join(_plan_text(plan, paint) for plan in plans)


def _plan_text(plan: Plan, paint: Paint) -> str:
    lines = [f"{paint(safe(plan.cluster), 'heading')}: {summary(plan)}"]
    for change in plan.changes:
        sign = paint(f"{SIGNS[change.action]} {safe(str(change.ref))}", change.action.value)
        source = f"  {safe(str(change.source))}" if change.source else ""
        lines.append(f"  {sign}  ({safe(change.reason)}){source}")
        if change.detail:
            lines.append(f"      {safe(change.detail)}")
        if change.action is Action.UPDATE:
            lines.extend(f"      {line}" for line in _fields(change.fields))
    return "\n".join(lines) + "\n"


def _fields(fields: Sequence[FieldChange]) -> list[str]:
    lines = [_field(field) for field in fields[:FIELD_LIMIT]]
    hidden = len(fields) - len(lines)
    return [*lines, f"... and {hidden} more fields"] if hidden > 0 else lines


def _field(field: FieldChange) -> str:
    path = safe(field.path)
    if field.before is None:
        return f"+ {path}: {_value(field.after)}"
    if field.after is None:
        return f"- {path}: {_value(field.before)}"
    return f"~ {path}: {_value(field.before)} -> {_value(field.after)}"


def _value(value: Any) -> str:
    shown = safe(orjson.dumps(value).decode())
    return shown if len(shown) <= VALUE_LIMIT else shown[:VALUE_LIMIT] + "..."


def markdown(plans: Sequence[Plan], *, base: str, head: str) -> str:
    """One comment: a table of members, then each member's changes, folded."""
    changed = [plan for plan in plans if plan.changes]
    lines = ["<!-- fleetward:plan -->", f"### fleetward plan `{base[:12]}` → `{head[:12]}`", ""]
    if not changed:
        return "\n".join([*lines, f"No changes on any of {len(plans)} clusters.", ""])
    lines += ["| cluster | create | update | delete | unchanged |", "|---|--:|--:|--:|--:|"]
    for plan in plans:
        counts = plan.counts
        row = (counts["create"], counts["update"], counts["delete"], counts["keep"])
        lines.append(f"| {_cell(plan.cluster)} | {' | '.join(map(str, row))} |")
    body = "\n".join(lines) + "\n"
    for position, plan in enumerate(changed):
        section = _details(plan)
        if len(body) + len(section) > COMMENT_LIMIT:
            left = len(changed) - position
            return f"{body}\n{left} more clusters change; `fleetward plan` shows them in full.\n"
        body += section
    return body


def _details(plan: Plan) -> str:
    # The fence is longer than any run of backticks inside, so that no content can end it.
    content = _plan_text(plan, plain)
    fence = "`" * max(3, 1 + max((len(run) for run in _backticks(content)), default=0))
    title = f"<details><summary>{_cell(plan.cluster)}: {summary(plan)}</summary>"
    return f"\n{title}\n\n{fence}diff\n{_as_diff(content)}{fence}\n\n</details>\n"


def _backticks(content: str) -> list[str]:
    import re

    return re.findall(r"`+", content)


def _as_diff(content: str) -> str:
    # Forges colour a line by its first character.
    lines = []
    for line in content.splitlines()[1:]:
        bare = line.lstrip()
        signed = bare[:2] in ("+ ", "- ", "! ", "~ ")
        mark = bare[0].replace("~", "!") if signed else " "
        lines.append(mark + " " * (len(line) - len(bare) - 1) + (bare[2:] if signed else bare))
    return "\n".join(lines) + "\n"


def _cell(value: str) -> str:
    escaped = safe(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("|", "\\|").replace("`", "\\`")
