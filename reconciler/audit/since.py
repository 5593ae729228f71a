"""Verification from a remembered checkpoint: what was verified then is not read again.

Steps: 1. the remembered checkpoint is signed by a key of this log; 2. the log is not shorter; 3. an RFC 9162
consistency proof leads from its root to the present one, so nothing before it was changed; 4. everything
after it is verified as ``verify`` does, with all findings.

Worked example::

    report = verify_since(view, Path("last.checkpoint").read_bytes())
    report.start, report.ok                                          # (1200, True)
"""

from __future__ import annotations

from reconciler.audit.codes import NotLoggedError
from reconciler.audit.merkle import check_consistency
from reconciler.audit.verify import VerifyReport
from reconciler.audit.view import LogView


def verify_since(log: LogView, remembered: bytes) -> VerifyReport:
    """The report on the entries after the checkpoint ``remembered``, a signed note.

    Raises LogSignatureError or LogFormatError (step 1), LogBehindError (step 2), LogForkedError or ProofError
    (step 3), LogDamagedError.
    """
    # 1. and 2. and 3.
    old = log.remembered(remembered)
    log.require_consistent(old.size, old.root)
    check_consistency(old.size, old.root, log.size, log.root, log.consistency_proof(old.size))
    # 4.
    return log.verify(old.size)


def written(log: LogView) -> bytes:
    """The log's checkpoint, to be remembered. Raises NotLoggedError for a log that was never written."""
    if not log.checkpoint:
        raise NotLoggedError("the log has no checkpoint yet", hint="start it with `fleetward trust init`")
    return log.checkpoint
