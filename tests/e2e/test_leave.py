"""Clusters leave: by themselves and by being kicked, killed at every write, and come back."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from e2e_proxy import FORWARD, Action, Canned, Cut, Forward, Proxy, Seen
from e2e_world import GUARDS, MAPS, MERGE, Plane, until
from join_world import World, kubeconfig
from leave_world import NAME, SHOP, SPACE, Departing, Killed, departing, kick_once

from reconciler.audit.entry import Intent, MemberKicked, MemberLeft
from reconciler.member.token_file import read_token
from reconciler.model import APPLYSET_ID, LABEL_PART_OF
from reconciler.pipeline.membership.kicking import Order
from reconciler.pipeline.run import MemberState
from reconciler.trust.keys import load
from reconciler.trust.sshsig import public_key_text

STORED = ["joined/member-b.token", "joined/member-b.viewer.token"]
pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]  # a slow machine is no failure
FOREIGN = "/api/v1/namespaces/shop/configmaps"


def credential_of(one: Departing) -> str:
    """What the primary keeps of the member's, opened."""
    settings = one.world.fleet.settings
    return read_token(settings.credentials, STORED[0], settings.seal_keys).decode().strip()


@pytest.fixture
def one(world: World, b: Plane) -> Iterator[Departing]:
    with departing(world, b) as made:
        yield made


def put(plane: Plane, path: str, name: str, **metadata: object) -> None:
    plane.must("POST", path, {"metadata": {"name": name, **metadata}, "data": {"own": "yes"}})


def test_a_cluster_leaves_without_a_primary_and_joins_again(one: Departing) -> None:
    one.join()
    # Others' objects: one that only inherited our label, and one in the namespace of the fleet's own account.
    put(one.plane, MAPS, "inherited", labels={LABEL_PART_OF: "another"})
    state = one.world.fleet.settings.state
    kept = state.rename(state.with_name("away"))  # the primary is gone
    refused = one.world.command("leave", "--kubeconfig", str(one.plane.member.kubeconfig), exits=2)
    assert "FW1769" in refused
    assert "federated, to delete: 1 ClusterRole, 2 ConfigMap, 1 Namespace" in refused
    assert one.plane.data("settings") == {"colour": "blue"}, "nothing was done"
    said = one.leave("-v")
    assert "deleted: 4 federated objects" in said
    assert "fleetward kick NAME --gone" in said
    one.assert_gone()
    assert one.plane.data("inherited") == {"own": "yes"}
    one.plane.must("DELETE", f"{MAPS}/inherited")
    assert "nothing of a fleet" in one.leave()
    kept.rename(state)
    # The other half, and back again.
    assert "FW1771" in one.kick(exits=2)
    assert one.world.kinds("member-kicked") == []
    done = one.kick_json("--gone", "--reason", "left by itself")
    assert (done["contacted"], done["credentials"]) == (False, STORED)
    one.world.merge_leave(NAME)
    assert one.world.fleet.reconcile().members == ()
    until(lambda: one.plane.get(SPACE) is None and one.plane.get(SHOP) is None, "the namespaces to go")
    one.join()


def test_objects_are_released_on_request(one: Departing) -> None:
    one.join()
    done = json.loads(one.leave("--keep-objects", "--output", "json"))
    assert done["keptObjects"]
    assert len(done["objects"]) == 4
    one.assert_gone(but=("shop", "settings", "viewer"))
    for path in (SHOP, f"{MAPS}/settings", f"{FOREIGN}/prices"):
        assert one.marks(path) == []
    assert one.plane.data("settings") == {"colour": "blue"}
    assert one.plane.send("PATCH", f"{MAPS}/settings", {"data": {"colour": "red"}}, MERGE) == 200
    one.plane.apply(f"{MAPS}/settings", {"apiVersion": "v1", "kind": "ConfigMap", "data": {"colour": "red"}})


