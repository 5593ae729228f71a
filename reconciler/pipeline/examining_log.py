"""``doctor``'s part about the log: does it verify, what was begun and not ended, who cosigned, is there room.

The log is read and never written. Its age by itself is no fault: entries come when something happens.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from reconciler.audit.codes import NotWitnessedError
from reconciler.audit.view import LogView
from reconciler.audit.witness_policy import WitnessPolicy
from reconciler.audit.witnessed import WitnessReport, witnessed
from reconciler.documents.trust_root import TrustRoot
from reconciler.errors import AuditError
from reconciler.member.diagnosis.results import Result, failed, failed_by, ok, skipped, warning
from reconciler.member.diagnosis.validity import moment, span
from reconciler.pipeline.examining_host import HostCheck

_LITTLE, _NO_SPACE = 1 << 30, 64 << 20  # bytes
_AHEAD = timedelta(minutes=5)


def log_results(view: LogView, now: datetime) -> list[Result]:
    """A log that opened: its size, its last entry, and what it says was begun and not ended."""
    try:
        pending = {name: len(one.pending) for name, one in view.state().clusters.items() if one.pending}
        last = view.entry(view.size - 1).time if view.size else None
    except AuditError as error:
        return [failed_by(HostCheck.LOG, error, "a log that verifies")]
    found = f"{view.size} entries of {view.origin}"
    return [
        ok(HostCheck.LOG, "a log that verifies", found),
        _age(last, now),
        _pending(pending),
    ]


def _age(last: datetime | None, now: datetime) -> Result:
    """An old entry is no fault by itself; one from the future is."""
    check, expected = HostCheck.AGE, "a last entry of some time ago"
    if last is None:
        return skipped(check, "the log has no entry")
    if last > now + _AHEAD:
        found = f"{moment(last)}, {span(last - now)} from now"
        return failed(check, expected, found, "set this host's clock", code="FW1732")
    return ok(check, expected, f"{moment(last)}, {span(max(now - last, timedelta(0)))} ago")


def _pending(pending: Mapping[str, int]) -> Result:
    check, expected = HostCheck.OPEN_INTENTS, "every change that was begun has its outcome"
    if not pending:
        return ok(check, expected, "all have")
    found = "none yet for " + ", ".join(sorted(pending))
    return warning(check, expected, found, "a run is at work, or was interrupted: the next one finishes it")


def witness_result(view: LogView | None, root: TrustRoot | None, now: datetime) -> Result:
    """Who of the witnesses in spec.log cosigned the checkpoint."""
    check = HostCheck.WITNESSES
    if view is None or root is None:
        return skipped(check, "log or trust root are not known")
    if not root.witnesses:
        return skipped(check, "spec.log of federation.yaml names none")
    try:
        policy = WitnessPolicy.of(((one.vkey, one.url) for one in root.witnesses), root.quorum)
        report = witnessed(view.checkpoint, policy, now)
    except AuditError as error:
        return failed_by(check, error, f"{root.quorum} of {len(root.witnesses)} witnesses")
    return _witnessed(report, policy, now)


def _witnessed(report: WitnessReport, policy: WitnessPolicy, now: datetime) -> Result:
    check, expected = HostCheck.WITNESSES, str(policy)
    rows = [f"{row.witness} {span(max(now - row.time, timedelta(0)))} ago" for row in report.rows if row.time]
    found = f"{report.size} entries cosigned by {', '.join(rows) or 'nobody'}"
    missing = ", ".join(str(row.witness) for row in report.missing)
    hint = f"`fleetward reconcile` asks {missing or 'them'}; if it does not answer, ask its operator"
    if not report.satisfied:
        return failed(check, expected, found, hint, code=NotWitnessedError.code)
    if missing:
        return warning(check, expected, f"{found}; not by {missing}", hint)
    return ok(check, expected, found)


def space_result(folder: Path | None) -> Result:
    """What is left where the log is kept: without it nothing is applied."""
    check, expected = HostCheck.SPACE, f"{_LITTLE >> 20} MiB free"
    if folder is None:
        return skipped(check, "the log is not in a folder of this host")
    there = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    system = os.statvfs(there)
    free = system.f_bavail * system.f_frsize
    found, hint = f"{free >> 20} MiB", "make room: an intent that cannot be logged is not applied"
    if free < _NO_SPACE:
        return failed(check, expected, found, hint, where=str(folder))
    if free < _LITTLE:
        return warning(check, expected, found, hint, where=str(folder))
    return ok(check, expected, found, str(folder))
