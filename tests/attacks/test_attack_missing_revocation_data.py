"""Missing revocation data: the list that would tell is taken away, or made unreadable.

Not to know whether a certificate was revoked is an error and no warning. That an authority has no list has to
be said on purpose (`revocation: none`), in the trust root.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from attack_certificates import Certified
from attack_kit import Fleet

pytestmark = pytest.mark.real


@pytest.fixture
def world(tmp_path: Path, make: Callable[..., Fleet]) -> Certified:
    return Certified(tmp_path / "shop", make, "serial: 7")


def root(world: Certified, **authority: object) -> None:
    listed = {key: value for key, value in {**world.authority(), **authority}.items() if value is not None}
    text = world.fleet.federation(version=2, more=world.more, authorities=[listed])
    world.fleet.repo.commit({"federation.yaml": text})


def test_the_list_is_left_out(world: Certified) -> None:
    root(world, krl=None)
    world.fleet.refused("FW1325")


def test_the_list_is_cut_off(world: Certified) -> None:
    root(world, krl=str(world.authority()["krl"])[:40])
    world.fleet.refused("FW1215")


def test_the_list_is_something_else(world: Certified) -> None:
    root(world, krl="bm90IGEga3Js")
    world.fleet.refused("FW1215")


def test_the_list_is_switched_off_and_used_in_one_push(world: Certified) -> None:
    """The root that says so has to be agreed to first; then it is a decision, and in the log."""
    root(world, krl=None, revocation="none")
    world.commit(world.certificate("-z", "7", "-V", "20200101000000:21000101000000"))
    world.fleet.accepted()
    assert world.fleet.root_version() == 2
