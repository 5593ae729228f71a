"""Another key's change set: right in everything, signed by a key that is not the reconciler's.

Apply verifies the signature itself, on the bytes that it is given: FW1231, and nothing is written. In a run
the refusal is the outcome of the intent.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace

import pytest
from attack_members import hand_over, logged_change_sets, versions
from e2e_world import Fleet, Plane, result

from reconciler import dsse
from reconciler.audit.entry import Outcome, OutcomeResult
from reconciler.errors import TrustError
from reconciler.pipeline.reconcile import reconcile
from reconciler.pipeline.run import MemberState
from reconciler.trust import SignedChangeSet, open_change_set, sign_change_set
from reconciler.trust.keys import ReconcilerKey

pytestmark = pytest.mark.real
THIEF = ReconcilerKey.from_seed(b"t" * 32)


@dataclass(frozen=True)
class Exchanged:
    """A token in which somebody put another private key under the public one that everybody knows."""

    public_key: bytes

    def sign(self, message: bytes) -> bytes:
        return THIEF.sign(message)


def test_handed_over_with_a_forged_signature(applied: Fleet) -> None:
    before = versions(applied.planes.values())
    with applied.wiring() as wiring:
        key = wiring.key()
    envelope = logged_change_sets(applied, "member-a")[-1]
    good = open_change_set(envelope, [key.public_key])
    newer = replace(good.change_set, sequence=99)
    theirs = sign_change_set(newer, THIEF)
    body = json.loads(theirs.envelope)
    body["signatures"][0]["keyid"] = dsse.key_id(key.public_key)
    ours = json.loads(envelope)["signatures"]
    forged = {
        "another key": theirs.envelope,
        "another key under the id of ours": dsse.canonical(body),
        "our signature of another change set": dsse.canonical({**body, "signatures": ours}),
        "both": dsse.canonical({**body, "signatures": [*body["signatures"], *ours]}),
    }
    for name, data in forged.items():
        with pytest.raises(TrustError) as caught:
            hand_over(applied, "member-a", SignedChangeSet(data, dsse.digest(data), newer))
        assert caught.value.code == "FW1231", name
    assert versions(applied.planes.values()) == before


def test_a_run_whose_key_was_exchanged(applied: Fleet, a: Plane) -> None:
    before = versions([a])
    with applied.wiring() as wiring:
        checks, members, writes = wiring.checks(), wiring.members(), wiring.writes()
        exchanged = replace(writes, signer=Exchanged(writes.signer.public_key))
        run = asyncio.run(reconcile(checks, members, exchanged, clusters=["member-a"]))
    assert result(run, "member-a").state is MemberState.FAILED
    last = applied.entries()[-1]
    assert isinstance(last, Outcome)
    assert (last.result, last.error[:6]) == (OutcomeResult.FAILED, "FW1231")
    assert versions([a]) == before
    assert applied.reconcile().converged, "with the right key again"
    applied.assert_log_whole()
