"""Stale change set: one that was signed for this very member, but for a state that it has left behind.

Every change set is readable in the log, well signed for ever, and worth nothing: its sequence is not above
the one in the member's record (FW1724), it is for another desired state (FW1723), and the log takes no second
intent of it (FW1803). One that becomes stale between intent and apply is refused at the member, and its
intent is closed.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attack_members import before_last, hand_over, logged_change_sets, versions
from e2e_proxy import FORWARD, Action, Proxy, Seen
from e2e_world import RECORDS, Fleet, Plane, manifest, states

from reconciler.audit.codes import EntryError, LogConflictError
from reconciler.audit.entry import Intent, Outcome, OutcomeResult
from reconciler.member.errors import MovedError, NotAuthorizedError
from reconciler.pipeline.run import MemberState
from reconciler.trust import SignedChangeSet, open_change_set

pytestmark = pytest.mark.real


def opened(fleet: Fleet, envelope: bytes) -> SignedChangeSet:
    with fleet.wiring() as wiring:
        return open_change_set(envelope, [wiring.key().public_key])


def test_every_change_set_of_the_log_is_stale(applied: Fleet) -> None:
    before = versions(applied.planes.values())
    for envelope in logged_change_sets(applied, "member-a"):
        with pytest.raises(MovedError) as caught:
            hand_over(applied, "member-a", opened(applied, envelope))
        assert caught.value.code == "FW1724"
        assert caught.value.where.startswith("member-a")
    intents = [e for e in applied.entries() if isinstance(e, Intent) and e.cluster == "member-a"]
    with applied.wiring() as wiring:
        log = wiring.log(wiring.key())
        for intent in intents:
            with pytest.raises(EntryError, match="is not above") as refused:
                log.append([intent])
            assert refused.value.code == "FW1803"
    assert versions(applied.planes.values()) == before


def test_not_even_with_an_older_record_put_back(applied: Fleet, a: Plane) -> None:
    """The record rolled back makes an old sequence a new one; the desired state is another all the same."""
    assert before_last(applied).exists()
    assert applied.reconcile().converged
    first, second, _ = logged_change_sets(applied, "member-a")
    old = a.get(f"{RECORDS}/fleetward")["binaryData"]
    applied.commit(manifest("settings", colour="red"))
    assert applied.reconcile("member-a").converged
    a.unguard()
    a.by_hand("PATCH", f"{RECORDS}/fleetward", {"binaryData": old})
    fourth = logged_change_sets(applied, "member-a")[-1]
    before = versions([a])
    for envelope, error, code in (
        (first, MovedError, "FW1724"),
        (second, MovedError, "FW1724"),
        (_forwarded(applied, second), NotAuthorizedError, "FW1723"),
    ):
        with pytest.raises(error) as caught:
            hand_over(applied, "member-a", opened(applied, envelope))
        assert caught.value.code == code
    assert versions([a]) == before
    # The last one is for what is desired now: handed over again, it changes nothing that it did not change.
    hand_over(applied, "member-a", opened(applied, fourth))
    assert a.data("settings") == {"colour": "red"}


def _forwarded(fleet: Fleet, envelope: bytes) -> bytes:
    """What the reconciler's key would have to sign for an old state with a new number."""
    from dataclasses import replace

    from reconciler.trust import sign_change_set

    change_set = opened(fleet, envelope).change_set
    with fleet.wiring() as wiring:
        return sign_change_set(replace(change_set, sequence=99), wiring.key()).envelope


def test_one_that_became_stale_after_its_intent(
    applied: Fleet, a: Plane, proxy: Callable[[str], Proxy]
) -> None:
    """Between its intent and its first write another run does all the work."""
    front = proxy("member-a")
    applied.commit(applied.registration("member-a", front.url))
    assert applied.reconcile().converged
    applied.commit(manifest("settings", colour="red"))
    front.forget()
    inner: list[bool] = []

    def overtaken(seen: Seen) -> Action:
        looks = [one for one in front.seen if one.path.endswith("/configmaps/fleetward") and not one.writes]
        if len(looks) == 2 and not inner:  # the first was the look, the second is the apply's own
            inner.append(False)
            inner[0] = applied.reconcile("member-a").converged
        return FORWARD

    front.rule = overtaken
    size = len(applied.entries())
    with pytest.raises(LogConflictError) as caught:  # the run's outcome comes too late for the log
        applied.reconcile("member-a")
    assert caught.value.code == "FW1804"
    assert inner == [True]
    outcomes = [e for e in applied.entries()[size:] if isinstance(e, Outcome)]
    assert [o.result for o in outcomes] == [OutcomeResult.INTERRUPTED, OutcomeResult.APPLIED]
    maps = [seen for seen in front.writes if seen.path.startswith("/api/v1/namespaces/default/configmaps")]
    assert len(maps) == 1, "the object is written once"
    assert a.data("settings") == {"colour": "red"}
    assert states(applied.reconcile("member-a")) == {"member-a": MemberState.SYNCED}
    applied.assert_log_whole()
