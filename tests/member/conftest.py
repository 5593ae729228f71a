"""One control plane for this room, since a member has one record and one guard."""

from collections.abc import Iterator

import pytest
from member_world import ControlPlane, World

from reconciler.sandbox.local import Sandbox


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A bootstrapped cluster with controllers, and a token of the reconciler."""
    with Sandbox(tmp_path_factory.mktemp("member-sandbox")) as sandbox:
        plane = ControlPlane(sandbox.up(["member"])["member"])
        plane.bootstrap()
        yield plane


@pytest.fixture
def world(control_plane: ControlPlane) -> Iterator[World]:
    """The cluster without anything federated; what the test federates goes with it."""
    control_plane.clear()
    yield World(control_plane)
    control_plane.clear()
