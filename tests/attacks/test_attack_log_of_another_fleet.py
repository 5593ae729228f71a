"""Another log: the checkpoint, or the whole log, of another fleet is put in the place of this one's.

A checkpoint names its log (origin). Two fleets whose reconcilers share a key share the origin too; then it is
the log's first entry that says whose it is, the memory of this machine, and the members' records. The log
itself is attacked, so that nothing of it can be trusted and the run stops.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from attack_members import forget, stopped
from e2e_world import Fleet

from reconciler.audit.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from reconciler.audit.codes import LogSignatureError
from reconciler.audit.note import VerifierKey, sign_note
from reconciler.audit.proof import Proof, check_proof, format_proof
from reconciler.pipeline.accepting import TeleportError
from reconciler.surfaces.signing import ORIGIN

pytestmark = pytest.mark.real


def test_a_checkpoint_of_another_origin_by_the_same_key(applied: Fleet) -> None:
    """Somebody had the key sign another log's checkpoint, with the very same size and root."""
    with applied.wiring() as wiring:
        log, key = wiring.log_view(), wiring.key()
        other = Checkpoint("other.example/log", log.size, log.root)
        signed = sign_checkpoint(other, key)
        # The text of the other log under a good signature that names this one.
        renamed = sign_note(other.text(), ORIGIN, key)
        path, entry = log.inclusion_proof(1), log.raw(1)
    keys = [VerifierKey(ORIGIN, key.public_key)]
    for forged in (signed, renamed):
        (applied.log_folder / "checkpoint").write_bytes(forged)
        stopped(applied, "FW1801")
        with pytest.raises(LogSignatureError):
            open_checkpoint(forged, ORIGIN, keys)
        with pytest.raises(LogSignatureError):
            check_proof(format_proof(Proof(1, path, forged)), entry, ORIGIN, keys)


def test_the_log_of_another_fleet_with_the_same_key(applied: Fleet, tmp_path: Path) -> None:
    other = Fleet.new(tmp_path / "other", {}, applied.shared)
    (other.machine / "state").mkdir(parents=True)
    for name in ("reconciler.key", "reconciler.pub"):
        shutil.copy(applied.settings.state / name, other.settings.state / name)
    other.start(applied.registration("member-a"))
    shutil.rmtree(applied.log_folder)
    shutil.copytree(other.log_folder, applied.log_folder)
    stopped(applied, "FW1810")
    forget(applied)
    with pytest.raises(TeleportError) as caught:
        applied.reconcile()
    assert caught.value.code == "FW1251"
    assert caught.value.expected == str(other.repo.path)
    last = applied.entries()[-1]
    assert last.kind == "commit-refused", "the one whose log it is finds it there"
