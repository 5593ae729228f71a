"""A fleet with one member that joined by token, and what is to be seen of its departure."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import yaml
from e2e_world import GUARDS, MAPS, MERGE, ROLES, Plane, until
from join_world import RBAC, World

from reconciler.member.bootstrap import bootstrap_objects
from reconciler.pipeline.membership.kicking import Done, Forgotten, KickPorts, Order, kick
from reconciler.pipeline.run import MemberState
from reconciler.surfaces.forgetting import forget_credentials

SPACE = "/api/v1/namespaces/federation-system"
SHOP = "/api/v1/namespaces/shop"
GUARD = f"{GUARDS}ies/fleetward-guard"
NAME = "member-b"


def shop() -> dict[str, str]:
    """A federated namespace with a ConfigMap in it."""
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    inside = {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "prices", "namespace": "shop"},
        "data": {"tea": "3"},
    }  # fmt: skip
    return {
        "policies/manifests/shop.yaml": yaml.safe_dump(space),
        "policies/manifests/prices.yaml": yaml.safe_dump(inside),
    }


@dataclass
class Departing:
    """``world`` with ``plane`` as its only member, reconciled."""

    world: World
    plane: Plane

    def join(self, *options: str) -> None:
        """By token, review and merge; then everything is there."""
        token = self.world.token("--cluster", NAME)
        with self.world.serving():
            self.world.join(self.plane, token, *options)
        self.world.merge(NAME)
        self.world.fleet.repo.git("branch", "-D", f"join/{NAME}")
        self.everything()

    def everything(self) -> None:
        """All kinds may be written and seen, as in the sandbox; then one reconcile."""
        rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
        labels = {"fleetward.io/aggregate-to-reconciler": "true"}
        role = {"metadata": {"name": "reconciler-config", "labels": labels}, "rules": rules}
        self.plane.send("POST", f"{RBAC}/clusterroles", role)
        extra = f"{RBAC}/clusterroles/federation-reconciler-extra"
        until(lambda: rules == self.plane.must("GET", extra)["rules"], "the aggregated rules")
        run = self.world.fleet.reconcile()
        assert [member.state for member in run.members] == [MemberState.APPLIED], run
        assert self.plane.data("settings") == {"colour": "blue"}

    def leave(self, *options: str, exits: int = 0, kubeconfig: str = "") -> str:
        config = kubeconfig or str(self.plane.member.kubeconfig)
        return self.world.command("leave", "--kubeconfig", config, "--yes", *options, exits=exits)

    def kick(self, *options: str, exits: int = 0) -> str:
        return self.world.command("kick", NAME, "--yes", *options, exits=exits)

    def kick_json(self, *options: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kick("--output", "json", *options))
        return found

    def assert_gone(self, *, but: tuple[str, ...] = ()) -> None:
        """Nothing of the fleet is there, but for namespaces of these names."""
        until(lambda: not self.left(but), f"nothing to be left: {self.left(but)}")

    def left(self, but: tuple[str, ...] = ()) -> list[str]:
        """The paths of what is still there."""
        paths = [
            *(_path(body) for body in bootstrap_objects()), f"{MAPS}/settings", f"{ROLES}/viewer", SHOP,
            GUARD,
            f"{GUARDS}ybindings/fleetward-guard", f"{GUARDS}ybindings/fleetward-guard-record",
            f"{SPACE}/configmaps/fleetward", f"{SPACE}/secrets/fleetward-join",
        ]  # fmt: skip
        return [path for path in paths if self.plane.get(path) and path.rpartition("/")[2] not in but]

    def marks(self, path: str) -> list[str]:
        """What of ours an object still has."""
        meta = self.plane.must("GET", path)["metadata"]
        keys = [*meta.get("labels", {}), *meta.get("annotations", {})]
        managers = [entry.get("manager") for entry in meta.get("managedFields", [])]
        ours = ("fleetward.io/", "applyset.kubernetes.io/", "app.kubernetes.io/managed-by")
        return [key for key in keys if key.startswith(ours)] + [one for one in managers if one == "fleetward"]

    def unfinished(self) -> None:
        """After a test: nothing of it stays for the next."""
        bindings = f"{GUARDS}ybindings/fleetward-guard"
        for path in (bindings, f"{bindings}-record", GUARD):
            self.plane.send("DELETE", path)
        for path in (f"{MAPS}/settings", f"{ROLES}/viewer"):
            until(lambda path=path: self.plane.send("DELETE", path) == 404, path)  # type: ignore[misc]
        self.plane.remove("shop", "federation-system")
        for body in bootstrap_objects():
            self.plane.send("DELETE", _path(body))
        self.plane.send("DELETE", f"{RBAC}/clusterroles/reconciler-config")


class Killed(Exception):  # noqa: N818  no error: the end of a process
    """The process ends here."""


class Dying:
    """A part of the ports whose method ends the process: before it does anything, or after."""

    def __init__(self, inner: Any, method: str, *, after: bool, kind: str = "") -> None:
        self._inner, self._method, self._after, self._kind = inner, method, after, kind

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._ending(found) if name == self._method else found

    def _ending(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def ending(*arguments: Any) -> Any:
            if self._kind and all(entry.kind != self._kind for entry in arguments[0]):
                return call(*arguments)
            if self._after:
                call(*arguments)
            raise Killed

        return ending


def dying(ports: KickPorts, where: str, *, after: bool) -> KickPorts:
    """The ports that end at ``where``: a kind of entry, ``forget`` or ``propose``."""
    if where == "forget":

        async def forget(paths: Sequence[str]) -> Forgotten:
            if after:
                await ports.forget(paths)
            raise Killed

        return replace(ports, forget=forget)
    if where == "propose":
        repository: Any = Dying(ports.checks.repository, "propose", after=after)
        return replace(ports, checks=replace(ports.checks, repository=repository))
    log: Any = Dying(ports.writes.log, "append", after=after, kind=where)
    return replace(ports, writes=replace(ports.writes, log=log))


def kick_once(world: World, order: Order, where: str = "", *, after: bool = False) -> Done:
    """One kick in this process, which ends at ``where`` if that is given."""
    with world.fleet.wiring() as wiring:

        async def forget(paths: Sequence[str]) -> Forgotten:
            return await forget_credentials(wiring, order.name, paths)

        checks, writes = wiring.checks(), wiring.writes()
        ports = KickPorts(checks, wiring.members(), writes, forget, lambda _outlook: True)
        return asyncio.run(kick(order, dying(ports, where, after=after) if where else ports))


def _path(body: dict[str, Any]) -> str:
    meta = body["metadata"]
    group = body["apiVersion"]
    root = f"/apis/{group}" if "/" in group else f"/api/{group}"
    space = f"/namespaces/{meta['namespace']}" if "namespace" in meta else ""
    return f"{root}{space}/{body['kind'].lower()}s/{meta['name']}"


@contextmanager
def departing(world: World, plane: Plane) -> Iterator[Departing]:
    made = Departing(world, plane)
    world.fleet.commit(shop())
    try:
        yield made
    finally:
        made.unfinished()


def label(plane: Plane, path: str, **labels: str | None) -> None:
    plane.must("PATCH", path, {"metadata": {"labels": labels}}, MERGE)
