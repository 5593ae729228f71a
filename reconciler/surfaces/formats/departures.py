"""What ``fleetward leave`` and ``fleetward kick`` show: what is about to be done, and what was.

Names come from clusters: all of them are escaped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.member.leaving import Inventory
from reconciler.model import ObjectRef
from reconciler.pipeline.membership.emptying import Outlook
from reconciler.pipeline.membership.kicking import Done
from reconciler.pipeline.membership.leaving import Left
from reconciler.plan import Action
from reconciler.surfaces.formats.findings import Paint, plain
from reconciler.surfaces.formats.safe import safe
from reconciler.surfaces.formats.words import counted


def inventory_text(found: Inventory, *, keep: bool, names: bool = False) -> str:
    """What will be removed, by kind; with ``names`` every object."""
    parts = [
        ("guard, to delete", found.guard),
        (f"federated, to {'release' if keep else 'delete'}", found.objects),
        ("record, to delete", found.records),
        ("accounts and roles, to delete", found.prepared),
    ]
    lines = [line for title, refs in parts for line in _part(title, refs, names=names)]
    return "\n".join([*lines, *_kept(found.occupied), *_strays(found.strays)]) + "\n"


def _part(title: str, refs: Iterable[ObjectRef], *, names: bool) -> list[str]:
    found = list(refs)
    if not found:
        return []
    lines = [f"{title}: {_kinds(found)}"]
    return [*lines, *(f"  {safe(str(ref))}" for ref in found)] if names else lines


def _kinds(refs: Iterable[ObjectRef]) -> str:
    counts = Counter(ref.kind for ref in refs)
    return ", ".join(f"{count} {safe(kind)}" for kind, count in sorted(counts.items()))


def _kept(occupied: Mapping[str, str]) -> list[str]:
    return [
        f"namespace {safe(name)} stays, it holds what is not the fleet's: {safe(what)}"
        for name, what in sorted(occupied.items())
    ]


def _strays(refs: tuple[ObjectRef, ...]) -> list[str]:
    if not refs:
        return []
    return [f"left alone, with our label and without our mark: {_kinds(refs)}"]


def left_text(done: Left, *, names: bool = False) -> str:
    """What a cluster's own departure came to."""
    if not done.found:
        return "nothing of a fleet is on this cluster\n"
    found = done.found
    verb = "released" if done.kept else "deleted"
    lines = [f"{verb}: {counted(len(found.objects), 'federated object')}"]
    lines += [f"  {safe(str(ref))}" for ref in found.objects] if names else []
    lines += [f"deleted: guard, record, accounts and roles ({len(found.prepared)} objects)"]
    lines += [*_kept(found.occupied), *_strays(found.strays)]
    lines += ["next, on the primary, if there still is one: fleetward kick NAME --gone"]
    return "\n".join(lines) + "\n"


def left_dict(done: Left) -> dict[str, Any]:
    """The JSON form."""
    found = done.found
    return {
        "keptObjects": done.kept,
        "guard": [str(ref) for ref in found.guard],
        "objects": [str(ref) for ref in found.objects],
        "record": [str(ref) for ref in found.records],
        "bootstrap": [str(ref) for ref in found.prepared],
        "keptNamespaces": dict(found.occupied),
        "leftAlone": [str(ref) for ref in found.strays],
    }


def outlook_text(outlook: Outlook, paint: Paint = plain) -> str:
    """What a kick is about to do on the member."""
    name = paint(safe(outlook.cluster), "heading")
    if outlook.plan is None:
        return f"{name}: nothing is done there; its credentials here go, and its registration\n"
    lines = [f"{name} ({safe(outlook.uid)}): its credentials go on both sides, and its registration"]
    for action, title in ((Action.DELETE, "to delete"), (Action.RELEASE, "to release")):
        refs = [change.ref for change in outlook.plan.changes if change.action is action]
        lines += _part(title, refs, names=False)
    return "\n".join([*lines, *_kept(outlook.occupied)]) + "\n"


def kicked_text(done: Done) -> str:
    """What a kick came to."""
    outlook = done.outlook
    lines = [f"cluster {safe(outlook.cluster)} is kicked; `reconcile` leaves it alone"]
    if outlook.plan:
        deleted, released = _counts(done)
        lines.append(f"on it: {deleted} deleted, {released} released, its credentials taken back")
    elif done.contacted:
        lines.append("on it: everything was done before")
    else:
        lines.append("on it: nothing; its administrator runs `fleetward leave`, if it is still there")
    lines += _kept(outlook.occupied)
    lines += [f"here: removed the credential {safe(path)}" for path in done.credentials]
    lines += [f"left: {safe(line)}" for line in done.left_over]
    if done.branch:
        short = done.branch.removeprefix("refs/heads/")
        lines.append(f"its removal is proposed as {done.commit[:12]} on {safe(short)}: review and merge it")
    else:
        lines.append("its registration is gone from the fleet already")
    return "\n".join(lines) + "\n"


def _counts(done: Done) -> tuple[int, int]:
    plan = done.outlook.plan
    return (plan.count(Action.DELETE), plan.count(Action.RELEASE)) if plan else (0, 0)


def kicked_dict(done: Done) -> dict[str, Any]:
    """The JSON form."""
    deleted, released = _counts(done)
    return {
        "cluster": done.outlook.cluster,
        "clusterUid": done.outlook.uid,
        "contacted": done.contacted,
        "deleted": deleted,
        "released": released,
        "keptNamespaces": dict(done.outlook.occupied),
        "credentials": list(done.credentials),
        "leftOver": list(done.left_over),
        "branch": done.branch,
        "commit": done.commit,
    }
