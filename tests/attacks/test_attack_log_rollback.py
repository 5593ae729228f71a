"""Rollback: an old copy of the whole log is put back, every file of it good and well signed.

The log itself is attacked: the run stops, and no entry is written into the old copy. What proves the rollback
is outside the log: this machine's memory, every member's signed record, a checkpoint that somebody kept.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from attack_members import before_last, forget, stopped, verified
from e2e_world import Fleet

pytestmark = pytest.mark.real


@pytest.fixture
def rolled_back(applied: Fleet, tmp_path: Path) -> Fleet:
    """The log without the change set that was applied last; a reader had kept the newest checkpoint."""
    shutil.copy(applied.log_folder / "checkpoint", tmp_path / "kept")
    shutil.rmtree(applied.log_folder)
    shutil.copytree(before_last(applied), applied.log_folder)
    return applied


def test_by_what_this_machine_remembers(rolled_back: Fleet) -> None:
    error = stopped(rolled_back, "FW1810")
    assert error.where == str(rolled_back.log_folder)
    assert "shorter than it was" in error.message


def test_by_what_the_members_prove(rolled_back: Fleet, tmp_path: Path) -> None:
    forget(rolled_back)
    error = stopped(rolled_back, "FW1810")
    assert error.where in rolled_back.planes
    assert "lost or rolled back" in error.message
    assert verified(rolled_back) == {"FW1810"}, "an auditor of one member sees it too"


def test_by_a_checkpoint_that_a_reader_kept(rolled_back: Fleet, tmp_path: Path) -> None:
    forget(rolled_back)
    done = rolled_back.run("audit", "verify", "--checkpoint", str(tmp_path / "kept"))
    assert (done.returncode, "FW1810" in done.stderr) == (2, True), done.stderr
    alone = rolled_back.run("audit", "verify")
    assert alone.returncode == 0, "by itself an old copy is whole: what is outside the log has to be asked"
