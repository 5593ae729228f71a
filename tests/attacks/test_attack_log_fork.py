"""Fork: two copies of one log are both written, so that two readers see two histories.

Every checkpoint of both is well signed. Whoever compares one with the other sees it: this machine's memory,
the members' records, ``audit verify --checkpoint``, a witness. The log is what was attacked: the run stops.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from attack_members import copy_of, forget, stopped
from audit_helpers import ORIGIN, drift, fill, open_log, ticking_clock
from e2e_world import Fleet, Plane
from witness_server import TestWitness, serve

from reconciler.audit.codes import LogForkedError, WitnessForkError
from reconciler.audit.cosign import cosign
from reconciler.audit.since import verify_since
from reconciler.audit.witness_policy import WitnessPolicy

pytestmark = pytest.mark.real


def append(fleet: Fleet, count: int) -> None:
    """Entries that only this copy gets."""
    with fleet.wiring() as wiring:
        wiring.log(wiring.key()).append([drift(n) for n in range(count)])


def test_two_reconcilers_with_two_copies(applied: Fleet, tmp_path: Path, a: Plane) -> None:
    other = copy_of(applied, tmp_path / "other")
    assert applied.reconcile().converged
    assert a.data("settings") == {"colour": "green"}
    error = stopped(other, "FW1810")
    assert error.where in other.planes, "the members have moved on with the first copy"
    append(other, 20)
    error = stopped(other, "FW1811")
    assert isinstance(error, LogForkedError)
    assert error.where in other.planes, "as long, but not what the members prove"
    _compared(applied, other, tmp_path)
    # The second copy in the place of the first: the machine of the first remembers.
    shutil.rmtree(applied.log_folder)
    shutil.copytree(other.log_folder, applied.log_folder)
    error = stopped(applied, "FW1811")
    assert error.where == str(applied.log_folder)


def _compared(one: Fleet, other: Fleet, tmp_path: Path) -> None:
    """Two people who hold one checkpoint against the other's log."""
    kept = tmp_path / "kept"
    assert one.run("audit", "verify", "--save", str(kept)).returncode == 0
    forget(other)
    done = other.run("audit", "verify", "--checkpoint", str(kept))
    assert (done.returncode, "FW1811" in done.stderr) == (2, True), done.stderr


def test_a_witness_signs_only_one_of_them(tmp_path: Path) -> None:
    fill(open_log(tmp_path / "one"), 5)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    one, two = open_log(tmp_path / "one"), open_log(tmp_path / "two")
    one.append([drift(1)])
    two.append([drift(2), drift(3)])
    with pytest.raises(LogForkedError):
        verify_since(two, one.checkpoint)
    witness = TestWitness()
    with serve(witness):
        policy = WitnessPolicy((witness.witness,), 1)
        assert cosign(one, policy, clock=ticking_clock(), timeout=20).rows
        before = (tmp_path / "two/checkpoint").read_bytes()
        with pytest.raises(WitnessForkError) as caught:
            cosign(two, policy, clock=ticking_clock(), timeout=20)
        assert caught.value.code == "FW1835"
        assert (tmp_path / "two/checkpoint").read_bytes() == before
        assert witness.head == (one.size, one.root)
        assert two.origin == ORIGIN
