"""Fleets for the other two ways to join: at once, and with a registration that waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import fleet_files
import yaml
from e2e_world import Plane
from join_world import World

from reconciler.trust.keys import load
from reconciler.trust.sshsig import public_key_text

ENROLLER = "fleetward"


def enroller_key(world: World) -> str:
    """The reconciler's key, as a signer has it."""
    return public_key_text(load(world.fleet.settings.key_file).public_key)


def root(world: World, version: int, *, allowed: bool = True, roles: tuple[str, ...] = ("enroller",)) -> str:
    """federation.yaml with alice and the reconciler's key as a signer of ``roles``."""
    limits = {"requestTimeout": "5s"}
    signers = [
        {"name": "alice", "keys": [world.fleet.repo.person("alice").public_key]},
        {"name": ENROLLER, "roles": list(roles), "keys": [enroller_key(world)]},
    ]
    rules = [{"paths": ["clusters/**"], "needs": [{"count": 1}]}]
    spec = {
        "signers": signers, "limits": limits, "trust": {"version": version}, "approvals": rules,
        "joining": {"autoApprove": allowed},
    }  # fmt: skip
    return fleet_files.document("Federation", "test-fleet", spec)


def behind_url(world: World, remote: Path) -> Callable[..., str]:
    """The fleet again, behind a URL, with a log of its own; gives git on the remote."""
    repo = world.fleet.repo
    repo.git("clone", "-q", "--bare", str(repo.path), str(remote))
    repo.git("remote", "add", "origin", str(remote))
    world.fleet = replace(world.fleet, location=f"file://{remote}", machine=remote.parent / "other")
    world.fleet.trust(repo.head())
    world.promote()
    return lambda *arguments: repo.git("-C", str(remote), *arguments)


def push(world: World, files: Mapping[str, str | None]) -> str:
    """A commit by alice on what the remote has, pushed; its id."""
    repo = world.fleet.repo
    repo.git("fetch", "-q", "origin", "main")
    repo.git("reset", "-q", "--hard", "FETCH_HEAD")
    commit = world.fleet.commit(files)
    repo.git("push", "-q", "origin", "HEAD:main")
    return commit


def waiting(world: World, plane: Plane, name: str, **spec: Any) -> dict[str, str]:
    """A registration that was written by hand and waits for its cluster."""
    made = {
        "apiServers": [plane.member.url], "caBundle": plane.member.ca_file.read_text(),
        "credentials": {"tokenFile": f"joined/{name}.token"}, **spec,
    }  # fmt: skip
    labels = {"owner": "team", "environment": "test", "tier": "workload"}
    return {f"clusters/{name}.yaml": fleet_files.document("Cluster", name, made, labels=labels)}


def join_file(folder: Path, token: str, name: str, **spec: Any) -> str:
    """join.yaml and the token beside it."""
    secret = folder / "join.token"
    secret.touch(mode=0o600)
    secret.write_text(token + "\n")
    body = {
        "apiVersion": "fleetward.io/v1alpha1", "kind": "Join", "metadata": {"name": name},
        "spec": {"tokenFile": secret.name, **spec},
    }  # fmt: skip
    (folder / "join.yaml").write_text(yaml.safe_dump(body))
    return str(folder / "join.yaml")
