"""Revoked certificate: a certificate that its authority took back signs on.

It is well made and within its time; only the authority's revocation list tells.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from attack_certificates import LONG, Certified
from attack_kit import PEOPLE, Fleet

pytestmark = pytest.mark.real


@pytest.mark.parametrize("line", ["serial: 7", "id: id", "serial: 5-9"])
def test_by_serial_and_by_id(tmp_path: Path, make: Callable[..., Fleet], line: str) -> None:
    world = Certified(tmp_path / "shop", make, line)
    world.commit(world.certificate("-z", "7", *LONG))
    world.fleet.refused("FW1212")


def test_by_its_key(tmp_path: Path, make: Callable[..., Fleet]) -> None:
    """Another certificate over a lost key is as bad as the first."""
    world = Certified(tmp_path / "shop", make)
    world.commit(world.certificate("-z", "7", *LONG))
    world.fleet.accepted()
    key = (world.shop.folder / "erin.pub").read_text().strip()
    authority = world.authority(f"key: {key}", number=2)
    root = world.fleet.federation(version=2, more=world.more, authorities=[authority])
    world.fleet.repo.git("reset", "-q", "--hard")
    world.fleet.repo.commit({"federation.yaml": root})
    world.fleet.accepted()
    world.commit(world.certificate("-z", "8", *LONG))
    world.fleet.refused("FW1212")


def test_a_revoked_key_that_is_listed_as_a_plain_key(tmp_path: Path, make: Callable[..., Fleet]) -> None:
    world = Certified(tmp_path / "shop", make)
    line = " ".join((world.shop.folder / "erin.pub").read_text().split()[:2])
    authority = world.authority(f"key: {line}", number=2)
    more = [{"name": "erin", "keys": [line]}]
    root = world.fleet.federation(PEOPLE, version=2, more=more, authorities=[authority])
    world.fleet.repo.commit({"federation.yaml": root})
    world.fleet.accepted()
    world.commit(world.key)
    world.fleet.refused("FW1212")


def test_a_revocation_in_the_same_push_counts_from_there_on(
    tmp_path: Path, make: Callable[..., Fleet]
) -> None:
    world = Certified(tmp_path / "shop", make)
    authority = world.authority("serial: 7", number=2)
    root = world.fleet.federation(version=2, more=world.more, authorities=[authority])
    world.fleet.repo.commit({"federation.yaml": root})
    world.commit(world.certificate("-z", "7", *LONG))
    world.fleet.refused("FW1212")
