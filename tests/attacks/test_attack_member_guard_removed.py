"""Guard removed: a member's administrator takes the admission policy or its bindings away, or opens them.

No policy guards policies: this cannot be refused. The guard is an object of the fleet like any other:
``fleetward verify`` says what is missing (FW1279) or changed (FW1273), the next run restores it and logs
drift.
"""

from __future__ import annotations

import pytest
from attack_members import repaired, verified
from e2e_world import GUARDS, MAPS, Fleet, Plane, until
from test_attack_member_object_edited import BINDINGS

pytestmark = pytest.mark.real
POLICY = "ValidatingAdmissionPolicy.admissionregistration.k8s.io fleetward-guard"
REMOVE = f"{MAPS}/settings?dryRun=All"


def test_deleted_and_opened(synced: Fleet, a: Plane) -> None:
    a.unguard()
    a.must("DELETE", f"{GUARDS}ies/fleetward-guard")
    until(lambda: a.send("DELETE", REMOVE) == 200, "the guard to be forgotten")
    assert verified(synced) == {"FW1279"}
    repaired(synced, POLICY, *BINDINGS)
    until(lambda: a.send("DELETE", REMOVE) == 403, "the guard to guard again")
    policy = a.get(f"{GUARDS}ies/fleetward-guard")
    policy["spec"]["validations"][0]["expression"] += " || true"
    a.must("PUT", f"{GUARDS}ies/fleetward-guard", policy)
    audited = a.get(f"{GUARDS}ybindings/fleetward-guard")
    audited["spec"]["validationActions"] = ["Audit"]
    a.must("PUT", f"{GUARDS}ybindings/fleetward-guard", audited)
    assert verified(synced) == {"FW1273"}
    repaired(synced, POLICY, BINDINGS[0])
    until(lambda: a.send("DELETE", REMOVE) == 403, "the guard to guard again")
    assert verified(synced) == set()
