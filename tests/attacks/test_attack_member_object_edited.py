"""Object edited: somebody with rights on the member changes or deletes what the fleet put there.

The guard refuses it. With the guard taken away first, ``fleetward verify`` names the fields (FW1273, FW1279),
and the next run undoes it and logs every object as drift, the guard's bindings too.
"""

from __future__ import annotations

import pytest
from attack_members import repaired, verified
from e2e_world import MAPS, ROLES, Fleet, Plane, until

pytestmark = pytest.mark.real
BINDINGS = [
    f"ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io fleetward-guard{part}"
    for part in ("", "-record")
]


def test_contents_and_existence(synced: Fleet, a: Plane) -> None:
    until(lambda: a.send("DELETE", f"{MAPS}/extra?dryRun=All") == 403, "the guard to guard")
    change = {"data": {"colour": "red"}}
    assert a.send("PATCH", f"{MAPS}/settings?dryRun=All", change, "application/merge-patch+json") == 403
    a.unguard()
    a.by_hand("PATCH", f"{MAPS}/settings", change)
    a.by_hand(
        "PATCH", f"{ROLES}/viewer", {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}
    )
    a.by_hand("DELETE", f"{MAPS}/extra")
    assert verified(synced) == {"FW1273", "FW1279"}
    role = "ClusterRole.rbac.authorization.k8s.io viewer"
    repaired(synced, "ConfigMap default/settings", "ConfigMap default/extra", role, *BINDINGS)
    assert (a.data("settings"), a.data("extra")) == ({"colour": "green"}, {"number": "2"})
    assert a.get(f"{ROLES}/viewer")["rules"][0]["verbs"] == ["get", "list"]
    assert verified(synced, deep=True) == set()
