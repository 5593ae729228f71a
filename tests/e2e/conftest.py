"""Two members, prepared once; every test starts with both of them empty and a fleet of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from e2e_proxy import Proxy
from e2e_world import Fleet, Plane
from join_world import World, making_world

from reconciler.sandbox.local import Sandbox
from reconciler.surfaces.provision import provision

NAMES = ("member-a", "member-b")


@pytest.fixture(scope="session")
def shared(sandbox: Sandbox, opa: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Credentials of the prepared members, and one cache for all tests."""
    folder = tmp_path_factory.mktemp("shared")
    for name in NAMES:
        provision(sandbox.members[name], folder / "credentials")
    return folder


@pytest.fixture(scope="session")
def _planes(sandbox: Sandbox, shared: Path) -> dict[str, Plane]:
    return {name: Plane(sandbox.members[name]) for name in NAMES}


@pytest.fixture
def planes(_planes: dict[str, Plane]) -> dict[str, Plane]:
    """Both members, empty."""
    for plane in _planes.values():
        plane.clear()
    return _planes


@pytest.fixture
def a(planes: dict[str, Plane]) -> Plane:
    return planes["member-a"]


@pytest.fixture
def b(planes: dict[str, Plane]) -> Plane:
    return planes["member-b"]


@pytest.fixture
def fleet(planes: dict[str, Plane], shared: Path, tmp_path: Path) -> Fleet:
    """A repository without a commit, and a reconciler without a log."""
    return Fleet.new(tmp_path, planes, shared)


@pytest.fixture
def proxy(sandbox: Sandbox, planes: dict[str, Plane]) -> Iterator[Callable[[str], Proxy]]:
    """Makes a proxy in front of a member."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(Proxy(sandbox, name))


@pytest.fixture
def world(sandbox: Sandbox, planes: dict[str, Plane], shared: Path, tmp_path: Path) -> Iterator[World]:
    """See ``making_world``."""
    with making_world(sandbox, planes, shared, tmp_path) as made:
        yield made
