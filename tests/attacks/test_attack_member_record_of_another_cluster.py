"""Another cluster's record: the signed record of the member next door is copied over a member's own.

A record names the uid of its cluster: FW1721, the member gets nothing, the others go on, the log says so. A
member whose API server also answers with that uid is told apart by the log, which knows whose record it is;
it stops itself and not the whole run.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attack_members import asked_again, refused_member, verified
from e2e_proxy import FORWARD, Action, Canned, Forward, Proxy, Seen
from e2e_world import RECORDS, Fleet, Plane

pytestmark = pytest.mark.real


def test_copied_over(synced: Fleet, a: Plane, b: Plane) -> None:
    good = a.get(f"{RECORDS}/fleetward")["binaryData"]
    a.unguard()
    a.by_hand("PATCH", f"{RECORDS}/fleetward", {"binaryData": b.get(f"{RECORDS}/fleetward")["binaryData"]})
    refused_member(synced, "FW1721")
    assert verified(synced) == {"FW1721"}
    a.by_hand("PATCH", f"{RECORDS}/fleetward", {"binaryData": good})
    asked_again(synced)
    assert synced.reconcile().converged
    synced.assert_log_whole()


def test_with_the_uid_to_match(synced: Fleet, a: Plane, b: Plane, proxy: Callable[[str], Proxy]) -> None:
    """The member's administrator answers as the other member would, in everything that is public there."""
    import json

    front = proxy("member-a")
    synced.commit(synced.registration("member-a", front.url))
    assert synced.reconcile().converged
    own, other = (p.get("/api/v1/namespaces/kube-system")["metadata"]["uid"] for p in (a, b))
    theirs = json.dumps(b.get(f"{RECORDS}/fleetward")).encode()

    def pretending(seen: Seen) -> Action:
        if seen.path.endswith("/configmaps/fleetward"):
            return Canned(200, theirs)
        if seen.path.endswith("/namespaces/kube-system"):
            return Forward(edit=lambda body: body.replace(own.encode(), other.encode()))
        return FORWARD

    front.rule = pretending
    refused_member(synced, "FW1721")
    assert verified(synced) == {"FW1721"}
    front.forget()
    assert synced.reconcile().converged
    synced.assert_log_whole()
