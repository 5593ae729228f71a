"""ClusterProfiles on real API servers: the mirror, its status, what others publish, and promoting for it."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e_proxy import FORWARD, Action, Canned, Forward, Hang, Proxy, Seen
from e2e_world import MERGE, Fleet, Plane, result, states, until
from join_world import RBAC, World, free_port, kubeconfig
from profiles_world import CRD, EXTRA, GROUP, SPACE, Mirror

from reconciler.pipeline.run import MemberState
from reconciler.sandbox.local import Sandbox
from reconciler.surfaces.provision import provision

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]  # a slow machine is no failure
EVERY_KIND = f"{RBAC}/clusterroles/sandbox-every-kind"


@pytest.fixture
def mirror(fleet: Fleet, a: Plane, sandbox: Sandbox, shared: Path) -> Iterator[Mirror]:
    """member-a is to be the primary, prepared with the bootstrap's rights alone."""
    made = Mirror(World(fleet, a, free_port()), a)
    made.clear()
    a.send("DELETE", EVERY_KIND)
    until(lambda: not a.must("GET", EXTRA).get("rules"), "the rights to go")
    yield made
    made.clear()
    provision(sandbox.members["member-a"], shared / "credentials")
    until(lambda: bool(a.must("GET", EXTRA).get("rules")), "the rights to come back")


def test_a_primary_that_is_not_prepared_is_said_and_not_written(mirror: Mirror) -> None:
    mirror.start()
    planned = mirror.fleet.run("plan")
    assert "FW1785" in planned.stderr
    assert "promote --cluster-profiles" in planned.stderr
    run = mirror.fleet.reconcile()
    assert states(run) == {"member-a": MemberState.REFUSED, "member-b": MemberState.APPLIED}
    assert [f.code for f in result(run, "member-a").findings] == ["FW1785"]
    assert run.profiles is not None, "the primary was reached"
    assert run.profiles.errors
    # It is no failure of the connection: the next run looks again, and the log says it once.
    assert states(mirror.fleet.reconcile())["member-a"] is MemberState.REFUSED
    assert mirror.world.kinds("member-refused") == ["member-refused"]
    mirror.promoted()
    assert states(mirror.fleet.reconcile())["member-a"] is MemberState.APPLIED


def test_a_namespace_that_is_missing_is_said(mirror: Mirror) -> None:
    mirror.start()
    mirror.promoted()
    mirror.fleet.commit({"federation.yaml": mirror.federation(clusterProfiles={"namespace": "elsewhere"})})
    run = mirror.fleet.reconcile()
    assert states(run)["member-a"] is MemberState.REFUSED
    assert "has no namespace elsewhere" in result(run, "member-a").error


def test_the_fleet_is_mirrored(mirror: Mirror, a: Plane, b: Plane) -> None:
    lost = mirror.fleet.registration("member-b", "https://127.0.0.1:1")
    lost = {"clusters/lost.yaml": lost["clusters/member-b.yaml"].replace("name: member-b", "name: lost")}
    mirror.start(lost)
    mirror.promoted()
    run = mirror.fleet.reconcile()
    assert states(run)["member-a"] is MemberState.APPLIED
    assert (run.profiles.profiles, run.profiles.written, run.profiles.errors) == (3, 3, ())  # type: ignore[union-attr]

    found = mirror.profile("member-b")
    assert found["spec"] == {"displayName": "member-b", "clusterManager": {"name": "fleetward"}}
    labels = found["metadata"]["labels"]
    assert labels["x-k8s.io/cluster-manager"] == "fleetward"
    assert labels["tier"] == "workload"
    status = found["status"]
    assert status["version"]["kubernetes"].startswith("v1.")
    uid = b.must("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"]
    (known,) = status["properties"]
    assert (known["name"], known["value"]) == ("fleetward.io/cluster-uid", uid)
    (access,) = status["accessProviders"]
    assert access["name"] == "fleetward"
    assert access["cluster"]["server"] == b.member.url
    assert set(access["cluster"]) == {"server", "certificate-authority-data"}
    assert mirror.condition("member-b", "ControlPlaneHealthy")["status"] == "True"
    assert mirror.condition("member-b", "Joined")["reason"] == "Managed"
    healthy = mirror.condition("lost", "ControlPlaneHealthy")
    assert (healthy["status"], healthy["message"].partition(":")[0]) == ("Unknown", "FW1701")
    assert mirror.condition("lost", "Joined")["reason"] == "Pending"

    # Nothing new: no status is written, nothing is drift, and the record is up to date again after one look.
    again = mirror.fleet.reconcile()
    assert states(again)["member-a"] is MemberState.SYNCED
    assert again.profiles.written == 0  # type: ignore[union-attr]
    before = a.must("GET", f"{GROUP}/clusterprofiles")["metadata"]["resourceVersion"], a.versions()
    cheap = mirror.fleet.reconcile()
    assert result(cheap, "member-a").requests < result(again, "member-a").requests
    assert a.versions() == before[1]
    verified = mirror.fleet.run("verify", "--cluster", "member-a")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    mirror.fleet.assert_log_whole()


