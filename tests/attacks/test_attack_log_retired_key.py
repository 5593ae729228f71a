"""Retired key: a key that was replaced goes on signing, by a thief who kept it or a host that was forgotten.

The log names who signs from which entry on. A host with the old key is told so before it looks at anything
(FW1227). What a thief writes behind the rotation is refused with FW1801, also where both keys are pinned: the
log itself is attacked, so the run stops and nothing is written.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from attack_members import copy_of, files_of, forget, stopped, versions
from audit_helpers import drift
from e2e_world import Fleet
from test_attack_log_forged_rotation import Thief

from reconciler.audit.codes import LogSignatureError
from reconciler.audit.entry import stamp
from reconciler.audit.state import LogState
from reconciler.audit.store_directory import DirectoryStore
from reconciler.audit.view import LogView
from reconciler.errors import TrustError
from reconciler.surfaces.signing import ORIGIN
from reconciler.surfaces.wiring import clock
from reconciler.trust.keys import ReconcilerKey, load

pytestmark = pytest.mark.real


class Retired(Thief):
    """The thief with the log's old key."""

    key: ReconcilerKey

    def _writable(self) -> ReconcilerKey:
        return self.key

    def append_anyway(self) -> None:
        self._commit(self.key, [stamp(drift(1), clock())], LogState(), {})


@pytest.fixture
def rotated(applied: Fleet, tmp_path: Path) -> tuple[Fleet, Path]:
    """The fleet with a new key, and a copy of the old one."""
    old = tmp_path / "old.key"
    shutil.copy(applied.settings.state / "reconciler.key", old)
    assert applied.run("key", "rotate").returncode == 0
    return applied, old


def test_a_host_with_the_old_key(rotated: tuple[Fleet, Path], tmp_path: Path) -> None:
    fleet, old = rotated
    host = copy_of(fleet, tmp_path / "forgotten")
    shutil.copy(old, host.settings.state / "reconciler.key")
    before, found = versions(fleet.planes.values()), files_of(host.log_folder)
    for memory in (True, False):
        if not memory:
            forget(host)
        with pytest.raises(TrustError) as caught:
            host.reconcile()
        assert caught.value.code == "FW1227"
    assert (versions(fleet.planes.values()), files_of(host.log_folder)) == (before, found)


def test_entries_behind_the_rotation(rotated: tuple[Fleet, Path]) -> None:
    fleet, old = rotated
    key = load(old)
    with fleet.wiring() as wiring:
        new = wiring.key()
    store = DirectoryStore(fleet.log_folder)
    thief = Retired.open(store, new, origin=ORIGIN, clock=clock, public_keys=[key.public_key])
    thief.key = key
    thief.append_anyway()
    stopped(fleet, "FW1801")
    forget(fleet)
    stopped(fleet, "FW1801")
    # A reader that pinned the old key as well opens the checkpoint, and is told by what the log says.
    both = LogView(store, origin=ORIGIN, public_keys=[key.public_key, new.public_key])
    with pytest.raises(LogSignatureError) as caught:
        both.state()
    assert caught.value.code == "FW1801"
    assert "last rotation names" in caught.value.message
    lines = fleet.machine / "both"
    lines.write_text("".join(f"{vkey}\n" for vkey in both.keys))
    reader = replace(fleet, machine=fleet.machine / "reader", log=str(fleet.log_folder))
    reader.settings.state.mkdir(parents=True)
    shutil.copy(lines, reader.settings.state / "reconciler.pub")
    done = reader.run("status")
    assert (done.returncode, "FW1801" in done.stderr) == (2, True), done.stderr
