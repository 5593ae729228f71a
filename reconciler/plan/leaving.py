"""What it takes for a member to leave: everything of ours deleted, or released, and the guard deleted. Pure.

Rules: what carries our label and our digest is ours, as for any plan; nothing is ever created or updated.
With ``keep`` only the guard is deleted. A namespace in which others have objects is released: a deletion
would take those along.

>>> leaving_plan("a", Observation("uid", None, {}, {}, 0), guard=frozenset(), keep=False).changes
()
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import replace

from reconciler.model import ClusterName, Desired, ObjectRef, Observation
from reconciler.plan.build import build_plan
from reconciler.plan.changes import Action, Change, Plan


def nothing(cluster: str) -> Desired:
    """The desired state of a member that leaves: no object."""
    return Desired(ClusterName(cluster), (), f"sha256:{hashlib.sha256(b'').hexdigest()}")


def leaving_plan(
    cluster: str, seen: Observation, *, guard: Collection[ObjectRef], keep: bool,
    occupied: Collection[str] = (),
) -> Plan:  # fmt: skip
    """The changes; ``guard`` are its objects, ``occupied`` the namespaces that others use."""
    plan = build_plan(nothing(cluster), seen)
    kept = {ObjectRef("", "Namespace", "", name) for name in occupied}
    changes = (
        _released(change) if change.ref not in guard and (keep or change.ref in kept) else change
        for change in plan.changes
    )
    return replace(plan, changes=tuple(changes))


def _released(change: Change) -> Change:
    return replace(change, action=Action.RELEASE, reason="released")
