"""What a join leaves on the primary's side: a sealed file, or a Secret; and how it is forgotten."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e_world import Plane
from join_ways import waiting
from join_world import World

from reconciler.errors import FleetwardError
from reconciler.member.bootstrap import primary_objects
from reconciler.model import PRIMARY_NAMESPACE
from reconciler.pipeline.run import MemberState
from reconciler.surfaces.stores import forget, store

pytestmark = pytest.mark.real
SECRETS = f"/api/v1/namespaces/{PRIMARY_NAMESPACE}/secrets"
OURS = f"{SECRETS}/member-member-b"


@pytest.fixture
def primary(world: World, a: Plane, shared: Path) -> Iterator[Plane]:
    """member-a is registered, and the primary by the Federation, which wants Secrets."""
    folder = world.fleet.settings.credentials
    folder.mkdir(mode=0o700, exist_ok=True)
    shutil.copy(shared / "credentials" / "member-a.kubeconfig", folder)
    federation = world.fleet.federation(primary="member-a", credentials={"store": "secrets"})
    world.fleet.commit({"federation.yaml": federation}, world.fleet.registration("member-a"))
    assert world.fleet.reconcile().converged
    yield a
    a.send("DELETE", OURS)


def prepare(plane: Plane) -> None:
    """As ``kubectl apply -f bootstrap/primary.yaml`` does it."""
    for item in primary_objects():
        path = f"/apis/{item['apiVersion']}/namespaces/{PRIMARY_NAMESPACE}/{item['kind'].lower()}s"
        path = "/api/v1/namespaces" if item["kind"] == "Namespace" else path
        assert plane.send("POST", path, item) in (201, 409)


def proposed(world: World) -> Any:
    text = world.fleet.repo.git("show", "join/member-b:clusters/member-b.yaml")
    return yaml.safe_load(text)["spec"]["credentials"]


def gone(world: World) -> tuple[str, ...]:
    """What a kick forgets."""
    with world.fleet.wiring() as wiring:
        return asyncio.run(forget(wiring, "member-b"))


def test_a_join_that_is_kept_in_a_secret(world: World, primary: Plane, b: Plane, tmp_path: Path) -> None:
    token = world.token("--cluster", "member-b")
    with world.serving() as endpoint:
        if primary.get(f"/api/v1/namespaces/{PRIMARY_NAMESPACE}") is None:
            world.join(b, token, exits=2)
            assert any("FW1793" in line for line in endpoint.said), "the operator is told"
        prepare(primary)
        somebodys = {"metadata": {"name": "member-member-b"}, "stringData": {"token": "theirs"}}
        primary.must("POST", SECRETS, somebodys)
        world.join(b, token, exits=2)
        assert any("FW1794" in line for line in endpoint.said)
        assert base64.b64decode(primary.must("GET", OURS)["data"]["token"]) == b"theirs"
        primary.must("DELETE", OURS)
        world.join(b, token)  # the same token finishes it
    assert world.kinds("token-used", "member-joined") == ["token-used", "member-joined"]
    assert proposed(world) == {"secretRef": {"namespace": PRIMARY_NAMESPACE, "name": "member-member-b"}}
    stored = primary.must("GET", OURS)
    assert (stored["type"], stored["metadata"]["labels"]) == ("Opaque", {"fleetward.io/cluster": "member-b"})
    world.keep("credential", base64.b64decode(stored["data"]["token"]).decode())
    assert not (world.fleet.settings.credentials / "joined").exists()
    world.merge("member-b")
    world.allow_config_maps(b)
    assert {m.cluster: m.state for m in world.fleet.reconcile().members}["member-b"] is MemberState.APPLIED
    assert b.data("settings") == {"colour": "blue"}
    examined = world.command("doctor", "--cluster", "member-b", "--output", "json", exits=0)
    assert "credentials.usable" in examined
    assert world.scan(tmp_path) == []
    assert gone(world) == tuple(f"Secret {PRIMARY_NAMESPACE}/{of}-member-b" for of in ("member", "viewer"))
    assert primary.get(OURS) is None
    assert gone(world) == ()
    primary.must("POST", SECRETS, somebodys)
    with pytest.raises(FleetwardError, match="not this member's"):
        gone(world)


def test_the_primary_itself_is_in_a_file_and_what_is_stored_may_be_stored_again(
    world: World, primary: Plane
) -> None:
    prepare(primary)
    with world.fleet.wiring() as wiring:
        assert store(wiring, "member-a", "first", "reads") == {
            "credentials": {"tokenFile": "joined/member-a.token"}  # registered, and without a viewer
        }
        for credential in ("first", "first", "second"):
            where = store(wiring, "member-b", credential, "reads")["credentials"]
            assert where == {"secretRef": {"namespace": PRIMARY_NAMESPACE, "name": "member-member-b"}}
            assert base64.b64decode(primary.must("GET", OURS)["data"]["token"]).decode() == credential
    path = world.fleet.settings.credentials / "joined" / "member-a.token"
    assert path.read_bytes().startswith(b"fleetward-sealed-v1\n")
    with world.fleet.wiring() as wiring:
        assert asyncio.run(forget(wiring, "member-a")) == ("joined/member-a.token",)
    assert not path.exists()


def test_a_sealed_file_is_forgotten_and_doctor_opens_it(world: World, b: Plane) -> None:
    token = world.token("--cluster", "member-b")
    with world.serving():
        world.join(b, token)
    assert proposed(world) == {"tokenFile": "joined/member-b.token"}
    assert "credentials.sealed" in world.command("doctor", "--output", "json")
    key = world.fleet.settings.seal_keys.path
    key.rename(key.with_suffix(".away"))
    assert "FW1790" in world.command("doctor", "--output", "json", exits=1)
    key.with_suffix(".away").rename(key)
    assert gone(world) == ("joined/member-b.token", "joined/member-b.viewer.token")
    assert gone(world) == ()


def unused(world: World) -> dict[str, Any]:
    """What ``fleetward doctor`` says of stored credentials."""
    done = world.fleet.run("doctor", "--output", "json", "--quiet")
    results: list[dict[str, Any]] = json.loads(done.stdout)["host"]
    (one,) = [one for one in results if one["check"] == "credentials.unused"]
    return one


def give_up(world: World, plane: Plane) -> None:
    """A join whose proposal is deleted."""
    with world.serving():
        world.join(plane, world.token("--cluster", "member-b"))
    assert unused(world)["result"] == "ok", "it is joining"
    world.fleet.repo.git("branch", "-D", "join/member-b")


def test_what_a_proposal_that_was_given_up_leaves_is_told_and_taken_away(world: World, b: Plane) -> None:
    give_up(world, b)
    folder = world.fleet.settings.credentials / "joined"
    (folder / "nobody.token").write_bytes((folder / "member-b.token").read_bytes())
    found = unused(world)
    assert found["result"] == "warning"
    assert found["found"] == "joined/member-b.token, joined/member-b.viewer.token, joined/nobody.token"
    assert found["hint"] == "`fleetward kick member-b --gone`; delete what is no cluster's any more"
    (folder / "nobody.token").unlink()
    world.command("kick", "member-b", "--gone", "--yes")
    assert sorted(folder.iterdir()) == []
    assert unused(world)["result"] == "ok"
    world.fleet.commit(waiting(world, b, "member-b"))
    world.fleet.reconcile()
    with world.serving():
        world.join(b, world.token("--cluster", "member-b"))
    assert (folder / "member-b.token").exists()
    assert unused(world)["result"] == "ok"


def test_a_waiting_registration_says_what_an_earlier_join_left(world: World, b: Plane) -> None:
    give_up(world, b)
    world.fleet.commit(waiting(world, b, "member-b"))
    world.fleet.reconcile()
    with world.serving():
        said = world.join(b, world.token("--cluster", "member-b"), exits=2)
    assert "FW1747" in said
    assert "'Giving up' in docs/joining.md" in said


def test_secrets_of_a_proposal_that_was_given_up(world: World, primary: Plane, b: Plane) -> None:
    prepare(primary)
    give_up(world, b)
    names = [f"Secret {PRIMARY_NAMESPACE}/{of}-member-b" for of in ("member", "viewer")]
    found = unused(world)
    assert (found["result"], found["found"]) == ("warning", ", ".join(names))
    world.command("kick", "member-b", "--gone", "--yes")
    assert primary.get(OURS) is None
    assert unused(world)["result"] == "ok"
