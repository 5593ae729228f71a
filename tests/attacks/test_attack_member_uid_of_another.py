"""Another's uid: a member answers with the identity of another cluster.

The record that it has says otherwise: FW1721, in the log, and the others go on. Then nothing is compared with
anything of that member any more, let alone written.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attack_members import refused_member, verified
from e2e_proxy import FORWARD, Action, Forward, Proxy, Seen
from e2e_world import Fleet, Plane

pytestmark = pytest.mark.real


def test_the_neighbours_and_an_invented_one(
    synced: Fleet, a: Plane, b: Plane, proxy: Callable[[str], Proxy]
) -> None:
    front = proxy("member-a")
    synced.commit(synced.registration("member-a", front.url))
    assert synced.reconcile().converged
    own, other = (p.get("/api/v1/namespaces/kube-system")["metadata"]["uid"] for p in (a, b))
    for said in (other, "00000000-0000-4000-8000-000000000000"):

        def rule(seen: Seen, said: str = said) -> Action:
            if seen.path.endswith("/namespaces/kube-system"):
                return Forward(edit=lambda body: body.replace(own.encode(), said.encode()))
            return FORWARD

        front.rule = rule
        front.seen.clear()
        refused_member(synced, "FW1721")
        assert verified(synced) == {"FW1721"}
        assert front.writes == []
        front.forget()
        assert synced.reconcile().converged  # in between, or the second refusal would be the same again
        synced.commit({f"notes/{said}.md": "x"})
    synced.assert_log_whole()
