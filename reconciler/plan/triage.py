"""Which objects need a closer look.

An object whose uid, resourceVersion and digest are the ones in the signed record is as we left it and
needs nothing. One that is absent needs no look either: it will be created. Everything else gets a
dry-run apply. A deep check looks at all of them, since a restored etcd can use a resourceVersion twice.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.model import Desired, LiveMeta, ObjectRef, Record


def triage(
    desired: Desired, record: Record | None, live: Mapping[ObjectRef, LiveMeta], *, deep: bool = False
) -> tuple[ObjectRef, ...]:
    """The refs, in desired's order, whose state only a dry-run apply can tell."""
    recorded = record.objects if record and not deep else {}
    doubtful = []
    for wanted in desired.objects:
        meta = live.get(wanted.ref)
        if meta is None:
            continue
        known = recorded.get(wanted.ref)
        if (
            known is None
            or known.resource_version != meta.resource_version
            or known.digest != wanted.digest
            or known.uid != meta.uid
        ):
            doubtful.append(wanted.ref)
    return tuple(doubtful)
