"""Another cluster's change set: well signed, for the member next door.

The change set names the uid of its cluster, and the member says its own at the moment of the apply: FW1721,
and nothing is written. In a run the refusal is the outcome of the intent.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attack_members import hand_over, logged_change_sets, verified, versions
from e2e_proxy import FORWARD, Action, Forward, Proxy, Seen
from e2e_world import Fleet, Plane, manifest, states

from reconciler.audit.entry import OutcomeResult
from reconciler.member.errors import WrongClusterError
from reconciler.pipeline.run import MemberState
from reconciler.trust import open_change_set

pytestmark = pytest.mark.real


def test_handed_over_by_somebody_who_has_the_log(applied: Fleet) -> None:
    before = versions(applied.planes.values())
    with applied.wiring() as wiring:
        key = wiring.key().public_key
    for envelope in logged_change_sets(applied, "member-b"):
        with pytest.raises(WrongClusterError) as caught:
            hand_over(applied, "member-a", open_change_set(envelope, [key]))
        assert caught.value.code == "FW1721"
    assert versions(applied.planes.values()) == before


def test_a_member_that_becomes_another_one_before_the_apply(
    applied: Fleet, a: Plane, b: Plane, proxy: Callable[[str], Proxy]
) -> None:
    """Somebody on the way, with a certificate of the member's own authority, changes who answers."""
    front = proxy("member-a")
    applied.commit(applied.registration("member-a", front.url))
    assert applied.reconcile().converged
    applied.commit(manifest("settings", colour="red"))
    own, other = (p.get("/api/v1/namespaces/kube-system")["metadata"]["uid"] for p in (a, b))
    front.forget()

    def switched(seen: Seen) -> Action:
        asked = [one for one in front.seen if one.path.endswith("/namespaces/kube-system")]
        last = seen.path.endswith("/namespaces/kube-system") and len(asked) > 2  # after the look
        return Forward(edit=lambda body: body.replace(own.encode(), other.encode())) if last else FORWARD

    front.rule = switched
    before = versions([a])
    run = applied.reconcile()
    assert states(run) == {"member-a": MemberState.FAILED, "member-b": MemberState.APPLIED}
    (outcome,) = [o for o in applied.outcomes("member-a") if o.result is OutcomeResult.FAILED]
    assert outcome.error.startswith("FW1721")
    assert (front.writes, versions([a])) == ([], before)
    front.forget()
    assert applied.reconcile().converged
    assert a.data("settings") == {"colour": "red"}
    assert verified(applied) <= {"FW1273"}
    applied.assert_log_whole()
