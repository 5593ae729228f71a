"""From registration, log, last contact and look to the facts that ``states`` judges, and back to the contact.

``noted`` keeps in the contact memory since when a state is so: the log does not know when a member was first
seen out of sync or unreachable. A lost memory costs the age: it begins again at the next look.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from reconciler.audit.state import LogState
from reconciler.documents import Cluster, Fleet
from reconciler.pipeline.contact import Contact
from reconciler.pipeline.run import MemberResult
from reconciler.pipeline.run import MemberState as Result
from reconciler.pipeline.states import (
    SUSPEND_REASON,
    Departed,
    Facts,
    Look,
    MemberState,
    Proposed,
    Remembered,
    Standing,
    standing,
)

SHOWN: Final = timedelta(days=7)  # for which a cluster is still listed that left, or was kicked


def suspend_reasons(fleet: Fleet) -> Mapping[str, str]:
    """Why members are suspended, by name, as their registrations say it."""
    bodies = {document.name: document.body for document in fleet.of_kind("Cluster")}
    return {
        cluster.name: str((bodies[cluster.name]["metadata"].get("annotations") or {}).get(SUSPEND_REASON, ""))
        for cluster in fleet.clusters
        if cluster.suspend and cluster.name in bodies
    }


def facts_of(
    cluster: Cluster, state: LogState | None, contact: Contact, now: datetime, *,
    look: Look | None = None, suspend_reason: str = "", departed: Departed | None = None,
) -> Facts:  # fmt: skip
    """What is known of a registered member; ``state`` None: no log is read here."""
    intent = state.cluster(cluster.name).intent if state else None
    joined = state.membership.joined.get(cluster.name) if state else None
    return Facts(
        now, registered=True, wanted_version=cluster.kubernetes_version, observes=cluster.mode == "observe",
        suspended=cluster.suspend, suspend_reason=suspend_reason, joined=joined.time if joined else None,
        intended=intent.time if intent else None, knows_log=state is not None,
        departed=departed, look=look, remembered=remembered(contact),
    )  # fmt: skip


def outside(
    state: LogState, proposed: Iterable[Proposed], departed: Mapping[str, Departed],
    registered: Collection[str], now: datetime,
) -> dict[str, Standing]:  # fmt: skip
    """By name, those that are no members: clusters that are joining, and those that left within ``SHOWN``."""
    joining = {one.cluster: one for one in proposed}
    gone = {name: one for name, one in departed.items() if now - one.since < SHOWN}
    found = {}
    for name in sorted((joining.keys() | gone.keys()) - set(registered)):
        joined = state.membership.joined.get(name)
        facts = Facts(
            now, proposed=joining.get(name), joined=joined.time if joined else None, departed=gone.get(name)
        )
        if one := standing(facts):
            found[name] = one
    return found


def remembered(contact: Contact) -> Remembered | None:
    """The state that was seen last; None if none was, or what is kept is no state."""
    try:
        return Remembered(MemberState(contact.state), contact.since, contact.reason)
    except ValueError:
        return None


def noted(contact: Contact, found: Standing | None) -> Contact:
    """The contact with this state in it; of no state nothing is kept."""
    if found is None:
        return replace(contact, state="", since=None, reason="")
    return replace(contact, state=found.state.value, since=found.since, reason=found.reason)


def after_run(
    cluster: Cluster, state: LogState, contact: Contact, result: MemberResult, now: datetime
) -> Contact:
    """The contact after a run's part; ``state`` is the log before it. Unchanged if nobody looked."""
    if result.state in (Result.WAITING, Result.KICKED):
        return contact
    facts = facts_of(cluster, state, contact, now, look=_look(result, contact.version))
    if result.outcomes:
        facts = replace(facts, intended=now)
    return noted(contact, standing(facts))


def _look(result: MemberResult, version: str) -> Look | None:
    plan = result.plan
    if result.state is Result.SUSPENDED:
        return None
    if plan is None:
        return Look(None, reached=result.state is not Result.UNREACHABLE, error=result.error)
    if result.state in (Result.SYNCED, Result.APPLIED):
        return Look(0, version=version)
    return Look(len(plan.changes), len(plan.drift), version=version, error=result.error)
