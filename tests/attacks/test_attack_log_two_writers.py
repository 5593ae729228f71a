"""Two writers: two reconcilers use one log at the same time.

The store's compare-and-swap takes one append and refuses the other (FW1804) before anything of it is applied;
the log holds what the first one wrote, once. Of the second run nothing can be logged: it has no log to write
to.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from attack_members import stopped
from audit_helpers import drift, open_log, trust
from e2e_world import Fleet, Plane, states

from reconciler.audit.codes import LogConflictError
from reconciler.audit.entry import Intent
from reconciler.pipeline.reconcile import reconcile
from reconciler.pipeline.run import MemberState

pytestmark = pytest.mark.real
WRITERS = 4
ROUNDS = 5


def test_of_writers_that_start_from_one_state_one_wins(tmp_path: Path) -> None:
    open_log(tmp_path).append([trust()])
    barrier = threading.Barrier(WRITERS)

    def write(number: int) -> bool:
        log = open_log(tmp_path)
        barrier.wait(30)
        try:
            log.append([drift(number)])
        except LogConflictError as error:
            assert error.code == "FW1804"
            return False
        finally:
            barrier.wait(30)
        return True

    with ThreadPoolExecutor(WRITERS) as pool:
        for _ in range(ROUNDS):
            assert sum(pool.map(write, range(WRITERS))) == 1
    log = open_log(tmp_path)
    assert (log.size, log.verify().ok) == (1 + ROUNDS, True)


def test_a_run_whose_log_was_moved_on_applies_nothing(applied: Fleet, a: Plane) -> None:
    """It opened the log before the other run wrote, and goes on after."""
    with applied.wiring() as wiring:
        checks, members, writes = wiring.checks(), wiring.members(), wiring.writes()
        writes.log.state()
        assert applied.reconcile().converged
        assert a.data("settings") == {"colour": "green"}
        a.unguard()
        a.by_hand("DELETE", "/api/v1/namespaces/default/configmaps/extra")  # the late run would have work
        error = stopped(applied, "FW1804", run=lambda: asyncio.run(reconcile(checks, members, writes)))
    assert isinstance(error, LogConflictError)
    assert a.data("extra") is None, "a run without a log repairs nothing either"
    intents = [entry for entry in applied.entries() if isinstance(entry, Intent)]
    assert len(intents) == 6, "one a member and commit"
    assert set(states(applied.reconcile()).values()) <= {MemberState.APPLIED, MemberState.SYNCED}
    applied.assert_log_whole()
