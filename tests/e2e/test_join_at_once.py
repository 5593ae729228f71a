"""Joins without review: allowed by the Federation, committed by the reconciler's key, on real API servers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from e2e_world import Plane
from join_asking import parse, prepared
from join_ways import ENROLLER, behind_url, enroller_key, push, root
from join_world import World

from reconciler.audit.entry import TokenCreated
from reconciler.errors import FleetwardError
from reconciler.pipeline.membership.door import Door, DoorPorts
from reconciler.pipeline.run import MemberState
from reconciler.surfaces.membership import door_ports, token_key

pytestmark = pytest.mark.real
PATH = "clusters/member-b.yaml"


@pytest.fixture
def remote(world: World, tmp_path: Path) -> Callable[..., str]:
    """Git on the remote of a fleet that allows joins at once."""
    git = behind_url(world, tmp_path / "remote.git")
    push(world, {"federation.yaml": root(world, 2)})
    world.fleet.reconcile()
    return git


def door(world: World, change: Callable[[DoorPorts], DoorPorts] = lambda ports: ports) -> Any:
    """Lets a request in, once, with some ports changed."""

    def admit(request: Any) -> Any:
        with world.fleet.wiring() as wiring:
            ports = door_ports(wiring, token_key(world.fleet.settings), loopback=True)
            return asyncio.run(Door(change(ports)).admit(request, ""))

    return admit


def test_from_an_approved_token_to_a_member(
    world: World, b: Plane, remote: Callable[..., str], tmp_path: Path
) -> None:
    token = world.token("--cluster", "member-b", "--auto-approve")
    before = remote("rev-parse", "main").strip()
    with world.serving():
        said = world.join(b, token)
    assert "is registered as" in said
    assert "on refs/heads/main" in said
    assert "reviews" not in said
    assert remote("rev-parse", "main~1").strip() == before
    assert remote("diff", "--name-status", "main~1", "main").split() == ["A", PATH]
    assert remote("branch", "--list", "join/*") == ""
    made = next(entry for entry in world.entries() if isinstance(entry, TokenCreated))
    assert made.auto_approve
    listed = json.loads(world.command("token", "list", "--output", "json"))
    assert [row["autoApprove"] for row in listed] == [True]
    world.allow_config_maps(b)
    run = (
        world.fleet.reconcile()
    )  # the commit is accepted although the rule for clusters/** asks for a person
    assert [member.state for member in run.members] == [MemberState.APPLIED], run
    assert run.commit == remote("rev-parse", "main").strip()
    assert world.kinds("token-used", "member-joined") == ["token-used", "member-joined"]
    world.fleet.assert_log_whole()
    assert world.scan(tmp_path) == []


def test_the_default_is_review(world: World, b: Plane) -> None:
    said = world.command("token", "create", "--auto-approve", exits=2)
    assert "FW1775" in said
    assert world.kinds("token-created") == []
    with world.serving():
        assert "on refs/heads/join/member-b" in world.join(b, world.token("--cluster", "member-b"))


def test_a_key_that_is_no_enroller_is_told_what_to_add(world: World, tmp_path: Path) -> None:
    behind_url(world, tmp_path / "remote.git")
    push(world, {"federation.yaml": root(world, 2, roles=("sre",))})
    world.fleet.reconcile()
    said = world.command("token", "create", "--auto-approve", exits=2)
    assert "FW1776" in said
    assert f"add-signer fleetward --role enroller --key '{enroller_key(world)}'" in said


@pytest.mark.parametrize("accepted", [True, False])
def test_permission_taken_back_between_token_and_join(
    world: World, b: Plane, remote: Callable[..., str], accepted: bool
) -> None:
    """Accepted or only pushed: nothing is committed, nothing proposed, and the reconciler says why."""
    token = world.token("--auto-approve")
    push(world, {"federation.yaml": root(world, 3, allowed=False)})
    if accepted:
        world.fleet.reconcile()
    head = remote("rev-parse", "main")
    with world.serving():
        assert "FW1775" in world.join(b, token, "--name", "member-b", exits=2)
        assert remote("rev-parse", "main") == head
        assert remote("branch", "--list", "join/*") == ""
        assert world.refusals() == ["FW1775"]
        push(world, {"federation.yaml": root(world, 4)})
        world.fleet.reconcile()
        assert "on refs/heads/main" in world.join(b, token, "--name", "member-b"), "the same token finishes"


def test_the_enroller_taken_off_the_list(world: World, b: Plane, remote: Callable[..., str]) -> None:
    token = world.token("--auto-approve", "--cluster", "member-b")
    push(world, {"federation.yaml": root(world, 3, roles=())})
    world.fleet.reconcile()
    with world.serving():
        assert "FW1776" in world.join(b, token, exits=2)
    assert world.kinds("token-used") == []
    assert remote("branch", "--list", "join/*") == ""


def test_what_the_gate_would_refuse_is_not_committed(
    world: World, b: Plane, remote: Callable[..., str]
) -> None:
    """Without the labels that the gate asks for: on main it would stop the whole fleet."""
    token = world.command("token", "create", "--auto-approve", "--cluster", "member-b").strip()
    head = remote("rev-parse", "main")
    with world.serving():
        assert "FW1779" in world.join(b, token, exits=2)
    assert remote("rev-parse", "main") == head


def test_somebody_pushes_in_between(world: World, b: Plane, remote: Callable[..., str]) -> None:
    request = parse(world.body(prepared(b), world.token("--auto-approve"), "member-b"))
    pushed: list[str] = []

    def racing(ports: DoorPorts) -> DoorPorts:
        def check(commit: str, base: str) -> Any:
            if len(pushed) < 2:
                pushed.append(push(world, {f"notes/{len(pushed)}.md": "x"}))
            return ports.check(commit, base)

        return replace(ports, check=check)

    done = door(world, racing)(request)
    log = remote("log", "--format=%H", "-3", "main").split()
    assert log == [done.commit, *reversed(pushed)], "rebuilt on the new tip, and nothing is lost"
    assert PATH in remote("ls-tree", "-r", "--name-only", "main")


def test_a_push_that_is_refused_says_so(world: World, b: Plane, remote: Callable[..., str]) -> None:
    hook = Path(world.fleet.location.removeprefix("file://")) / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho protected >&2\nexit 1\n")
    hook.chmod(0o755)
    token = world.token("--auto-approve", "--cluster", "member-b")
    with world.serving():
        assert "FW1779" in world.join(b, token, exits=2)
        assert remote("branch", "--list", "join/*") == ""
        hook.unlink()
        assert "on refs/heads/main" in world.join(b, token)


def test_a_branch_that_is_checked_out_is_not_moved(world: World, b: Plane) -> None:
    """The fleet's own path is a work tree here."""
    world.fleet.commit({"federation.yaml": root(world, 2)})
    world.fleet.reconcile()
    head = world.fleet.repo.head()
    token = world.token("--auto-approve", "--cluster", "member-b")
    with world.serving():
        assert "checked out" in world.join(b, token, exits=2)
    assert world.fleet.repo.head("refs/heads/main") == head


