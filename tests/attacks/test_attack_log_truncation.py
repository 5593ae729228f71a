"""Truncation: whoever can write the log's store cuts off its end, or takes files away.

The log itself is attacked, so no entry in it could be trusted: the run stops with the code, before anything
is accepted or applied.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from attack_members import before_last, forget, stopped
from e2e_world import Fleet

from reconciler.audit.codes import LogBehindError, LogDamagedError

pytestmark = pytest.mark.real


def newest(log: Path, kind: str) -> Path:
    """The newest partial tile of entries or of hashes."""
    (folder,) = (log / kind).glob("*.p")
    return max(folder.iterdir(), key=lambda path: int(path.name))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


CUTS: dict[str, Callable[[Path], object]] = {
    "no checkpoint": lambda log: (log / "checkpoint").unlink(),
    "an empty checkpoint": lambda log: (log / "checkpoint").write_bytes(b""),
    "half a checkpoint": lambda log: cut(log / "checkpoint"),
    "no newest entries": lambda log: newest(log, "tile/entries").unlink(),
    "no newest hashes": lambda log: newest(log, "tile/0").unlink(),
    "entries cut": lambda log: cut(newest(log, "tile/entries")),
    "hashes cut": lambda log: cut(newest(log, "tile/0")),
    "no tiles at all": lambda log: shutil.rmtree(log / "tile"),
}


def test_files_that_are_missing_or_cut(applied: Fleet) -> None:
    whole = applied.machine / "whole"
    shutil.copytree(applied.log_folder, whole)
    for name, damage in CUTS.items():
        shutil.rmtree(applied.log_folder)
        shutil.copytree(whole, applied.log_folder)
        damage(applied.log_folder)
        assert isinstance(stopped(applied, "FW1808"), LogDamagedError), name


def test_an_older_checkpoint_over_the_same_files(applied: Fleet) -> None:
    """Well signed, and every tile below it is there: only what was seen since then tells."""
    shutil.copy(before_last(applied) / "checkpoint", applied.log_folder / "checkpoint")
    error = stopped(applied, "FW1810")
    assert isinstance(error, LogBehindError)
    assert error.where == str(applied.log_folder), "by what the machine remembers, before a member is asked"
    forget(applied)
    assert stopped(applied, "FW1810").where in applied.planes, "and by what the members prove"
