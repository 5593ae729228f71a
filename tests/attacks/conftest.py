"""Every attack starts with a fleet that was trusted; all of them need a real OPA."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from attack_joins import front, world  # noqa: F401
from attack_kit import Fleet
from attack_members import a, all_planes, applied, b, prepared, proxy, shared_victim, synced  # noqa: F401


@pytest.fixture
def make(tmp_path: Path, opa: str) -> Callable[..., Fleet]:
    """Makes a fleet with other rules, trust or files."""
    return lambda **more: Fleet(tmp_path / "victim", **more)


@pytest.fixture
def fleet(make: Callable[..., Fleet]) -> Fleet:
    return make()
