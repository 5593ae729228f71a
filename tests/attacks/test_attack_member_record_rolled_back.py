"""Record rolled back: an older record of the same member, signed by us, is put back, or it is deleted.

It is well signed, and the log has its entry. But the log also has what was applied since: ``fleetward
verify`` says FW1272 (FW1271 for none). A run looks at every object that the old record cannot vouch for,
writes a new record and logs the ConfigMap as drift; the sequence goes on from the log's, not from the old
record's.
"""

from __future__ import annotations

import pytest
from attack_members import repaired, verified
from e2e_world import RECORDS, Fleet, Plane, manifest

from reconciler.audit.entry import Intent

pytestmark = pytest.mark.real
RECORD = "ConfigMap federation-system/fleetward"
GUARD = {f"ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io {name}" for name in (
    "fleetward-guard", "fleetward-guard-record",
)}  # fmt: skip


def test_an_older_record_is_put_back(applied: Fleet, a: Plane) -> None:
    old = a.get(f"{RECORDS}/fleetward")["binaryData"]
    assert applied.reconcile().converged
    a.unguard()
    a.by_hand("PATCH", f"{RECORDS}/fleetward", {"binaryData": old})
    assert "FW1272" in verified(applied)
    last = [e for e in applied.entries() if isinstance(e, Intent) and e.cluster == "member-a"][-1]
    added = repaired(applied, RECORD, *GUARD)
    (intent,) = [entry for entry in added if isinstance(entry, Intent)]
    assert intent.sequence == last.sequence + 1
    assert a.get(f"{RECORDS}/fleetward")["binaryData"] != old
    assert verified(applied) == set()


def test_with_the_old_object_beside_it(applied: Fleet, a: Plane) -> None:
    """As after a restored backup of the member: record and object are both of yesterday, and agree."""
    old = a.get(f"{RECORDS}/fleetward")["binaryData"]
    applied.commit(manifest("settings", colour="red"))
    assert applied.reconcile().converged
    a.unguard()
    a.by_hand("PATCH", "/api/v1/namespaces/default/configmaps/settings", {"data": {"colour": "blue"}})
    a.by_hand("PATCH", f"{RECORDS}/fleetward", {"binaryData": old})
    added = repaired(applied, RECORD, *GUARD)
    assert a.data("settings") == {"colour": "red"}
    assert any(isinstance(entry, Intent) for entry in added)
    assert verified(applied) == set()


def test_the_record_is_deleted(synced: Fleet, a: Plane) -> None:
    a.unguard()
    a.by_hand("DELETE", f"{RECORDS}/fleetward")
    assert verified(synced) == {"FW1271"}
    repaired(synced, RECORD)
    assert verified(synced) == set()
