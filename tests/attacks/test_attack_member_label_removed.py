"""Label removed: a federated object loses our label, so that no list shows it and no guard keeps it.

The guard holds for the old state of an object too, so the label does not come off. With the guard taken away
first the record still names the object: the next run looks for it, gives the label back and logs drift; and
an object that the fleet no longer wants is deleted although no list shows it.
"""

from __future__ import annotations

import pytest
from attack_members import repaired, verified
from e2e_world import MAPS, MERGE, Fleet, Plane, until
from test_attack_member_object_edited import BINDINGS

from reconciler.model import APPLYSET_ID, LABEL_PART_OF

pytestmark = pytest.mark.real
BARE = {"metadata": {"labels": {LABEL_PART_OF: None}}}


def test_of_what_is_wanted_and_of_what_is_not(synced: Fleet, a: Plane) -> None:
    until(lambda: a.send("PATCH", f"{MAPS}/settings?dryRun=All", BARE, MERGE) == 403, "the guard to guard")
    a.unguard()
    a.by_hand("PATCH", f"{MAPS}/settings", {**BARE, "data": {"colour": "red"}})
    assert verified(synced) == {"FW1273", "FW1279"}
    repaired(synced, "ConfigMap default/settings", *BINDINGS)
    found = a.get(f"{MAPS}/settings")
    assert (found["metadata"]["labels"][LABEL_PART_OF], found["data"]) == (APPLYSET_ID, {"colour": "green"})
    a.unguard()
    a.by_hand("PATCH", f"{MAPS}/extra", BARE)
    synced.commit({"policies/manifests/extra.yaml": None})
    repaired(synced, *BINDINGS)
    assert a.data("extra") is None
    assert verified(synced) == set()