def test_what_others_may_write_and_what_they_may_not(mirror: Mirror, a: Plane) -> None:
    mirror.start()
    mirror.promoted()
    mirror.fleet.reconcile()
    change = {"spec": {"displayName": "x"}}
    tried = f"{mirror.path('member-b')}?dryRun=All"  # the guard takes a moment
    until(lambda: a.send("PATCH", tried, change, MERGE) == 403, "the guard")
    ours = mirror.profile("member-b")["status"]
    other = {"name": "location", "value": "apac"}
    body = {
        "apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ClusterProfile",
        "metadata": {"name": "member-b", "namespace": SPACE}, "status": {"properties": [other]},
    }  # fmt: skip
    a.apply(f"{mirror.path('member-b')}/status", body, "scheduler")
    run = mirror.fleet.reconcile()
    assert states(run)["member-a"] is MemberState.SYNCED
    assert result(run, "member-a").plan.drift == ()  # type: ignore[union-attr]
    assert run.profiles.written == 0  # type: ignore[union-attr]
    now = mirror.profile("member-b")["status"]
    assert other in now["properties"]
    assert now["conditions"] == ours["conditions"]
    assert mirror.fleet.run("verify", "--cluster", "member-a").returncode == 0
    # A field that somebody else took by force is theirs: that is said, and fails nothing.
    body["status"] = {"version": {"kubernetes": "v0.0.0"}}
    a.must("PATCH", f"{mirror.path('member-b')}/status?fieldManager=x&force=true", body,
           "application/apply-patch+yaml")  # fmt: skip
    run = mirror.fleet.reconcile()
    assert run.converged
    assert "FW1786" in run.profiles.errors[0]  # type: ignore[union-attr]
    assert mirror.profile("member-b")["status"]["version"]["kubernetes"] == "v0.0.0"


def test_the_status_follows_the_registrations(mirror: Mirror) -> None:
    mirror.start()
    mirror.promoted()
    mirror.fleet.reconcile()
    since = mirror.condition("member-b", "ControlPlaneHealthy")["lastTransitionTime"]
    mirror.fleet.commit(mirror.fleet.registration("member-b", suspend=True))
    mirror.fleet.reconcile()
    assert mirror.condition("member-b", "Joined")["reason"] == "Suspended"
    mirror.fleet.commit(mirror.fleet.registration("member-b", mode="observe"))
    mirror.fleet.reconcile()
    joined = mirror.condition("member-b", "Joined")
    assert (joined["status"], joined["reason"]) == ("True", "Observed")
    assert mirror.condition("member-b", "ControlPlaneHealthy")["lastTransitionTime"] >= since
    # Turned off, they go.
    mirror.fleet.commit({"federation.yaml": mirror.fleet.federation(primary="member-a")})
    run = mirror.fleet.reconcile()
    assert states(run)["member-a"] is MemberState.APPLIED
    assert mirror.primary.must("GET", mirror.path())["items"] == []


def test_a_run_without_the_primary_writes_nothing_there(mirror: Mirror) -> None:
    mirror.start()
    mirror.promoted()
    assert mirror.fleet.reconcile("member-b").profiles is None


