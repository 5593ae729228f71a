"""The mirror of a fleet, as it is compiled: on the primary alone, from federation.yaml."""

from typing import Any

import pytest
from compile_fleets import bodies, cluster, codes, compiled, document, fleet, manifest, ours

from reconciler.compile import compile_fleet
from reconciler.compile.profile_crd import profile_crd
from reconciler.documents import Document
from reconciler.model import ClusterName

ALL = [
    cluster("hub", tier="critical"),
    cluster("edge-1", **{"applyset.kubernetes.io/id": "x", "tier": "edge"}),
]


def federation(**spec: Any) -> Document:
    asked = {"primary": "hub", "clusterProfiles": {"namespace": "fleet"}, "signers": []}
    return ours("Federation", "f", {k: v for k, v in (asked | spec).items() if v}, "federation.yaml")


def test_every_registration_is_on_the_primary_and_nowhere_else() -> None:
    results = compile_fleet(fleet([federation()], ALL))
    assert [result.findings for result in results.values()] == [(), ()]
    assert bodies(results[ClusterName("edge-1")]) == []
    found = bodies(results[ClusterName("hub")])
    assert [one["metadata"]["name"] for one in found] == ["edge-1", "hub"]
    edge = found[0]
    assert edge["spec"] == {"clusterManager": {"name": "fleetward"}, "displayName": "edge-1"}
    assert edge["metadata"]["namespace"] == "fleet"
    labels = edge["metadata"]["labels"]
    assert labels["tier"] == "edge"
    assert labels["x-k8s.io/cluster-manager"] == "fleetward"
    assert "applyset.kubernetes.io/id" not in labels
    assert edge["metadata"]["annotations"]["fleetward.io/source"] == "federation.yaml"
    assert "status" not in edge


@pytest.mark.parametrize("spec", [{"clusterProfiles": None}, {"primary": "other"}])
def test_it_is_off_unless_it_is_asked_for(spec: dict[str, Any]) -> None:
    results = compile_fleet(fleet([federation(**spec)], ALL))
    assert [bodies(result) for result in results.values()] == [[], []]


def test_another_registration_or_label_changes_what_is_cached() -> None:
    class Memory(dict[str, bytes]):
        def get_many(self, keys: Any) -> dict[str, bytes]:
            return {key: self[key] for key in keys if key in self}

        def put_many(self, values: Any) -> None:
            self.update(values)

    memory = Memory()
    seen = []
    for clusters in (ALL, ALL[:1], [ALL[0], cluster("edge-1", tier="core")], ALL):
        result = compile_fleet(fleet([federation()], clusters), cache=memory)[ClusterName("hub")]
        seen.append(result.desired.digest)
    assert len(set(seen)) == 3
    assert seen[0] == seen[3]


def test_a_profile_by_hand_is_held_to_the_kind_s_own_schema() -> None:
    made = manifest("multicluster.x-k8s.io/v1alpha1", "ClusterProfile", "x", "fleet", spec={})
    assert codes(compiled(document(made))) == ["FW1441"]
    made["spec"] = {"clusterManager": {"name": "me"}, "typo": 1}
    assert codes(compiled(document(made))) == ["FW1442"]
    del made["spec"]["typo"]
    assert codes(compiled(document(made))) == []
    del made["metadata"]["namespace"]
    assert codes(compiled(document(made))) == ["FW1421"]


def test_a_definition_of_the_commit_comes_first() -> None:
    crd = profile_crd()
    crd["spec"]["versions"][0]["name"] = "v9"
    made = manifest("multicluster.x-k8s.io/v1alpha1", "ClusterProfile", "x", "fleet")
    made["spec"] = {"clusterManager": {"name": "me"}}
    assert codes(compiled(document(crd, "policies/manifests/crd.yaml"), document(made))) == ["FW1445"]


def test_the_definition_is_one_that_kubernetes_takes() -> None:
    assert codes(compiled(document(profile_crd()))) == []
