"""Forged checkpoint: whoever writes the store has no key of the log, and signs a tree of their own.

The log itself is attacked: the run stops, and nothing is written into it.
"""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from attack_members import forget, stopped, verified
from audit_helpers import KeySigner
from e2e_world import Fleet

from reconciler.audit.checkpoint import Checkpoint, sign_checkpoint
from reconciler.audit.merkle import EMPTY_ROOT
from reconciler.surfaces.signing import ORIGIN
from reconciler.surfaces.wiring import clock

pytestmark = pytest.mark.real
THIEF = KeySigner(b"t" * 32)


def resigned(log: Path, by: KeySigner, text: str = "") -> bytes:
    """The checkpoint's text, or another, with one signature by that key."""
    lines = (text or (log / "checkpoint").read_text()).split("\n")
    size, root = int(lines[1]), base64.b64decode(lines[2])
    return sign_checkpoint(Checkpoint(ORIGIN, size, root), by)


def test_a_checkpoint_by_another_key(applied: Fleet) -> None:
    path = applied.log_folder / "checkpoint"
    good = path.read_bytes()
    text, _, signatures = good.partition(b"\n\n")
    theirs = resigned(applied.log_folder, THIEF)
    forged = {
        "the same text by another key": theirs,
        "an empty tree by another key": sign_checkpoint(Checkpoint(ORIGIN, 0, EMPTY_ROOT), THIEF),
        "the old signature under another size": text.replace(b"\n", b"\n1", 1) + b"\n\n" + signatures,
        "another name on their signature": theirs.replace(ORIGIN.encode(), b"x.example/log"),
        "their signature under our key's id": text + b"\n\n" + _under_our_id(signatures, theirs),
    }
    for name, data in forged.items():
        for memory in (True, False):
            if not memory:
                forget(applied)
            path.write_bytes(data)
            assert stopped(applied, "FW1801").hint, name
    assert verified(applied) == {"FW1801"}
    # With theirs beside ours the checkpoint is ours still: unknown signatures are those of witnesses.
    path.write_bytes(good + theirs.partition(b"\n\n")[2])
    with applied.wiring() as wiring:
        assert wiring.log_view().size


def _under_our_id(ours: bytes, theirs: bytes) -> bytes:
    """The thief's 64 bytes behind the four that name our key."""
    own = base64.b64decode(ours.split()[2])[:4]
    value = base64.b64decode(theirs.partition(b"\n\n")[2].split()[2])[4:]
    return f"— {ORIGIN} {base64.b64encode(own + value).decode()}\n".encode()


def test_a_whole_log_by_another_key(applied: Fleet) -> None:
    """Everything is consistent in itself; a reader who pins no key has nothing to hold it against."""
    from reconciler.audit.log import Log
    from reconciler.audit.store_directory import DirectoryStore

    entries = applied.entries()
    with applied.wiring() as wiring:
        view = wiring.log_view()
        bodies = {digest: view.body(digest) for entry in entries for digest in entry.body_digests()}
    (applied.log_folder).rename(applied.machine / "aside")
    theirs = Log.open(DirectoryStore(applied.log_folder), THIEF, origin=ORIGIN, clock=clock)
    theirs.append(entries, bodies)
    assert theirs.verify().ok
    forget(applied)
    error = stopped(applied, "FW1801")
    assert "no known key" in error.message
