"""An authorized plan becomes a signed change set, and a signed change set what ``member.apply`` takes.

The sequence of a member grows by one with every change set that was signed for it, applied or not; the log
knows the last one, and so does the member's record. A rebuilt cluster has another uid and starts again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from reconciler.audit.state import IntentState
from reconciler.documents import Cluster
from reconciler.model import Observation, Signer
from reconciler.pipeline.check import Checked
from reconciler.plan import AuthorizedPlan
from reconciler.trust import (
    Change,
    ChangeAction,
    ChangeSet,
    SignedChangeSet,
    base_digest,
    open_change_set,
    sign_change_set,
)


def sign(
    checked: Checked,
    cluster: Cluster,
    authorized: AuthorizedPlan,
    seen: Observation,
    last: IntentState | None,
    *,
    repository: str,
    now: datetime,
    signer: Signer,
) -> SignedChangeSet:
    """The change set of an authorized plan, signed. Raises ChangeSetError."""
    sequence, previous = _predecessor(seen, last)
    plan = authorized.plan
    unsigned = ChangeSet(
        cluster=cluster.name,
        cluster_uid=seen.cluster_uid,
        repository=repository,
        ref=checked.federation.ref,
        commit=checked.commit,
        tree=checked.tree,
        gate_digest=authorized.verdict.gate_digest,
        gate_rules=authorized.verdict.rules,
        gate_allowed=authorized.verdict.allowed,
        sequence=sequence + 1,
        previous=previous,
        created=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        desired_digest=plan.desired_digest,
        base=base_digest(_base(seen)),
        changes=tuple(
            Change(c.ref, ChangeAction(c.action.value), c.before, c.after, c.resource_version)
            for c in plan.changes
        ),
    )
    return sign_change_set(unsigned, signer)


@dataclass(frozen=True, slots=True)
class Authorized:
    """What apply takes; it calls ``verify`` itself, on the bytes that were signed."""

    signed: SignedChangeSet
    public_key: bytes

    @property
    def digest(self) -> str:
        """ "sha256:<hex>" of the envelope."""
        return self.signed.digest

    def verify(self) -> ChangeSet:
        """The contents, when the signature holds. Raises TrustError."""
        return open_change_set(self.signed.envelope, [self.public_key]).change_set


def _predecessor(seen: Observation, last: IntentState | None) -> tuple[int, str]:
    known = [(seen.record.sequence, seen.record.change_set)] if seen.record else []
    if last is not None and last.cluster_uid == seen.cluster_uid:
        known.append((last.sequence, last.change_set))
    return max(known, default=(0, ""))


def _base(seen: Observation) -> dict[str, object]:
    """What the plan was made on: the member's last change set, and every object of ours at its version."""
    versions = sorted(f"{ref} {meta.uid} {meta.resource_version}" for ref, meta in seen.live.items())
    return {
        "cluster": seen.cluster_uid,
        "changeSet": seen.record.change_set if seen.record else "",
        "objects": hashlib.sha256("\n".join(versions).encode()).hexdigest(),
    }
