"""Joins by files alone: a registration that waits in Git, a token in a file, on real API servers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e_world import Plane, until
from join_asking import parse, prepared
from join_ways import join_file, waiting
from join_world import World

from reconciler.audit.entry import MemberJoined
from reconciler.errors import FleetwardError
from reconciler.member.errors import CredentialError
from reconciler.member.in_cluster import in_cluster
from reconciler.member.token_file import read_token
from reconciler.model import Json
from reconciler.pipeline.membership.door import Door, DoorPorts
from reconciler.pipeline.membership.enrolling import enrol_cluster
from reconciler.pipeline.run import MemberState
from reconciler.surfaces.joining import Flags, joining_of, settled, token_in
from reconciler.surfaces.membership import door_ports, token_key
from reconciler.surfaces.wiring import clock

pytestmark = pytest.mark.real
DOCS = Path(__file__).resolve().parents[2] / "docs" / "joining.md"


@pytest.fixture
def declared(world: World, b: Plane) -> World:
    """member-b is registered, reviewed and accepted, and has not joined."""
    world.fleet.commit(waiting(world, b, "member-b"))
    world.fleet.reconcile()
    return world


def admit(world: World, request: Any, change: Callable[[DoorPorts], DoorPorts] = lambda ports: ports) -> Any:
    with world.fleet.wiring() as wiring:
        ports = door_ports(wiring, token_key(world.fleet.settings), loopback=True)
        return asyncio.run(Door(change(ports)).admit(request, ""))


def refused(world: World, request: Any, code: str) -> FleetwardError:
    """The request is refused so, the log has it, and nothing was used or stored."""
    with pytest.raises(FleetwardError, match=code) as caught:
        admit(world, request)
    assert world.refusals()[-1] == code
    assert world.kinds("token-used", "member-joined") == []
    assert not (world.fleet.settings.credentials / "joined" / "member-b.token").exists()
    return caught.value


def test_from_files_to_a_member(declared: World, b: Plane, tmp_path: Path) -> None:
    world, head = declared, declared.fleet.repo.head()
    token = world.token("--cluster", "member-b")
    file = join_file(tmp_path, token, "member-b", kubeconfig=str(b.member.kubeconfig))
    with world.serving():
        said = world.command("join", "--file", file)
    assert f"is registered as {head[:12]} on refs/heads/main" in said
    assert world.fleet.repo.head("refs/heads/main") == head, "nothing is committed"
    assert world.fleet.repo.git("branch", "--list", "join/*") == ""
    joined = next(entry for entry in world.entries() if isinstance(entry, MemberJoined))
    assert (joined.commit, joined.branch) == (head, "refs/heads/main")
    world.allow_config_maps(b)
    run = world.fleet.reconcile()
    assert [member.state for member in run.members] == [MemberState.APPLIED], run
    (tmp_path / "join.token").unlink()
    settings = world.fleet.settings
    stored = read_token(settings.credentials, "joined/member-b.token", settings.seal_keys)
    world.keep("credential", stored.decode().strip())
    assert world.scan(tmp_path) == []


def test_a_member_without_its_credential_is_shown(declared: World) -> None:
    said = declared.command("reconcile", "--once", exits=1)
    assert "member-b" in said
    assert "joined/member-b.token" in said


def test_another_cluster_takes_the_name(declared: World, a: Plane, b: Plane) -> None:
    """Other servers and another CA; then those of the registration, where another cluster answers."""
    world = declared
    prepared(a), prepared(b)
    token = world.token("--cluster", "member-b")
    other = parse(world.body(a, token, "member-b"))
    error = refused(world, other, "FW1777")
    assert "apiServers" in error.got
    assert "caBundle" in error.got
    copied = replace(other, servers=(b.member.url,), ca_bundle=b.member.ca_file.read_text())
    refused(world, copied, "FW1750")  # its credential is nobody's there
    stolen = parse(world.body(b, token, "member-b", uid=other.uid))
    refused(world, stolen, "FW1751")
    assert admit(world, parse(world.body(b, token, "member-b"))).branch == "refs/heads/main"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"apiServers": ["https://127.0.0.1:1"]}, "apiServers"),
        ({"tlsServerName": "localhost"}, "tlsServerName"),
        ({"caBundle": ""}, "caBundle"),
    ],
)
def test_what_differs_is_said(declared: World, b: Plane, change: dict[str, Any], field: str) -> None:
    request = parse(declared.body(prepared(b), declared.token("--cluster", "member-b"), "member-b", **change))
    assert refused(declared, request, "FW1777").got == f"another {field}"


def test_a_token_for_any_name_chooses_no_name_that_waits(declared: World, b: Plane) -> None:
    refused(declared, parse(declared.body(prepared(b), declared.token(), "member-b")), "FW1745")


def test_a_registration_that_nobody_accepted_yet(world: World, b: Plane) -> None:
    world.fleet.commit(waiting(world, b, "member-b"))
    token = world.token("--cluster", "member-b")
    refused(world, parse(world.body(prepared(b), token, "member-b")), "FW1747")
    world.fleet.reconcile()
    world.fleet.commit(waiting(world, b, "member-b", mode="observe"))
    refused(world, parse(world.body(b, token, "member-b")), "FW1747")


def test_a_registration_with_credentials_of_its_own(world: World, b: Plane) -> None:
    world.fleet.commit(waiting(world, b, "member-b", credentials={"tokenFile": "joined/member-a.token"}))
    world.fleet.reconcile()
    token = world.token("--cluster", "member-b")
    refused(world, parse(world.body(prepared(b), token, "member-b")), "FW1747")


def test_a_cluster_that_joined_is_not_joined_again(declared: World, b: Plane) -> None:
    world = declared
    first = parse(world.body(prepared(b), world.token("--cluster", "member-b"), "member-b"))
    admit(world, first)
    again = parse(world.body(b, world.token("--cluster", "member-b"), "member-b"))
    with pytest.raises(FleetwardError, match="FW1747"):
        admit(world, again)


def test_a_name_whose_cluster_the_log_knows_under_another_uid(declared: World, a: Plane, b: Plane) -> None:
    """The credential is gone, and another cluster has the registration by now: the log remembers."""
    world = declared
    admit(world, parse(world.body(prepared(b), world.token("--cluster", "member-b"), "member-b")))
    (world.fleet.settings.credentials / "joined" / "member-b.token").unlink()
    world.fleet.commit(waiting(world, a, "member-b"))
    world.fleet.reconcile()
    other = parse(world.body(prepared(a), world.token("--cluster", "member-b"), "member-b"))
    with pytest.raises(FleetwardError, match="FW1747"):
        admit(world, other)
    # The same cluster may come back: its registration again, and no credential.
    world.fleet.commit(waiting(world, b, "member-b"))
    world.fleet.reconcile()
    back = parse(world.body(b, world.token("--cluster", "member-b"), "member-b"))
    assert admit(world, back).cluster == "member-b"


class Killed(BaseException):
    """The process ends here."""


def test_it_ends_after_the_credential_and_is_finished(declared: World, b: Plane) -> None:
    world = declared
    request = parse(world.body(prepared(b), world.token("--cluster", "member-b"), "member-b"))

    def dying(ports: DoorPorts) -> DoorPorts:
        def store(name: str, credential: str, viewer: str) -> Mapping[str, Json]:
            ports.store(name, credential, viewer)
            raise Killed

        return replace(ports, store=store)

    with pytest.raises(Killed):
        admit(world, request, dying)
    with pytest.raises(FleetwardError, match="FW1743"):
        admit(world, replace(request, claim="f" * 64))
    done = admit(world, request)
    assert admit(world, request) == done
    assert world.kinds("token-used", "member-joined") == ["token-used", "member-joined"]


# The Job of docs/joining.md


def manifests() -> list[dict[str, Any]]:
    """The example Job and what belongs to it, as docs/joining.md has them."""
    text = DOCS.read_text(encoding="utf-8").partition("<!-- join-job -->")[2]
    block = text.partition("```yaml\n")[2].partition("\n```")[0]
    return [document for document in yaml.safe_load_all(block) if document]


def path_of(body: dict[str, Any], *, name: bool = True) -> str:
    version, namespace = body["apiVersion"], body["metadata"].get("namespace", "")
    prefix = "/api/v1" if version == "v1" else f"/apis/{version}"
    space = f"/namespaces/{namespace}" if namespace else ""
    plural = f"{body['kind'].lower()}s"
    return f"{prefix}{space}/{plural}" + (f"/{body['metadata']['name']}" if name else "")


def test_the_job_of_the_documentation_is_what_an_api_server_takes(b: Plane) -> None:
    made = manifests()
    assert [body["kind"] for body in made] == [
        "Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Secret", "ConfigMap", "Job",
    ]  # fmt: skip
    b.must("POST", "/api/v1/namespaces", made[0])
    try:
        for body in made[1:]:
            b.must("POST", f"{path_of(body, name=False)}?dryRun=All&fieldValidation=Strict", body)
    finally:
        b.send("DELETE", path_of(made[0]))


def test_the_service_account_of_the_job_can_join(declared: World, b: Plane, tmp_path: Path) -> None:
    """As its pod would: the account's files and the environment that the kubelet gives; and nothing more."""
    world, made = declared, manifests()
    namespace, account, role, binding = made[:4]
    until(lambda: b.get(path_of(namespace)) is None, "the namespace of the other test to go")
    for body in (namespace, account, role, binding):
        b.must("POST", path_of(body, name=False), body)
    try:
        spec = {"spec": {"expirationSeconds": 3600}}
        token = b.must("POST", f"{path_of(account)}/token", spec)["status"]["token"]
        world.secrets.append(token)
        folder = tmp_path / "serviceaccount"
        folder.mkdir()
        (folder / "token").write_text(token)
        (folder / "ca.crt").write_text(b.member.ca_file.read_text())
        host, _, port = b.member.url.removeprefix("https://").partition(":")
        environment = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
        config = next(body for body in made if body["kind"] == "ConfigMap")
        said = yaml.safe_load(config["data"]["join.yaml"])["spec"]
        assert said.pop("inCluster")
        said |= {"apiServers": [b.member.url], "inCluster": True}
        del said["tokenFile"]
        file = settled(Flags(join_file(tmp_path, world.token("--cluster", "member-b"), "member-b", **said)))
        assert file.in_cluster
        joining = joining_of(file, token_in(file.token_file))
        cluster = in_cluster(environment, folder)
        with world.serving():
            done = asyncio.run(enrol_cluster(joining, cluster, clock=clock, report=world.outputs.append))
        assert done.branch == "refs/heads/main"
        with pytest.raises(CredentialError):
            in_cluster({}, folder)
        with pytest.raises(CredentialError):
            in_cluster(environment, tmp_path)
    finally:
        b.send("DELETE", path_of(binding))
        b.send("DELETE", path_of(role))
        b.send("DELETE", path_of(account))
        b.send("DELETE", path_of(namespace))
