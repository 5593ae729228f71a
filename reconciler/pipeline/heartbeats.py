"""Whether the remote is frozen, for a fleet whose trust root asks for a heartbeat."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from reconciler.documents import Federation
from reconciler.errors import FleetwardError
from reconciler.pipeline.judging import identity
from reconciler.repository import Repository
from reconciler.trust.errors import FrozenError
from reconciler.trust.heartbeat import SignedHeartbeat, current
from reconciler.trust.statements import HeartbeatStatement, read

HEARTBEATS = "heartbeat"


def require_heartbeat(repository: Repository, federation: Federation, head: str, at: datetime) -> None:
    """Raise HeartbeatError without a valid heartbeat, FrozenError when ``head`` lacks what one has seen."""
    if federation.root.heartbeat is None:
        return
    found = []
    for _, oid in repository.statements(HEARTBEATS):
        with suppress(FleetwardError):  # rubbish counts as if it were not there
            tag = repository.tag(oid)
            found.append(SignedHeartbeat(read(tag.text, HeartbeatStatement), tag.payload, tag.signature))
    for one in current(found, federation.root, identity(federation), federation.ref, at):
        if not repository.descends(head, one.commit):
            raise FrozenError(
                "the remote shows an older state than its heartbeat names",
                expected=f"a descendant of {one.commit}",
                got=head,
                hint="fetch from the forge itself; find out what stands between, or who moved the ref back",
            )
