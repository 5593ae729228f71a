"""What a member's signed record proves of the log, and whether it is that member's; and whether it is the one
that joined.

A record is believed by its signature and the cluster's uid. An API server can copy both from another member;
the log's entry says whose they are. That is that member's fault, and the others go on. A log without the
entry is another matter: it was lost, rolled back or forked, and the run stops.

A member that joined by token is the cluster that joined: one that was rebuilt under its name, or put in its
place, has no record that would tell, and is refused by the uid in the log until it joins itself.
"""

from __future__ import annotations

from reconciler.audit.entry import Intent
from reconciler.audit.state import LogState
from reconciler.audit.view import LogView
from reconciler.member.errors import WrongClusterError
from reconciler.model import Record


def require_agreement(state: LogState, log: LogView, cluster: str, uid: str, record: Record | None) -> None:
    """Who answers is the cluster that joined, and the log is not behind its record, if it has one.

    Raises as ``require_joined`` and ``require_proven`` do.
    """
    require_joined(state, cluster, uid)
    if record:
        require_proven(log, cluster, record)


def require_joined(state: LogState, cluster: str, uid: str) -> None:
    """Who answers is the cluster that joined under this name, if one did. Raises WrongClusterError."""
    joined = state.membership.joined.get(cluster)
    if joined is not None and joined.cluster_uid != uid:
        raise WrongClusterError(
            "another cluster answers than the one that joined under this name", where=cluster,
            expected=joined.cluster_uid, got=uid[:64],
            hint="if it was rebuilt: remove its registration, then join it again with a new token",
        )  # fmt: skip


def require_proven(log: LogView, cluster: str, record: Record) -> None:
    """The log has the intent of the record, for this very member.

    Raises WrongClusterError for another member's record, and what ``LogView.require_at_least`` raises.
    """
    entry = log.entry(record.log_index) if 0 <= record.log_index < log.size else None
    if isinstance(entry, Intent) and entry.change_set == record.change_set and entry.cluster != cluster:
        raise WrongClusterError(
            "the record is that of another member",
            where=cluster,
            expected=cluster,
            got=entry.cluster,
        )
    log.require_at_least(cluster, record.log_index, record.change_set)
