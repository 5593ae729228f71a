"""Unsigned entry: somebody who can write the store, but not sign, adds entries of their own.

Behind the checkpoint nobody reads them, and the next append takes their place. With the checkpoint moved over
them, its signature does not hold: the log itself is attacked, the run stops, nothing is written.
"""

from __future__ import annotations

import base64

import pytest
from attack_members import copy_of, forget, stopped
from audit_helpers import drift, ticking_clock
from e2e_world import Fleet

from reconciler.audit.entry import CommitAccepted, GateSummary, encode, stamp
from reconciler.audit.frontier import Frontier
from reconciler.audit.merkle import leaf_hash
from reconciler.audit.tiles import bundle_path, encode_bundle, tile_path

pytestmark = pytest.mark.real


def insert(fleet: Fleet) -> tuple[int, str]:
    """The attacker's acceptance of a commit, with the tiles that it needs; the new size and root."""
    with fleet.wiring() as wiring:
        view = wiring.log_view()
        rows = [view.raw(index) for index in range(view.size)]
        accepted = view.state().accepted
    assert accepted
    forged = CommitAccepted(
        actor="mallory", commit="e" * 40, tree="f" * 40, previous=accepted.commit, ref="refs/heads/main",
        commits=1, signers=("alice",), gate=GateSummary("sha256:" + "0" * 64, 10),
    )  # fmt: skip
    rows.append(encode(stamp(forged, ticking_clock()())))
    frontier = Frontier()
    frontier.extend(leaf_hash(row) for row in rows)
    size = len(rows)
    files = {
        bundle_path(0, size): encode_bundle(rows),
        tile_path(0, 0, size): b"".join(leaf_hash(row) for row in rows),
    }
    for name, data in files.items():
        (fleet.log_folder / name).write_bytes(data)
    return size, base64.b64encode(frontier.root()).decode()


def test_a_checkpoint_moved_over_it(applied: Fleet) -> None:
    size, root = insert(applied)
    path = applied.log_folder / "checkpoint"
    origin, *_, signature = path.read_text().rstrip("\n").split("\n")
    for memory in (True, False):
        if not memory:
            forget(applied)
        path.write_text(f"{origin}\n{size}\n{root}\n\n{signature}\n")
        error = stopped(applied, "FW1801")
        assert "does not fit the text" in error.message


def test_behind_the_checkpoint_it_is_nothing(applied: Fleet) -> None:
    victim = copy_of(applied, applied.machine / "victim")
    size, _ = insert(victim)
    assert len(victim.entries()) == size - 1
    with victim.wiring() as wiring:
        log = wiring.log(wiring.key())
        assert log.verify().ok
        head = log.state().accepted
        assert head
        assert head.commit != "e" * 40
        log.append([drift(1)])
    assert victim.entries()[-1].kind == "drift"
    victim.assert_log_whole()
