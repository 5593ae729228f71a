"""Extra object: something that no change set made is given our labels, to pass for an object of the fleet.

The guard lets nobody set the label. With the guard taken away first, ``fleetward verify`` lists the object
(FW1270). One that looks like ours in everything is deleted by the next run and logged as drift, since no
change set made it; one without our digest is left alone, since controllers hand labels on.
"""

from __future__ import annotations

import pytest
from attack_members import repaired, verified
from e2e_world import MAPS, Fleet, Plane, until
from test_attack_member_object_edited import BINDINGS

from reconciler.model import APPLYSET_ID, LABEL_PART_OF

pytestmark = pytest.mark.real


def test_one_that_passes_for_ours_and_one_that_does_not(synced: Fleet, a: Plane) -> None:
    metadata = a.get(f"{MAPS}/settings")["metadata"]
    kept = {key: metadata[key] for key in ("namespace", "labels", "annotations")}
    evil = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"x": "1"}, "metadata": {**kept, "name": "evil"}}
    labelled = {**evil, "metadata": {"name": "labelled", "labels": {LABEL_PART_OF: APPLYSET_ID}}}
    until(lambda: a.send("POST", f"{MAPS}?dryRun=All", evil) == 403, "the guard to guard")
    theirs = {**evil, "metadata": {"name": "theirs"}}
    a.must("POST", MAPS, theirs)
    label = {"metadata": {"labels": {LABEL_PART_OF: APPLYSET_ID}}}
    assert a.send("PATCH", f"{MAPS}/theirs", label, "application/merge-patch+json") == 403
    a.must("DELETE", f"{MAPS}/theirs")
    a.unguard()
    for body in (evil, labelled):
        a.by_hand("POST", MAPS, body, "application/json")
    assert verified(synced) == {"FW1270", "FW1279"}
    repaired(synced, "ConfigMap default/evil", *BINDINGS)
    assert a.data("evil") is None
    assert a.data("labelled") == {"x": "1"}
    assert verified(synced) == {"FW1270"}, "what a run leaves alone is shown to whoever verifies"
    a.clear()