def test_only_an_administrator_lets_a_cluster_leave(one: Departing, tmp_path: Path) -> None:
    one.join()
    token = one.world.credential(one.plane, "federation-viewer")
    config = kubeconfig(tmp_path / "kubeconfig", one.plane, one.plane.member.url, token)
    assert "FW1768" in one.leave(exits=2, kubeconfig=config)
    assert one.left()


def test_a_namespace_with_others_objects_stays(one: Departing) -> None:
    one.join()
    put(one.plane, FOREIGN, "own")
    put(one.plane, f"{SPACE}/configmaps", "own")
    said = one.leave()
    assert "namespace shop stays, it holds what is not the fleet's: ConfigMap shop/own" in said
    assert "namespace federation-system stays" in said
    one.assert_gone(but=("shop", "federation-system"))
    assert one.marks(SHOP) == []
    assert one.plane.get(f"{FOREIGN}/own")
    assert one.plane.get(f"{FOREIGN}/prices") is None
    assert one.plane.get(f"{SPACE}/serviceaccounts/federation-reconciler") is None


def killer(process: subprocess.Popen[str], writes: int) -> Callable[[Seen], Action]:
    """Kills the client at that write, which the API server still gets."""
    left = iter(range(writes - 1))

    def rule(seen: Seen) -> Action:
        if not seen.writes or next(left, None) is not None:
            return FORWARD
        process.kill()
        return Forward(answer=False)

    return rule


def run_killed(
    one: Departing, between: Proxy, arguments: list[str], *, writes: int
) -> tuple[int, subprocess.CompletedProcess[str]]:
    """Run until it ends by itself, each run killed at that write of its own; the count, and the last run.

    ``writes`` 0: the first run at its first write, the second at its second, and so on.
    """
    for count in range(1, 60):
        with one.world.fleet.spawn(*arguments) as process:
            between.rule = killer(process, writes or count)
            out, err = process.communicate(timeout=120)
        one.world.outputs += [out, err]
        if process.returncode >= 0:
            return count, subprocess.CompletedProcess(arguments, process.returncode, out, err)
    raise AssertionError("not finished after 60 runs")


def test_leave_is_finished_after_a_kill_at_every_write(
    one: Departing, proxy: Callable[[str], Proxy], tmp_path: Path
) -> None:
    one.join()
    between = proxy(NAME)
    token = one.world.administrator_token(one.plane)
    config = kubeconfig(tmp_path / "kubeconfig", one.plane, between.url, token)
    runs, last = run_killed(one, between, ["leave", "--yes", "--kubeconfig", config], writes=1)
    assert last.returncode == 0, last.stderr
    assert runs > 10
    one.assert_gone()


def test_the_guard_that_is_gone_may_still_refuse_for_a_moment(
    one: Departing, proxy: Callable[[str], Proxy], tmp_path: Path
) -> None:
    one.join()
    dry = f"{MAPS}/settings?dryRun=All"
    until(lambda: one.plane.send("DELETE", dry) == 403, "the guard to refuse its administrator")
    between = proxy(NAME)
    refusals = iter(range(3))

    def late(seen: Seen) -> Action:
        if seen.method == "DELETE" and "configmaps" in seen.path and next(refusals, None) is not None:
            return Canned(403, b'{"kind":"Status","code":403,"message":"ValidatingAdmissionPolicy denied"}')
        return FORWARD

    between.rule = late
    token = one.world.administrator_token(one.plane)
    one.leave(kubeconfig=kubeconfig(tmp_path / "kubeconfig", one.plane, between.url, token))
    assert next(refusals, None) is None
    one.assert_gone()


