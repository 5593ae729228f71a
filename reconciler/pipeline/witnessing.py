"""What a run has logged, cosigned by the witnesses that the trust root names.

It comes last and never fails a run: what was applied is durable, and a witness that does not answer is shown.
Only the proof that the log was forked or rolled back is an error.
"""

from __future__ import annotations

import asyncio

from reconciler.audit.cosign import cosign
from reconciler.audit.log import Log
from reconciler.audit.witness_policy import WitnessPolicy
from reconciler.audit.witnessed import WitnessReport
from reconciler.documents import TrustRoot
from reconciler.errors import AuditError
from reconciler.model import Clock, Finding, SourceRef


async def ask_witnesses(log: Log, root: TrustRoot, clock: Clock) -> WitnessReport | None:
    """Who cosigned the checkpoint; None where the root names no witness. Raises AuditError: the alarm."""
    if not root.witnesses:
        return None
    return await asyncio.to_thread(cosign, log, _policy(root), clock=clock)


def witness_findings(root: TrustRoot) -> tuple[Finding, ...]:
    """What is wrong with the witnesses of a root, found before it is in force."""
    try:
        _policy(root)
    except AuditError as error:
        source = SourceRef("federation.yaml")
        return (
            Finding(
                error.code,
                error.message,
                source,
                expected=error.expected,
                got=error.got,
                hint=error.hint,
            ),
        )
    return ()


def _policy(root: TrustRoot) -> WitnessPolicy:
    return WitnessPolicy.of(((one.vkey, one.url) for one in root.witnesses), root.quorum)
