"""Ports for pipeline tests: real Git, real OPA, a real cache file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from git_fixtures import FleetRepo
from shared_cache import shared_cache

from reconciler.pipeline.ports import CheckPorts
from reconciler.surfaces.settings import Settings
from reconciler.surfaces.wiring import Wiring


def settings(repo: FleetRepo | str, root: Path) -> Settings:
    """Settings whose folders are all below ``root``; the cache of the components stays the machine's."""
    location = repo if isinstance(repo, str) else str(repo.path)
    return Settings(location, root / "state", shared_cache(), root / "credentials", str(root / "log"))


@contextmanager
def wiring(repo: FleetRepo | str, root: Path) -> Iterator[Wiring]:
    """The product's own wiring."""
    with ExitStack() as stack:
        yield Wiring(settings(repo, root), lambda _line: None, stack)


@contextmanager
def check_ports(repo: FleetRepo | str, root: Path) -> Iterator[CheckPorts]:
    """What ``check`` needs."""
    with wiring(repo, root) as made:
        yield made.checks()