def test_a_member_is_kicked_and_comes_back(one: Departing, tmp_path: Path) -> None:
    one.join()
    stored = one.world.fleet.settings.credentials / "joined" / "member-b.token"
    credential = credential_of(one)
    refused = one.world.command("kick", NAME, exits=2)
    assert "FW1769" in refused
    assert "to delete: 1 ClusterRole, 2 ConfigMap, 1 Namespace, 1 Valid" in refused
    assert one.world.kinds("member-kicked") == []
    done = one.kick_json("--reason", "to another fleet")
    assert (done["deleted"], done["released"], done["leftOver"]) == (7, 0, [])
    one.assert_gone()
    assert not stored.exists()
    # Its credential is refused by the cluster.
    config = kubeconfig(tmp_path / "kubeconfig", one.plane, one.plane.member.url, credential)
    assert "FW1710" in one.leave(exits=2, kubeconfig=config)
    Path(config).unlink()  # ``scan`` expects no secret here
    # The log says all of it, the change set included.
    one.world.fleet.assert_log_whole()
    entries = one.world.entries()
    assert [e.kind for e in entries[-4:]] == ["member-kicked", "intent", "outcome", "member-left"]
    kicked, intent, _, left = entries[-4:]
    assert isinstance(kicked, MemberKicked)
    assert isinstance(intent, Intent)
    assert isinstance(left, MemberLeft)
    assert (kicked.reason, kicked.contacted) == ("to another fleet", True)
    assert kicked.cluster_uid == intent.cluster_uid
    assert intent.counts.delete == 7
    # The removal is signed by the reconciler's key, and takes away that one file.
    repo = one.world.fleet.repo
    allowed = tmp_path / "allowed"
    key = public_key_text(load(one.world.fleet.settings.key_file).public_key)
    allowed.write_text(f"fleetward@localhost {key}\n")
    repo.git("-c", f"gpg.ssh.allowedSignersFile={allowed}", "verify-commit", f"leave/{NAME}")
    shown = repo.git("show", "--name-status", "--format=", f"leave/{NAME}").split()
    assert shown == ["D", "clusters/member-b.yaml"]
    # Left alone while its registration stands.
    run = one.world.fleet.reconcile()
    assert [member.state for member in run.members] == [MemberState.KICKED]
    assert run.converged
    status = json.loads(one.world.command("status", "--output", "json"))
    assert (status[0]["health"], status[0]["good"]) == ("left", True)
    assert "to another fleet" in status[0]["reason"]
    assert "it was kicked" in one.world.command("doctor", "--verbose")
    assert json.loads(one.world.command("plan", "--output", "json"))["plans"] == []
    # The same command again changes nothing.
    size = len(one.world.entries())
    assert one.kick_json()["branch"] == f"refs/heads/leave/{NAME}"
    assert len(one.world.entries()) == size
    one.world.merge_leave(NAME)
    assert one.world.fleet.reconcile().members == ()
    until(lambda: one.plane.get(SPACE) is None and one.plane.get(SHOP) is None, "the namespaces to go")
    one.join()
    one.world.secrets.append(credential)
    assert one.world.scan(tmp_path) == []


def test_a_kicked_member_keeps_its_objects_on_request(one: Departing) -> None:
    one.join()
    before = one.plane.must("GET", f"{MAPS}/settings")["metadata"]["uid"]
    done = one.kick_json("--keep-objects")
    assert (done["deleted"], done["released"], done["leftOver"]) == (3, 4, [])
    one.assert_gone(but=("shop", "settings", "viewer"))
    for path in (SHOP, f"{MAPS}/settings", f"{FOREIGN}/prices"):
        assert one.marks(path) == []
    assert one.plane.must("GET", f"{MAPS}/settings")["metadata"]["uid"] == before
    one.world.fleet.assert_log_whole()
    verified = one.world.command("audit", "verify")
    assert "FW18" not in verified


def test_a_kick_keeps_namespaces_that_others_use_or_that_it_cannot_see(one: Departing) -> None:
    one.join()
    put(one.plane, FOREIGN, "own")
    done = one.kick_json()
    assert done["keptNamespaces"] == {"shop": "ConfigMap shop/own"}
    assert one.marks(SHOP) == []
    assert one.plane.get(f"{FOREIGN}/own")
    one.assert_gone(but=("shop",))


