"""Tampered record: somebody with rights on the member edits the ConfigMap that says what we applied.

The record is signed as a whole: whatever is changed in it, it is not believed (FW1720), the member gets
nothing, the others go on, and the log says so.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from attack_members import asked_again, hand_over, logged_change_sets, refused_member, verified
from e2e_world import RECORDS, Fleet, Plane, result

from reconciler import dsse
from reconciler.member.envelope import seal
from reconciler.member.errors import RecordError
from reconciler.trust import open_change_set
from reconciler.trust.keys import ReconcilerKey

pytestmark = pytest.mark.real
THIEF = ReconcilerKey.from_seed(b"t" * 32)
Data = dict[str, str]


def head_of(data: Data) -> dict[str, Any]:
    envelope = json.loads(base64.b64decode(data["record"]))
    head: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))
    return head


def with_head(data: Data, **changed: object) -> str:
    """The record with other facts under the old signature."""
    envelope = json.loads(base64.b64decode(data["record"]))
    head = dsse.canonical({**head_of(data), **changed})
    envelope["payload"] = base64.b64encode(head).decode()
    return base64.b64encode(dsse.canonical(envelope)).decode()


def resigned(data: Data, **changed: object) -> str:
    """The same facts, signed by the attacker."""
    return base64.b64encode(seal(dsse.canonical({**head_of(data), **changed}), THIEF)).decode()


def flipped(data: Data, key: str) -> str:
    raw = bytearray(base64.b64decode(data[key]))
    raw[len(raw) // 2] ^= 1
    return base64.b64encode(bytes(raw)).decode()


EDITS: dict[str, Callable[[Data], Data]] = {
    "another sequence": lambda d: {**d, "record": with_head(d, sequence=9)},
    "another desired state": lambda d: {**d, "record": with_head(d, desiredDigest="sha256:" + "0" * 64)},
    "signed by the attacker": lambda d: {**d, "record": resigned(d, sequence=7)},
    "a bit of the objects": lambda d: {**d, "body": flipped(d, "body")},
    "a bit of the envelope": lambda d: {**d, "record": flipped(d, "record")},
    "no objects": lambda d: {"record": d["record"]},
    "not base64 of anything known": lambda d: {**d, "record": base64.b64encode(b"{}").decode()},
    "a million parts": lambda d: {**d, "record": resigned(d, parts=["0" * 64] * 1_000_000)[:900_000]},
}


def test_every_edit_is_refused(synced: Fleet, a: Plane) -> None:
    good = a.get(f"{RECORDS}/fleetward")["binaryData"]
    a.unguard()
    for number, (name, edit) in enumerate(EDITS.items()):
        a.by_hand("PATCH", f"{RECORDS}/fleetward", {"binaryData": {"body": None, **edit(good)}})
        if number == 0:
            refused_member(synced, "FW1720")
        assert verified(synced) == {"FW1720"}, name
        asked_again(synced)
        assert "FW1720" in result(synced.reconcile("member-a"), "member-a").error, name
    with synced.wiring() as wiring:
        key = wiring.key().public_key
    newest = open_change_set(logged_change_sets(synced, "member-a")[-1], [key])
    with pytest.raises(RecordError):  # at the apply itself too
        hand_over(synced, "member-a", newest)
    a.by_hand("PATCH", f"{RECORDS}/fleetward", {"binaryData": good})
    asked_again(synced)
    assert synced.reconcile().converged
    synced.assert_log_whole()
