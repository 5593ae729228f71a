"""A fleet whose primary is a registered member, and what ClusterProfiles leave on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import fleet_files
from e2e_world import CRDS, MERGE, Fleet, Plane, until
from join_world import RBAC, World

GROUP = "/apis/multicluster.x-k8s.io/v1alpha1"
CRD = f"{CRDS}/clusterprofiles.multicluster.x-k8s.io"
SPACE = "fleet-profiles"
OTHERS = "others"
ROLES = ("fleetward-cluster-profiles", "fleetward-cluster-profiles-view")
EXTRA = f"{RBAC}/clusterroles/federation-reconciler-extra"


@dataclass
class Mirror:
    """``fleet`` mirrored on ``primary``, which its reconciler has no more rights on than it is given."""

    world: World
    primary: Plane

    @property
    def fleet(self) -> Fleet:
        return self.world.fleet

    def start(self, *files: dict[str, str]) -> None:
        """A trusted first commit: two clusters, and federation.yaml asks for the mirror."""
        first = {"federation.yaml": self.federation()}
        first |= {"policies/rbac/viewer.yaml": fleet_files.role("viewer")}
        for name in self.fleet.planes:
            first |= self.fleet.registration(name)
        for part in files:
            first |= part
        self.fleet.trust(self.fleet.commit(first))

    def federation(self, **spec: Any) -> str:
        asked = {"primary": self.primary.name, "clusterProfiles": {"namespace": SPACE}}
        return self.fleet.federation(**(asked | spec))

    def promote(self, *options: str, exits: int = 0, kubeconfig: str = "") -> str:
        config = kubeconfig or str(self.primary.member.kubeconfig)
        return self.world.command("promote", "--kubeconfig", config, *options, exits=exits)

    def promoted(self) -> None:
        """With the right that the member's owner adds; until the aggregated roles hold."""
        self.promote("--address", "127.0.0.1", "--port", str(self.world.port))
        until(lambda: "clusterprofiles" in str(self.primary.must("GET", EXTRA)["rules"]), "the rights")

    def path(self, name: str = "", space: str = SPACE) -> str:
        tail = f"/{name}" if name else ""
        return f"{GROUP}/namespaces/{space}/clusterprofiles{tail}"

    def profile(self, name: str) -> Any:
        return self.primary.must("GET", self.path(name))

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        (found,) = (one for one in self.profile(name)["status"]["conditions"] if one["type"] == kind)
        return dict(found)

    def publish(self, name: str, manager: str = "ocm", space: str = OTHERS, **status: Any) -> None:
        """As another cluster manager does it."""
        self.primary.send("POST", "/api/v1/namespaces", {"metadata": {"name": space}})
        head = {"apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ClusterProfile"}
        labels = {"x-k8s.io/cluster-manager": manager, "tier": "edge"}
        metadata = {"name": name, "namespace": space, "labels": labels}
        spec = {"displayName": name, "clusterManager": {"name": manager}}
        self.primary.apply(self.path(name, space), head | {"metadata": metadata, "spec": spec}, manager)
        path = f"{self.path(name, space)}/status"
        self.primary.must("PATCH", path, {"status": status}, MERGE)

    def clear(self) -> None:
        """As before anything of it; the definition takes its objects along."""
        self.primary.clear()
        self.primary.send("DELETE", CRD)
        until(lambda: self.primary.get(CRD) is None, "the definition to go")
        for role in ROLES:
            self.primary.send("DELETE", f"{RBAC}/clusterroles/{role}")
        self.primary.remove(SPACE, OTHERS, "fleetward-system")