def test_a_member_that_is_gone(one: Departing, proxy: Callable[[str], Proxy]) -> None:
    between = proxy(NAME)
    one.join("--api-server", between.url)
    between.rule = lambda _seen: Cut()
    said = one.kick(exits=2)
    assert "FW1771" in said
    assert "nothing was done" in said
    assert one.world.kinds("member-kicked") == []
    done = one.kick_json("--gone", "--reason", "burnt down")
    assert done["credentials"] == STORED
    assert one.world.kinds("member-kicked", "member-left") == ["member-kicked", "member-left"]
    requests = len(between.seen)
    assert one.world.fleet.reconcile().members[0].state is MemberState.KICKED
    assert len(between.seen) == requests, "a kicked member is not asked"
    # Another registration of that name is a new one.
    path = one.world.fleet.repo.path / "clusters" / "member-b.yaml"
    body = yaml.safe_load(path.read_text())
    body["metadata"]["labels"]["region"] = "north"
    one.world.fleet.commit({"clusters/member-b.yaml": yaml.safe_dump(body)})
    assert one.world.fleet.reconcile().members[0].state is not MemberState.KICKED


def test_what_cannot_be_kicked(one: Departing) -> None:
    assert "FW1770" in one.kick(exits=2)
    one.join()
    assert "FW1770" in one.world.command("kick", "nobody", "--yes", exits=2)
    registration = one.world.fleet.repo.path / "clusters" / "member-b.yaml"
    changed = registration.read_text().replace("environment: test", "environment: changed")
    one.world.fleet.commit({"clusters/member-b.yaml": changed})
    assert "not the accepted one" in one.kick(exits=2)
    assert one.world.kinds("member-kicked") == []


def test_the_primary_is_not_kicked(world: World, b: Plane) -> None:
    with departing(world, b) as one:
        world.command("demote", "--force")
        config = str(b.member.kubeconfig)
        world.command("promote", "--address", "127.0.0.1", "--port", str(world.port), "--kubeconfig", config)
        one.join()
        assert "is the primary" in one.kick(exits=2)
        assert "is the primary" in one.kick("--gone", exits=2)
        assert world.kinds("member-kicked") == []


def test_a_credential_that_others_use_stays(one: Departing) -> None:
    one.join()
    folder = one.world.fleet.settings.credentials
    (folder / "shared.token").touch(0o600)
    (folder / "shared.token").write_text(credential_of(one))
    registration = one.world.fleet.repo.path / "clusters" / "member-b.yaml"
    body = yaml.safe_load(registration.read_text())
    body["spec"]["viewerCredentials"] = {"tokenFile": "shared.token"}
    other = json.loads(json.dumps(body))
    other["metadata"]["name"] = "member-c"
    other["spec"] |= {"apiServers": ["https://127.0.0.1:1"], "suspend": True}
    one.world.fleet.commit(
        {"clusters/member-b.yaml": yaml.safe_dump(body), "clusters/member-c.yaml": yaml.safe_dump(other)}
    )
    one.world.fleet.reconcile()
    done = one.kick_json("--gone")
    assert done["credentials"] == []
    assert (folder / "shared.token").exists()
    assert (folder / STORED[0]).exists()
    assert any("shared.token stays" in line for line in done["leftOver"])


@pytest.mark.parametrize("options", [[], ["--keep-objects"]], ids=["deleted", "released"])
def test_a_kick_is_finished_after_kills_at_all_of_its_writes(
    one: Departing, proxy: Callable[[str], Proxy], options: list[str]
) -> None:
    between = proxy(NAME)
    one.join("--api-server", between.url)
    runs, last = run_killed(one, between, ["kick", NAME, "--yes", *options], writes=0)
    assert last.returncode == 0, last.stderr
    assert runs > 4
    one.assert_gone(but=("shop", "settings", "viewer") if options else ())
    assert one.world.kinds("member-kicked", "member-left") == ["member-kicked", "member-left"]
    one.world.fleet.assert_log_whole()


