"""Man in the middle: something else answers at a member's address, with a certificate of another authority.

Only the authority that the registration names is believed: FW1703, and the credentials are never sent. The
log says so, and the others go on. A certificate of the right authority for another name is refused too
(FW1705).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attack_members import asked_again, refused_member, verified
from e2e_proxy import Proxy
from e2e_world import Fleet, Plane

pytestmark = pytest.mark.real


def test_another_authority_and_another_name(synced: Fleet, a: Plane, proxy: Callable[[str], Proxy]) -> None:
    front = proxy("member-b")  # whose certificate is of member-b's authority
    synced.commit(synced.registration("member-a", front.url))
    refused_member(synced, "FW1703")
    assert front.seen == [], "no request was sent, and no token with it"
    named = synced.registration("member-a", a.member.url, tlsServerName="elsewhere.example")
    synced.commit(named)
    refused_member(synced, "FW1705")
    synced.commit(synced.registration("member-a"))
    asked_again(synced)
    assert synced.reconcile().converged
    assert verified(synced) == set()
    synced.assert_log_whole()