class Killed(BaseException):
    """The process ends here."""


def dying(call: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    def wrapped(*arguments: Any) -> Any:
        if after:
            call(*arguments)
        raise Killed

    return wrapped


class Ending:
    """A repository or log whose ``name`` ends the process."""

    def __init__(self, inner: Any, name: str, *, after: bool) -> None:
        self._inner, self._name, self._after = inner, name, after

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return dying(found, after=self._after) if name == self._name else found


def test_a_join_that_ends_anywhere_is_finished_by_the_same_request(
    world: World, b: Plane, remote: Callable[..., str]
) -> None:
    prepared(b)

    def repository(after: bool) -> Callable[[DoorPorts], DoorPorts]:
        return lambda p: replace(p, repository=Ending(p.repository, "advance", after=after))  # type: ignore[arg-type]

    def store(after: bool) -> Callable[[DoorPorts], DoorPorts]:
        return lambda ports: replace(ports, store=dying(ports.store, after=after))

    for number, death in enumerate([store(False), store(True), repository(False), repository(True)], 1):
        name = f"member-{number}"
        request = parse(world.body(b, world.token("--auto-approve"), name))
        with pytest.raises(Killed):
            door(world, death)(request)
        with pytest.raises(FleetwardError, match="FW1743"):
            door(world)(replace(request, claim="f" * 64))
        if number == 4:
            world.fleet.reconcile()  # the commit is accepted before the join is finished
        done = door(world)(request)
        assert door(world)(request) == done
        assert world.kinds("token-used", "member-joined") == ["token-used", "member-joined"] * number
        assert remote("log", "--format=%H", "--", f"clusters/{name}.yaml").split() == [done.commit]
        push(world, {f"clusters/{name}.yaml": None})  # the next may join
        world.fleet.reconcile()


def test_the_enroller_is_the_one_who_signed(world: World, b: Plane, remote: Callable[..., str]) -> None:
    with world.serving():
        world.join(b, world.token("--auto-approve", "--cluster", "member-b"))
    world.fleet.repo.git("fetch", "-q", "origin", "main")
    said = world.command("trust", "explain", "main", "--output", "json")
    (commit,) = json.loads(said)["commits"]
    assert (commit["signer"]["name"], commit["rules"], commit["findings"]) == (ENROLLER, [], [])
