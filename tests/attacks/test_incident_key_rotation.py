"""Runbook: a signer's key is due for a change. Each step as docs/runbook.d/140-attacks.md says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from attack_kit import PEOPLE, Fleet, subjects

pytestmark = pytest.mark.real
FLEETWARD = Path(sys.executable).parent / "fleetward"


def trust(fleet: Fleet, *arguments: str) -> str:
    """``fleetward trust ...`` in the work tree: it writes, and pushes nothing."""
    done = subprocess.run(
        [str(FLEETWARD), "trust", *arguments, "--repo", str(fleet.repo.path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def wait(fleet: Fleet, by: timedelta) -> None:
    now = fleet.clock() + by
    fleet.clock = lambda: now


def test_a_rotation_with_an_overlap(fleet: Fleet) -> None:
    # 1. Dave makes a new key and writes it into the root, his old one for seven days more.
    old = fleet.repo.person("dave")
    new = fleet.repo.person("dave-new")
    trust(fleet, "rotate", "dave", "--key", f"{new.private_key}.pub", "--overlap", "168h")
    # 2. Whoever has to agree signs that.
    fleet.repo.commit({}, by="alice")
    fleet.accepted()
    assert fleet.root_version() == 2
    # 3. Both keys count for now.
    fleet.change("by-old", by="dave")
    fleet.accepted()
    fleet.change("by-new", by="dave-new")
    fleet.accepted()
    # 4. What is first seen after the overlap needs the new key.
    wait(fleet, timedelta(days=8))
    late = fleet.change("late", by="dave")
    assert subjects(fleet.refused("FW1211")) == {late}
    fleet.move(f"{late}~1")
    fleet.change("in-order", by="dave-new")
    fleet.accepted()
    # 5. The old key is taken out; what it signed stays accepted.
    trust(fleet, "revoke", "dave", "--key", old.public_key)
    fleet.repo.commit({}, by="alice")
    fleet.accepted()
    assert fleet.root_version() == 3


def test_a_rotation_cannot_be_agreed_to_by_the_new_key(fleet: Fleet) -> None:
    new = fleet.repo.person("dave-new")
    trust(fleet, "rotate", "dave", "--key", f"{new.private_key}.pub")
    fleet.repo.commit({}, by="dave-new")
    fleet.refused("FW1206")


def test_a_lost_key(make: Callable[..., Fleet]) -> None:
    """Nobody has it any more, and nobody else has it either: others put a new one in its place."""
    fleet = make(trust={"threshold": 2, "role": "security"}, people={**PEOPLE, "erin": ["security"]})
    # 1. Erin cannot sign. She makes a new key; two others of security agree.
    new = fleet.repo.person("erin-new")
    lost = fleet.repo.person("erin")
    trust(fleet, "revoke", "erin", "--key", lost.public_key)
    trust(fleet, "add-signer", "erin", "--role", "security", "--key", f"{new.private_key}.pub")
    text = (fleet.repo.path / "federation.yaml").read_text()
    (fleet.repo.path / "federation.yaml").write_text(text.replace("version: 3", "version: 2"))
    commit = fleet.repo.commit({}, by="alice")
    fleet.refused("FW1261")
    fleet.approve(commit, "bob")
    base = fleet.accepted()
    # 2. She signs and approves again under her name.
    fleet.approve(fleet.role(by="alice"), "erin-new", base=base)
    fleet.accepted()
    # 3. Should the lost key turn up, it is nobody's.
    fleet.change(by="erin")
    fleet.refused("FW1206")


def test_the_only_key_is_lost(make: Callable[..., Fleet]) -> None:
    """No commit can be accepted any more, and no command helps: have two signers."""
    fleet = make(people={"alice": []}, rules=[])
    text = fleet.federation({"new": []}, version=2)
    fleet.repo.commit({"federation.yaml": text}, by="new")
    fleet.refused("FW1206")
