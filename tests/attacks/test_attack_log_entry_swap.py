"""Entry swap: whoever can write the store exchanges two entries, or rewrites one, hashes to match.

The tree's root is signed, so a change anywhere leads to another root than the checkpoint's. Near the end of
the log the run itself stops. Further back it is found when the entry is read, and by ``audit verify``, which
names the file: a run reads only what is new to it. The log is what was attacked, so nothing is written into
it.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from attack_members import forget, stopped
from audit_helpers import fill, open_log
from e2e_world import Fleet

from reconciler.audit.codes import LogDamagedError
from reconciler.audit.merkle import leaf_hash
from reconciler.audit.tiles import encode_bundle, parse_bundle

pytestmark = pytest.mark.real


def newest(log: Path, kind: str) -> Path:
    (folder,) = (log / kind).glob("*.p")
    return max(folder.iterdir(), key=lambda path: int(path.name))


def rewrite(bundle: Path, tile: Path, count: int, *, swap: tuple[int, int]) -> None:
    """Two entries in each other's place, and the hashes that belong to them."""
    rows = parse_bundle(bundle.read_bytes(), count)
    one, other = swap
    rows[one], rows[other] = rows[other], rows[one]
    bundle.write_bytes(encode_bundle(rows))
    tile.write_bytes(b"".join(leaf_hash(row) for row in rows))


def test_two_entries_of_the_run_that_was_last(applied: Fleet) -> None:
    log = applied.log_folder
    bundle, tile = newest(log, "tile/entries"), newest(log, "tile/0")
    count = int(bundle.name)
    rewrite(bundle, tile, count, swap=(count - 1, count - 3))
    for memory in (True, False):
        if not memory:
            forget(applied)
        error = stopped(applied, "FW1808")
        assert "right edge" in error.message


def test_an_entry_that_says_something_else(applied: Fleet) -> None:
    """Without the hashes: the bundle alone."""
    bundle = newest(applied.log_folder, "tile/entries")
    data = bundle.read_bytes()
    changed = data.replace(b'"result":"applied"', b'"result":"failed!"', 1)
    assert changed != data
    bundle.write_bytes(changed)
    assert "was altered" in stopped(applied, "FW1808").message


def test_two_old_entries_of_a_long_log(tmp_path: Path) -> None:
    fill(open_log(tmp_path), 600)
    rewrite(tmp_path / "tile/entries/000", tmp_path / "tile/0/000", 256, swap=(3, 200))
    log = open_log(tmp_path)
    findings = log.verify().findings
    assert ("FW1820", "tile/0/000") in {(finding.code, finding.subject) for finding in findings}
    for ask in (lambda: log.entry(3), lambda: log.proof(3), log.state):
        with pytest.raises(LogDamagedError) as caught:
            ask()
        assert caught.value.code == "FW1808"
