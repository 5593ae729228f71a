"""Started anew: the log is deleted, and a fresh one is begun in its place, by the very same key.

A run never begins a log. When a person does, who was made to believe that there was none: the members' signed
records prove the old one, and the run stops at the first of them. The log is what was attacked; the fresh one gets
no entry but those of ``trust init``.
"""

from __future__ import annotations

import shutil

import pytest
from attack_members import before_last, forget, stopped, verified, versions
from e2e_world import Fleet

from reconciler.audit.entry import TrustInitialized
from reconciler.pipeline.accepting import UninitializedError

pytestmark = pytest.mark.real


def test_the_machine_remembers_that_there_was_a_log(stolen: Fleet) -> None:
    shutil.rmtree(stolen.log_folder)
    error = stopped(stolen, "FW1810")
    assert "shorter than it was" in error.message


def test_no_run_begins_a_log(stolen: Fleet) -> None:
    before = versions(stolen.planes.values())
    shutil.rmtree(stolen.log_folder)
    forget(stolen)
    with pytest.raises(UninitializedError) as caught:
        stolen.reconcile()
    assert caught.value.code == "FW1250"
    assert not stolen.log_folder.exists()
    assert versions(stolen.planes.values()) == before


def test_the_members_know_better_than_a_new_log(stolen: Fleet) -> None:
    shutil.rmtree(stolen.log_folder)
    forget(stolen)
    stolen.trust(stolen.repo.head())
    forget(stolen)
    error = stopped(stolen, "FW1810")
    assert error.where in stolen.planes
    assert [type(entry) for entry in stolen.entries()] == [TrustInitialized]
    assert verified(stolen) == {"FW1810"}
    # The way back is the newest copy; an older one will not do.
    shutil.rmtree(stolen.log_folder)
    shutil.copytree(before_last(stolen), stolen.log_folder)
    forget(stolen)
    stopped(stolen, "FW1810")
