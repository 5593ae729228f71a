"""What a member's signed record proves of the log, and whether it is that member's.

A record is believed by its signature and the cluster's uid. An API server can copy both from another member;
the log's entry says whose they are. That is that member's fault, and the others go on. A log without the
entry is another matter: it was lost, rolled back or forked, and the run stops.
"""

from __future__ import annotations

from reconciler.audit.entry import Intent
from reconciler.audit.view import LogView
from reconciler.member.errors import CODES, WrongClusterError
from reconciler.model import Record


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
            hint=CODES[WrongClusterError.code][1],
        )
    log.require_at_least(cluster, record.log_index, record.change_set)
