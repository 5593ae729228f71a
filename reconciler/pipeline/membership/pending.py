"""Joins whose registration is not in the fleet yet: what ``status`` and ``cluster list`` show as pending.

Rules:
- What a join proposed counts while its branch is there: a proposal that was given up (the branch is deleted)
  is not shown, and leaves the name free. A join that proposed nothing, since its registration was merged
  before or committed at once, is never pending after its end.
- A token that was used for a join which has not ended counts as long as the token would be good: the same
  ``fleetward join`` finishes it until then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from reconciler.audit.membership import Membership
from reconciler.pipeline.membership.registration import branch_of
from reconciler.pipeline.states import Proposed
from reconciler.repository import Repository


def pending_joins(
    membership: Membership, repository: Repository, registered: Collection[str], now: datetime
) -> tuple[Proposed, ...]:
    """By name; ``registered`` are the names in the fleet. Reads ``repository`` as fetched last."""
    names = set(membership.joined) | {t.used_by for t in membership.tokens.values()}
    found = (_pending(membership, repository, name, now) for name in sorted(names - {"", *registered}))
    return tuple(one for each in found for one in each)


def _pending(membership: Membership, repository: Repository, name: str, now: datetime) -> Iterator[Proposed]:
    joined, branch = membership.joined.get(name), branch_of(name)
    proposed = repository.branch(branch) is not None
    ended = joined.token if joined else ""
    begun = [
        token
        for key, token in membership.tokens.items()
        if token.used_by == name and key != ended and token.expires > now
    ]
    if joined and proposed and joined.branch == branch:
        yield Proposed(name, joined.cluster_uid, branch, joined.time)
    elif begun:
        newest = max(begun, key=lambda token: token.created)
        yield Proposed(name, newest.used_uid, branch if proposed else "", None)
