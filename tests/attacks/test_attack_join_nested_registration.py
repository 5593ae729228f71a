"""A file in ``clusters/`` that is nested without an end, pushed to the fleet's ref.

The join endpoint reads the registrations at the tip, which nobody has judged yet; a YAML parser in C that
follows such a file runs out of its stack, and the endpoint with it. It has to go on; the gate refuses the
file (FW1308).
"""

from __future__ import annotations

import pytest
from attack_joins import sources
from attack_members import Plane
from join_asking import post, prepared
from join_world import World

from reconciler.audit.entry import CommitRefused
from reconciler.pipeline.accepting import RefusedError

pytestmark = pytest.mark.real


def test_the_endpoint_outlives_it(world: World, b: Plane) -> None:
    prepared(b)
    world.fleet.commit({"clusters/nested.yaml": "spec: {apiServers: " + "[" * 200_000})
    good = world.body(b, world.token(), "member-b")
    with world.serving() as endpoint:
        assert post(world, good, source=next(sources())) == (200, "")
        assert endpoint.process.poll() is None
    with pytest.raises(RefusedError):
        world.fleet.reconcile()
    (refused,) = (entry for entry in world.entries() if isinstance(entry, CommitRefused))
    assert "FW1308" in {finding.code for finding in refused.findings}
