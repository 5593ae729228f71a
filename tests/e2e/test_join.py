"""Clusters join by token: real API servers, the real endpoint, real commits."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from e2e_proxy import FORWARD, Action, Forward, Proxy, Seen
from e2e_world import Plane, until
from join_world import World, kubeconfig

from reconciler.member.seal_keys import KeyFile
from reconciler.member.token_file import read_token
from reconciler.pipeline.run import MemberState
from reconciler.trust.keys import load
from reconciler.trust.sshsig import public_key_text

pytestmark = pytest.mark.real


def stored_as(name: str, world: World) -> tuple[Path, str, KeyFile]:
    """Where the primary keeps a member's token, and what opens it."""
    settings = world.fleet.settings
    return settings.credentials, f"joined/{name}.token", settings.seal_keys


def test_from_a_token_to_a_member(world: World, b: Plane, tmp_path: Path) -> None:
    token = world.token("--cluster", "member-b")
    with world.serving():
        said = world.join(b, token)
    assert "16 objects for fleetward's two accounts" in said
    assert "on refs/heads/join/member-b" in said
    assert world.kinds()[1:] == [
        "promoted",
        "token-created",
        "token-used",
        "credential-issued",
        "member-joined",
    ]
    # The proposal is signed by the reconciler's key, as ssh-keygen and git see it.
    key = public_key_text(load(world.fleet.settings.key_file).public_key)
    allowed = tmp_path / "allowed_signers"
    allowed.write_text(f"fleetward@localhost {key}\n")
    world.fleet.repo.git("-c", f"gpg.ssh.allowedSignersFile={allowed}", "verify-commit", "join/member-b")
    assert world.fleet.repo.git("show", "--name-only", "--format=", "join/member-b").split() == [
        "clusters/member-b.yaml"
    ]
    # Nothing reaches the member before the merge; then everything does.
    assert world.fleet.reconcile().members == ()
    world.merge("member-b")
    world.allow_config_maps(b)  # as docs/joining.md has it
    run = world.fleet.reconcile()
    assert [member.state for member in run.members] == [MemberState.APPLIED], run
    assert b.data("settings") == {"colour": "blue"}
    assert b.get("/api/v1/namespaces/federation-system/secrets/fleetward-join") is None
    world.fleet.assert_log_whole()
    stored = world.fleet.settings.credentials / "joined" / "member-b.token"
    assert stored.stat().st_mode & 0o777 == 0o600
    # What only reads has a credential of its own, and works without the other one.
    stored.rename(stored.with_suffix(".away"))
    status = json.loads(world.command("status", "--output", "json"))
    assert [(one["cluster"], one["health"]) for one in status] == [("member-b", "synced")]
    stored.with_suffix(".away").rename(stored)
    world.keep("credential", read_token(*stored_as("member-b", world)).decode().strip())
    assert world.scan(tmp_path) == []


def test_a_leak_would_be_found(world: World, tmp_path: Path) -> None:
    token = world.token()
    assert world.scan(tmp_path) == []
    leak = tmp_path / "machine" / "leak"
    leak.write_text(f"x {token} x")
    world.outputs.append(f"debug: {token}")
    assert len(world.scan(tmp_path)) == 2
    leak.unlink()  # or tests/secret_scan.py would find it, too


def test_who_is_primary_and_who_is_not(world: World) -> None:
    assert "FW1755" in world.promote(exits=2)
    assert "is the primary already, since entry 1" in world.outputs[-1]
    token = world.token()
    listed = json.loads(world.command("token", "list", "--output", "json"))
    assert [(row["state"], row["cluster"]) for row in listed] == [("open", "")]
    assert re.fullmatch("[0-9a-f]{32}", listed[0]["id"])  # never with a dash in front, like an option
    world.command("token", "revoke", listed[0]["id"])
    assert "FW1744" in world.command("token", "revoke", listed[0]["id"], exits=2)
    assert token not in "".join(world.outputs)
    others = {"clusters/.gitkeep": "", "clusters/example.yaml.txt": "kind: Cluster\n"}
    world.fleet.commit(world.fleet.registration("member-a"), others)
    said = world.command("demote", exits=2)
    assert "FW1755" in said
    assert "1 clusters are registered" in said
    world.command("demote", "--force")
    world.promote()
    world.fleet.commit({"clusters/member-a.yaml": None})
    world.command("demote")
    assert "FW1755" in world.command("token", "create", exits=2)
    assert world.kinds()[-1] == "demoted"