def test_the_gate_may_refuse_and_a_member_may_fail(one: Departing, proxy: Callable[[str], Proxy]) -> None:
    between = proxy(NAME)
    one.join("--api-server", between.url)

    def stubborn(seen: Seen) -> Action:
        if seen.method == "DELETE" and "settings" in seen.path:
            return Canned(422, b'{"kind":"Status","code":422,"message":"a webhook says no"}')
        return FORWARD

    between.rule = stubborn
    said = one.kick(exits=2)
    assert "FW1772" in said
    assert "a webhook says no" in said
    assert one.plane.get(f"{SPACE}/serviceaccounts/federation-reconciler"), "nothing is revoked before"
    status = json.loads(one.world.command("status", "--output", "json", exits=1) or "[]")
    assert status
    between.rule = lambda _seen: FORWARD
    one.kick()
    one.assert_gone()


def test_an_object_with_our_label_that_we_did_not_make_is_left(one: Departing) -> None:
    one.join()
    for item in one.plane.must("GET", f"{GUARDS}ybindings")["items"]:
        one.plane.must("DELETE", f"{GUARDS}ybindings/{item['metadata']['name']}")
    until(
        lambda: one.plane.send(
            "POST", MAPS, {"metadata": {"name": "copied", "labels": {LABEL_PART_OF: APPLYSET_ID}}}
        ) in (201, 409),
        "the guard to be forgotten",
    )  # fmt: skip
    try:
        assert "left alone, with our label and without our mark: 1 ConfigMap" in one.leave()
        assert one.plane.data("copied") is not None
        one.assert_gone()
    finally:
        one.plane.send("DELETE", f"{MAPS}/copied")


def test_a_kick_that_ends_between_its_steps_is_finished_by_the_same_order(one: Departing) -> None:
    one.join()
    order = Order(NAME, reason="tested")
    steps = ("member-kicked", "intent", "outcome", "forget", "propose", "member-left")
    for where in steps:
        for after in (False, True):
            with pytest.raises(Killed):
                kick_once(one.world, order, where, after=after)
    done = kick_once(one.world, order)
    assert done.branch == f"refs/heads/leave/{NAME}"
    one.assert_gone()
    assert one.world.kinds("member-kicked", "member-left") == ["member-kicked", "member-left"]
    assert one.world.fleet.repo.head(f"leave/{NAME}") == done.commit
    assert not (one.world.fleet.settings.credentials / "joined" / "member-b.token").exists()
    one.world.fleet.assert_log_whole()


def test_a_namespace_that_is_being_deleted_is_told_to_who_joins_again(one: Departing) -> None:
    put(one.plane, f"{SPACE}/configmaps", "held", finalizers=["e2e.example/held"])
    one.plane.must("DELETE", SPACE)
    token = one.world.token("--cluster", NAME)
    with one.world.serving():
        said = one.world.join(one.plane, token, exits=2)
        assert "FW1722" in said
        assert "the namespace federation-system is being deleted" in said
        assert "kubectl wait --for=delete namespace/federation-system" in said
        one.plane.must("PATCH", f"{SPACE}/configmaps/held", {"metadata": {"finalizers": None}}, MERGE)
        until(lambda: one.plane.get(SPACE) is None, "the namespace to go")
        one.world.join(one.plane, token)


def test_a_cluster_that_was_kicked_joins_again_before_its_removal_is_merged(one: Departing) -> None:
    one.join()
    one.kick()
    until(lambda: one.plane.get(SPACE) is None and one.plane.get(SHOP) is None, "the namespaces to go")
    with one.world.serving():
        assert "FW1748" in one.world.join(one.plane, one.world.token("--cluster", "member-c"), exits=2)
        one.world.join(one.plane, one.world.token("--cluster", NAME))
    assert one.world.fleet.repo.git("branch", "--list", f"join/{NAME}") == "", "its registration is there"
    one.world.fleet.repo.git("branch", "-D", f"leave/{NAME}")
    one.everything()
