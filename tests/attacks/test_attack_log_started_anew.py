"""Started anew: the log is deleted, and a fresh one is begun in its place, by the very same key.

A run never begins a log. When a person does, who was made to believe that there was none: the members' signed
records prove the old one, and the run stops at the first of them. The log is what was attacked; the fresh one
gets no entry but those of ``trust init``.
"""

from __future__ import annotations

import shutil

import pytest
from attack_members import before_last, forget, stopped, verified, versions
from e2e_world import Fleet

from reconciler.audit.entry import TrustInitialized
from reconciler.pipeline.accepting import UninitializedError

pytestmark = pytest.mark.real


def test_the_machine_remembers_that_there_was_a_log(applied: Fleet) -> None:
    shutil.rmtree(applied.log_folder)
    error = stopped(applied, "FW1810")
    assert "shorter than it was" in error.message


def test_no_run_begins_a_log(applied: Fleet) -> None:
    before = versions(applied.planes.values())
    shutil.rmtree(applied.log_folder)
    forget(applied)
    with pytest.raises(UninitializedError) as caught:
        applied.reconcile()
    assert caught.value.code == "FW1250"
    assert not applied.log_folder.exists()
    assert versions(applied.planes.values()) == before


def test_the_members_know_better_than_a_new_log(applied: Fleet) -> None:
    shutil.rmtree(applied.log_folder)
    forget(applied)
    applied.trust(applied.repo.head())
    forget(applied)
    error = stopped(applied, "FW1810")
    assert error.where in applied.planes
    assert [type(entry) for entry in applied.entries()] == [TrustInitialized]
    assert verified(applied) == {"FW1810"}
    # The way back is the newest copy; an older one will not do.
    shutil.rmtree(applied.log_folder)
    shutil.copytree(before_last(applied), applied.log_folder)
    forget(applied)
    stopped(applied, "FW1810")
