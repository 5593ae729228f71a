"""The guard on a real API server: who may touch what is federated."""

import json
from typing import Any

import pytest
from member_world import World, results

from reconciler.member.guard import guard_objects
from reconciler.model import (
    APPLYSET_ID,
    LABEL_PART_OF,
    MEMBER_NAMESPACE,
    PARENT_NAME,
    RECONCILER_USER,
    ObjectResult,
)

pytestmark = pytest.mark.real


async def _in_force(world: World, *bodies: dict[str, Any]) -> None:
    """Applies with the guard and waits, bounded, until the API server has loaded it."""
    await world.reconcile(world.desired(world.base(), *bodies, *guard_objects(RECONCILER_USER)))
    for _ in range(200):
        probe = ("label", "configmap", "a", "-n", world.namespace, "touched=yes", "--dry-run=server")
        if world.plane.kubectl(*probe).returncode != 0:
            return
    pytest.fail("the guard did not come into force")


async def test_the_guard_refuses_everybody_else_and_lets_the_reconciler_work(world: World) -> None:
    await _in_force(world, world.config("a", x="1"))
    here = ("-n", world.namespace)

    patch = json.dumps({"data": {"x": "2"}})
    for refused in (  # all by a member of system:masters
        world.plane.kubectl("patch", "configmap", "a", *here, "-p", patch),
        world.plane.kubectl("delete", "configmap", "a", *here),
        world.plane.kubectl("label", "configmap", "a", *here, f"{LABEL_PART_OF}-"),
        world.plane.kubectl("delete", "configmap", PARENT_NAME, "-n", MEMBER_NAMESPACE),
    ):
        assert refused.returncode != 0
        assert f"is federated: only {RECONCILER_USER}" in refused.stderr
        assert "Git" in refused.stderr

    guarded = [world.base(), world.config("a", x="3"), *guard_objects(RECONCILER_USER)]
    _, report = await world.reconcile(world.desired(*guarded))
    assert results(report) == {"ConfigMap/a": ObjectResult.UPDATED}


async def test_what_is_not_federated_stays_free_and_a_label_cannot_be_forged(world: World) -> None:
    await _in_force(world, world.config("a", x="1"))

    world.plane.must("create", "configmap", "free", "-n", world.namespace, "--from-literal=x=1")
    world.plane.must("delete", "configmap", "free", "-n", world.namespace)
    forged = world.config("forged", x="1")
    forged["metadata"]["labels"] = {LABEL_PART_OF: APPLYSET_ID}
    assert "is federated" in world.plane.kubectl("create", "-f", "-", given=forged).stderr


async def test_the_control_plane_still_does_its_work(world: World) -> None:
    await _in_force(world, world.config("a", x="1"))

    # The namespace controller empties the namespace, with the federated ConfigMap in it.
    await world.reconcile(world.desired(*guard_objects(RECONCILER_USER)))

    world.plane.must("wait", "--for=delete", f"namespace/{world.namespace}", "--timeout=60s")


async def test_controllers_with_accounts_of_their_own_are_let_through(world: World) -> None:
    await _in_force(world, world.config("a", x="1"))
    delete = ("delete", "configmap", "a", "-n", world.namespace, "--dry-run=server")
    collector = "--as=system:serviceaccount:kube-system:generic-garbage-collector"

    assert "is federated" in world.plane.kubectl(*delete, collector, "--as-group=system:masters").stderr
    world.plane.must(*delete, collector, "--as-group=system:serviceaccounts:kube-system")


async def test_the_guard_that_somebody_removes_comes_back(world: World) -> None:
    await _in_force(world, world.config("a", x="1"))
    world.plane.must("delete", "validatingadmissionpolicybinding", "fleetward-guard")

    desired = world.desired(world.base(), world.config("a", x="1"), *guard_objects(RECONCILER_USER))
    plan, report = await world.reconcile(desired)

    assert [(c.ref.name, c.drift) for c in plan.changes] == [("fleetward-guard", True)]
    assert report.error == ""
