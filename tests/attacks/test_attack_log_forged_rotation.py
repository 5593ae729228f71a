"""Forged rotation: a thief who writes the store has the log name a successor of the thief's choice.

The new key is believed only where the old one signed for it, at that very place of that very tree. Nobody
follows a forged step: the checkpoint above it is by an unknown key (FW1801), the run stops and nothing is
written; a writer that is given such an entry refuses it (FW1803).
"""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from attack_members import forget, stopped, verified
from audit_helpers import KeySigner
from e2e_world import Fleet

from reconciler.audit.codes import EntryError
from reconciler.audit.entry import KeyRotated, RotationReason, stamp
from reconciler.audit.log import Log
from reconciler.audit.rotation import rotated
from reconciler.audit.state import LogState
from reconciler.audit.store_directory import DirectoryStore
from reconciler.audit.view import LogView
from reconciler.model import Signer
from reconciler.surfaces.signing import ORIGIN
from reconciler.surfaces.wiring import clock

pytestmark = pytest.mark.real
THIEF = KeySigner(b"t" * 32)
LOSS, ROTATION = RotationReason.LOSS, RotationReason.ROTATION


class Thief(Log):
    """A writer that keeps no rules."""

    def _follow(self, _entries: object) -> LogState:
        return LogState()

    def _writable(self) -> Signer:
        return THIEF

    def forge(self, step: KeyRotated) -> None:
        self._commit(THIEF, [stamp(step, clock())], LogState(), {})


def steps(log: LogView, key: Signer) -> dict[str, KeyRotated]:
    """What the thief may write; ``key`` is the log's, of which the thief has only what it once signed."""

    def step(by: Signer | None, reason: RotationReason = ROTATION, **place: object) -> KeyRotated:
        facts: dict[str, object] = {"index": log.size, "root": log.root, **place}
        present = log.state().public_key
        return rotated(ORIGIN, present, THIEF, actor="x", reason=reason, old_signer=by, **facts)  # type: ignore[arg-type]

    old = step(key, index=3, root=log.root_at(3))  # a statement that was signed once and never used
    return {
        "the thief alone": step(THIEF),
        "the thief twice": replace(step(THIEF), signatures=(step(THIEF).signatures[0],) * 2),
        "a statement for another place": old,
        "that statement's signatures under this place": replace(step(THIEF), signatures=old.signatures),
        "as if the key were lost": step(None, LOSS),
    }


def test_a_forged_step_leads_nobody_to_the_thief(applied: Fleet) -> None:
    forget(applied)
    whole = applied.machine / "whole"
    shutil.copytree(applied.log_folder, whole)
    with applied.wiring() as wiring:
        key, view = wiring.key(), wiring.log_view()
        forged = steps(view, key)
    for name, step in forged.items():
        shutil.rmtree(applied.log_folder)
        shutil.copytree(whole, applied.log_folder)
        store = DirectoryStore(applied.log_folder)
        Thief.open(store, key, origin=ORIGIN, clock=clock).forge(step)
        forget(applied)
        error = stopped(applied, "FW1801")
        if step.reason is LOSS:
            assert "ask the log's owner" in error.hint, name
    assert verified(applied) == {"FW1801"}


def test_a_writer_takes_no_forged_step(applied: Fleet) -> None:
    with applied.wiring() as wiring:
        key = wiring.key()
        log = wiring.log(key)
        size = log.size
        for name, step in steps(log, key).items():
            if step.reason is LOSS:
                continue  # a person with the old public key alone does just that: `key rotate --lost`
            with pytest.raises(EntryError) as caught:
                log.rotate(step, THIEF)
            assert caught.value.code == "FW1803", name
    assert len(applied.entries()) == size
