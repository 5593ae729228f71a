"""A member rebuilt, or exchanged, under the name of one that joined: same address, same authority, no record.

The log knows the uid that joined: FW1721, in the log, and nothing is written there, before its first apply as
well as after. A new join is the way back: registration removed, a new token, a new review.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from attack_members import asked_again, refused_member
from e2e_proxy import FORWARD, Action, Forward, Proxy, Seen
from e2e_world import RECORDS, Plane
from join_world import World, kubeconfig

pytestmark = pytest.mark.real
NEW = "00000000-0000-4000-8000-000000000000"


def test_it_is_refused_until_it_joins_itself(
    world: World, b: Plane, proxy: Callable[[str], Proxy], tmp_path: Path
) -> None:
    between = proxy("member-b")
    old = b.must("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"].encode()

    def rebuilt(seen: Seen) -> Action:
        here = seen.path.partition("?")[0].endswith("/namespaces/kube-system")
        return Forward(edit=lambda body: body.replace(old, NEW.encode())) if here else FORWARD

    with world.serving():
        world.join(b, world.token("--cluster", "member-b"), "--api-server", between.url)
    world.merge("member-b")
    world.allow_config_maps(b)
    # Before anything was applied: neither record nor intent could tell.
    between.forget()
    between.rule = rebuilt
    refused_member(world.fleet, "FW1721", "member-b")
    assert between.writes == []
    between.rule = lambda _seen: FORWARD
    asked_again(world.fleet)
    assert world.fleet.reconcile().converged
    # After it: as a new cluster, it has no record.
    b.unguard()
    b.by_hand("DELETE", f"{RECORDS}/fleetward")
    world.fleet.commit({"notes.md": "x"})
    between.forget()
    between.rule = rebuilt
    refused_member(world.fleet, "FW1721", "member-b")
    assert between.writes == []
    # The way back.
    world.fleet.repo.git("branch", "-q", "-D", "join/member-b")
    world.fleet.commit({"clusters/member-b.yaml": None})
    config = kubeconfig(tmp_path / "kubeconfig", b, between.url, world.administrator_token(b))
    with world.serving():
        token = world.token("--cluster", "member-b")
        world.join(b, token, "--api-server", between.url, kubeconfig=config)
    world.merge("member-b")
    asked_again(world.fleet)
    assert world.fleet.reconcile().converged
    world.fleet.assert_log_whole()