def test_the_primary_in_mode_observe_is_not_written(mirror: Mirror) -> None:
    mirror.start(mirror.fleet.registration("member-a", mode="observe"))
    mirror.promoted()
    run = mirror.fleet.reconcile()
    assert states(run)["member-a"] is MemberState.OBSERVED
    assert run.profiles is None
    assert mirror.primary.must("GET", mirror.path())["items"] == []


def test_promote_leaves_a_definition_alone_and_says_one_that_does_not_fit(mirror: Mirror, a: Plane) -> None:
    mirror.start()
    mirror.promoted()
    made = a.must("GET", CRD)
    assert "CustomResourceDefinition" not in mirror.promote("--cluster-profiles", SPACE)
    assert a.must("GET", CRD)["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    mirror.clear()
    body = {key: made[key] for key in ("apiVersion", "kind", "spec")}
    body["metadata"] = {"name": made["metadata"]["name"]}
    body["spec"]["versions"][0]["name"] = "v9"
    a.must("POST", CRD.rpartition("/")[0], body)
    said = mirror.promote("--cluster-profiles", SPACE, exits=2)
    assert "FW1785" in said
    assert "v9" in said


def test_promote_says_what_federation_yaml_lacks(mirror: Mirror) -> None:
    mirror.start({"federation.yaml": mirror.fleet.federation()})
    address = ("--address", "127.0.0.1", "--port", str(mirror.world.port))
    assert "--address" in mirror.promote("--cluster-profiles", SPACE, exits=2)
    said = mirror.promote(*address)
    assert "applied Namespace fleetward-system" in said
    assert mirror.primary.get(CRD) is None, "nobody asked for it"
    assert "FW1755" in mirror.promote(*address, exits=2)
    said = mirror.promote("--cluster-profiles", SPACE)
    assert "is the primary already, since entry" in said
    assert f"clusterProfiles: {{namespace: {SPACE}}}" in said
    assert "primary: member-a" in said
    space = mirror.primary.must("GET", "/api/v1/namespaces/fleetward-system")
    assert "app.kubernetes.io/managed-by" not in space["metadata"]["labels"]
    other = mirror.fleet.planes["member-b"].member.kubeconfig
    assert "another cluster" in mirror.promote("--cluster-profiles", SPACE, kubeconfig=str(other), exits=2)


class Stopper:
    """Stops at one write, before or after the API server does it, until the proxy closes."""

    def __init__(self, at: int, *, after: bool, closing: threading.Event) -> None:
        self.at, self.after, self.closing = at, after, closing
        self.reached = threading.Event()
        self.count = 0

    def __call__(self, seen: Seen) -> Action:
        if not seen.writes:
            return FORWARD
        self.count += 1
        if self.count != self.at:
            return FORWARD
        if self.after:
            return Forward(edit=self.hold)
        self.reached.set()
        return Hang()

    def hold(self, body: bytes) -> bytes:
        self.reached.set()
        self.closing.wait(120)
        return body


def test_a_promote_that_is_killed_at_any_step_is_finished_by_the_same_command(
    mirror: Mirror, a: Plane, proxy: Callable[[str], Proxy], tmp_path: Path
) -> None:
    mirror.start()
    between = proxy("member-a")
    config = kubeconfig(tmp_path / "admin.kubeconfig", a, between.url, mirror.world.administrator_token(a))
    command = ("promote", "--address", "127.0.0.1", "--port", str(mirror.world.port), "--kubeconfig", config)
    for at, after in [(1, False), (2, False), (2, True), (4, False), (5, True)]:
        between.rule = stop = Stopper(at, after=after, closing=between.closing)
        with mirror.fleet.spawn(*command) as process:
            assert stop.reached.wait(60), (at, process.poll())
            process.kill()
        assert mirror.world.kinds("promoted", "demoted")[-1:] != ["promoted"], "the entry comes last"
        between.rule = lambda _seen: FORWARD
        mirror.world.command(*command)
        assert mirror.world.kinds("promoted", "demoted")[-1:] == ["promoted"]
        assert a.get(CRD) is not None
        assert a.get(f"/api/v1/namespaces/{SPACE}") is not None
        assert "is the primary already" in mirror.world.command(*command, exits=2)
        mirror.world.command("demote", "--force")
        mirror.clear()
    assert len([seen for seen in between.seen if seen.writes]) > 20


def test_promote_waits_until_discovery_lists_the_definition(
    mirror: Mirror, a: Plane, proxy: Callable[[str], Proxy], tmp_path: Path
) -> None:
    mirror.start()
    between = proxy("member-a")
    config = kubeconfig(tmp_path / "admin.kubeconfig", a, between.url, mirror.world.administrator_token(a))
    late: list[Action] = [Canned(404), Canned(200, b'{"kind":"APIResourceList","resources":[]}'), Canned(404)]
    between.rule = lambda seen: late.pop() if seen.path == GROUP and late else FORWARD
    mirror.promote("--address", "127.0.0.1", "--port", str(mirror.world.port), kubeconfig=config)
    assert not late
    assert mirror.world.kinds("promoted") == ["promoted"]


def access(server: str, **more: Any) -> dict[str, Any]:
    return {"accessProviders": [{"name": "ocm", "cluster": {"server": server} | more}]}


def test_what_others_publish_is_listed_and_drafted(mirror: Mirror, a: Plane, b: Plane) -> None:
    mirror.start()
    mirror.promoted()
    mirror.fleet.reconcile()
    ca = base64.b64encode(b.member.ca_file.read_bytes()).decode()
    mirror.publish(
        "eu-1", version={"kubernetes": "v1.35.2+k3s1"},
        **access("https://203.0.113.10:6443", **{"certificate-authority-data": ca}),
    )  # fmt: skip
    mirror.publish("known", **access(f"{b.member.url}/"))
    uid = b.must("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"]
    by_uid = [{"name": "cluster.clusterset.k8s.io", "value": uid}]
    mirror.publish("twin", properties=by_uid, **access("https://elsewhere:6443"))
    hostile = "x\x1b]0;owned\x07\u202e"
    mirror.publish(
        "bad", manager="ocm", version={"kubernetes": hostile},
        **access("https://u:p@169.254.169.254", **{"insecure-skip-tls-verify": True}),
    )  # fmt: skip

    listed = json.loads(mirror.world.command("cluster", "discover", "--output", "json"))
    assert {one["name"]: one["registered"] for one in listed} == {
        "bad": None, "eu-1": None, "known": "member-b", "twin": "member-b",
    }  # fmt: skip
    assert {one["name"]: one["registeredBy"] for one in listed}["twin"] == "uid"
    text = mirror.world.command("cluster", "discover")
    assert "member-a" not in text, "ours are not listed"
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "insecure-skip-tls-verify has no place" in text
    as_admin = mirror.world.command("cluster", "discover", "--kubeconfig", str(a.member.kubeconfig))
    assert as_admin == text

    write = ("cluster", "discover", "--write", "eu-1")
    assert "tokenFile:PATH" in mirror.world.command(*write, exits=2)
    login = ("--credentials-of", "tokenFile:{name}.token")
    said = mirror.world.command(*write, *login, "--label", "owner=team", "--label", "environment=test")
    assert "add clusters/eu-1.yaml" in said
    made = yaml.safe_load((mirror.fleet.repo.path / "clusters/eu-1.yaml").read_text())
    assert made["metadata"]["labels"] == {"environment": "test", "owner": "team", "tier": "edge"}
    assert made["spec"] == {
        "apiServers": ["https://203.0.113.10:6443"], "caBundle": b.member.ca_file.read_text(),
        "credentials": {"tokenFile": "eu-1.token"}, "kubernetesVersion": "1.35", "mode": "observe",
    }  # fmt: skip
    checked = mirror.fleet.run("check", "--worktree")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "registered already" in mirror.world.command(*write, *login, exits=2)
    for name in ("known", "bad", "../x"):
        assert "FW1787" in mirror.world.command("cluster", "discover", "--write", name, *login, exits=2)
    assert sorted(path.name for path in (mirror.fleet.repo.path / "clusters").iterdir()) == [
        "eu-1.yaml", "member-a.yaml", "member-b.yaml",
    ]  # fmt: skip
