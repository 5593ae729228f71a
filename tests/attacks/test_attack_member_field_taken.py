"""Field taken: another field manager applies a field that the fleet sets, to own it from then on.

Server-side apply would let both of them write in turn. A run does not take a field from somebody who claims
it: the member is refused as a whole (FW1603, with manager and field), the log says so, and nothing is written
until a person decides; ``conflict: take`` in the fleet is one way, and takes it back.
"""

from __future__ import annotations

import pytest
from attack_members import asked_again, refused_member, result, verified
from e2e_world import MAPS, Fleet, Plane, manifest

pytestmark = pytest.mark.real


def test_until_a_person_decides(synced: Fleet, a: Plane) -> None:
    a.unguard()
    a.by_hand("PATCH", f"{MAPS}/settings", {"data": {"colour": None}})  # nobody's, for a moment
    theirs = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings"},
        "data": {"colour": "red"},
    }
    a.apply(f"{MAPS}/settings", theirs, manager="mallory")
    run = refused_member(synced, "FW1603")
    (finding,) = result(run, "member-a").findings
    assert "mallory" in finding.message
    assert ".data.colour" in finding.message
    assert "FW1273" in verified(synced)
    assert a.data("settings") == {"colour": "red"}
    synced.commit(manifest("settings", conflict="take", colour="green"))
    asked_again(synced)
    assert synced.reconcile().converged
    assert a.data("settings") == {"colour": "green"}
    synced.assert_log_whole()