def external(seen: Seen) -> Action:
    """What an API server says of somebody who came in by OpenID Connect."""
    if "selfsubjectreviews" not in seen.path:
        return FORWARD

    def edit(body: bytes) -> bytes:
        review = json.loads(body)
        groups = ["system:masters", "system:authenticated"]
        review["status"]["userInfo"] = {"username": "https://idp.example#ann", "groups": groups}
        return json.dumps(review).encode()

    return Forward(edit=edit)


def test_who_came_in_through_a_provider_may_neither_promote_nor_join(
    world: World, b: Plane, proxy: Callable[[str], Proxy], tmp_path: Path
) -> None:
    between = proxy("member-b")
    config = kubeconfig(tmp_path / "kubeconfig", b, between.url, world.administrator_token(b))
    between.rule = external
    world.command("demote", "--force")
    said = world.command("promote", "--address", "127.0.0.1", "--kubeconfig", config, exits=2)
    assert "FW1754" in said
    assert "https://idp.example#ann" in said
    world.promote()
    token = world.token("--cluster", "member-b")
    assert "FW1754" in world.join(b, token, kubeconfig=config, exits=2)
    assert not [seen for seen in between.seen if seen.writes], "nothing was made on the cluster"
    between.rule = lambda _seen: FORWARD
    with world.serving():
        world.join(b, token, "--api-server", b.member.url, kubeconfig=config)


def test_a_fleet_behind_a_url_is_proposed_to_by_push(world: World, b: Plane, tmp_path: Path) -> None:
    remote = tmp_path / "remote.git"
    world.fleet.repo.git("clone", "-q", "--bare", str(world.fleet.repo.path), str(remote))
    hook = remote / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho protected >&2\nexit 1\n")
    hook.chmod(0o755)
    world.fleet = replace(world.fleet, location=f"file://{remote}", machine=tmp_path / "other")
    head = world.fleet.repo.head()
    world.fleet.trust(head)
    world.promote()
    token = world.token("--cluster", "member-b")
    with world.serving():
        assert "FW1759" in world.join(b, token, exits=2)
        hook.unlink()
        assert "on refs/heads/join/member-b" in world.join(b, token), "the same token finishes it"
    git = ["git", "-C", str(remote), "show", "join/member-b:clusters/member-b.yaml"]
    shown = subprocess.run(git, capture_output=True, text=True, check=True).stdout
    assert b.member.url in shown
    assert world.kinds("token-used", "member-joined") == ["token-used", "member-joined"]
    assert world.scan(tmp_path) == []


def test_the_client_sends_nothing_to_a_server_that_the_token_does_not_pin(
    world: World, a: Plane, b: Plane, proxy: Callable[[str], Proxy]
) -> None:
    between = proxy("member-a")
    token = world.token("--cluster", "member-b")
    with world.serving():
        assert "FW1758" in world.join(b, token, "--primary", between.url, exits=2)
        assert [seen.method for seen in between.seen] == ["GET"]
        assert "FW1758" in world.join(b, token, "--primary", "https://127.0.0.1:1", exits=2)
        world.join(b, token)


def test_a_primary_that_is_killed_in_the_middle_finishes_with_the_same_command(
    world: World, b: Plane, tmp_path: Path
) -> None:
    remote, waiting, reached = tmp_path / "remote.git", tmp_path / "waiting", tmp_path / "reached"
    world.fleet.repo.git("clone", "-q", "--bare", str(world.fleet.repo.path), str(remote))
    hook = remote / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    waiting.touch()
    hook.write_text(f"#!/bin/sh\ntouch {reached}\nwhile [ -e {waiting} ]; do sleep 0.1; done\nexit 1\n")
    hook.chmod(0o755)
    world.fleet = replace(world.fleet, location=f"file://{remote}", machine=tmp_path / "other")
    world.fleet.trust(world.fleet.repo.head())
    world.promote()
    token = world.token("--cluster", "member-b")
    with world.serving() as endpoint, ThreadPoolExecutor(1) as pool:
        joining = pool.submit(world.join, b, token, exits=2)
        until(reached.exists, "the push of the proposal")
        endpoint.kill()
        assert "FW1758" in joining.result(), "the client says that nobody answers"
    waiting.unlink()
    hook.unlink()
    assert world.kinds("token-used", "member-joined") == ["token-used"]
    with world.serving():
        assert "on refs/heads/join/member-b" in world.join(b, token)
    assert world.kinds("token-used", "member-joined") == ["token-used", "member-joined"]
    assert world.scan(tmp_path) == []
