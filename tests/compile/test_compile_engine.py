"""The whole: golden bytes, labels, digests, order, cache, doubles, reserved names, plain manifests."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import pytest
from compile_fleets import bodies, cluster, codes, compiled, document, fleet, manifest, ours
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.compile import CODES, KINDS, compile_cluster, compile_fleet
from reconciler.documents import Document
from reconciler.errors import CompileError
from reconciler.model import APPLYSET_ID, MEMBER_NAMESPACE, PARENT_NAME

RULES = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
ROLE = ours("FederatedRole", "viewer", {"rules": RULES})
BINDING = ours(
    "FederatedRoleBinding",
    "dev",
    {
        "roleRef": {"kind": "FederatedRole", "name": "viewer"},
        "subjects": [{"kind": "Group", "name": "dev"}],
        "namespaces": ["shop"],
    },
)
RULE = ours(
    "FederatedNetworkRule",
    "web",
    {
        "namespaces": ["shop"],
        "podSelector": {"matchLabels": {"app": "web"}},
        "allow": [{"direction": "ingress", "peers": [{"cidr": "10.0.0.0/8"}], "ports": [{"port": 443}]}],
        "deny": [{"direction": "ingress", "peers": [{"cidr": "10.1.0.0/16"}]}],
    },
)
MAP = document(manifest("v1", "ConfigMap", "settings", "shop", data={"b": "ü", "a": "1"}))
EVERYTHING = [ROLE, BINDING, RULE, MAP]

OURS = (
    '"labels":{"app.kubernetes.io/managed-by":"fleetward",'
    '"applyset.kubernetes.io/part-of":"applyset-nMQ8kJWj-5UIBuiLXMlKXuvQnA0JOx8GdSVqz9XPtRg-v1"}'
)
GOLDEN = {
    "ClusterRole": '{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":'
    '{"annotations":{DIGEST"fleetward.io/source":"policies/FederatedRole/viewer.yaml"},OURS,"name":"viewer"},'
    '"rules":[{"apiGroups":[""],"resources":["pods"],"verbs":["get"]}]}',
    "RoleBinding": '{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":'
    '{"annotations":{DIGEST"fleetward.io/source":"policies/FederatedRoleBinding/dev.yaml"},OURS,"name":"dev",'
    '"namespace":"shop"},'
    '"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"viewer"},'
    '"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"Group","name":"dev"}]}',
    "NetworkPolicy": '{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"annotations":'
    '{DIGEST"fleetward.io/source":"policies/FederatedNetworkRule/web.yaml"},OURS,"name":"web","namespace":"shop"},'
    '"spec":{"ingress":[{"from":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.1.0.0/16"]}}],'
    '"ports":[{"port":443,"protocol":"TCP"}]}],"podSelector":{"matchLabels":{"app":"web"}},'
    '"policyTypes":["Ingress"]}}',
    "ConfigMap": '{"apiVersion":"v1","data":{"a":"1","b":"ü"},"kind":"ConfigMap","metadata":{"annotations":'
    '{DIGEST"fleetward.io/source":"policies/manifests/a.yaml"},OURS,"name":"settings","namespace":"shop"}}',
}


class Memory(dict[str, bytes]):
    """The cache port, in memory; counts what is put."""

    puts = 0

    def get_many(self, keys: Iterable[str]) -> Mapping[str, bytes]:
        return {key: self[key] for key in keys if key in self}

    def put(self, key: str, value: bytes) -> None:
        self.put_many({key: value})

    def put_many(self, items: Mapping[str, bytes]) -> None:
        self.puts += len(items)
        self.update(items)


def test_golden_bytes_of_each_kind() -> None:
    result = compiled(*EVERYTHING)
    assert result.findings == ()
    assert {item.ref.kind for item in result.desired.objects} == GOLDEN.keys()
    for item in result.desired.objects:
        plain = GOLDEN[item.ref.kind].replace("OURS", OURS)
        digest = f"sha256:{hashlib.sha256(plain.replace('DIGEST', '').encode()).hexdigest()}"
        assert item.digest == digest
        assert item.body.decode() == plain.replace("DIGEST", f'"fleetward.io/digest":"{digest}",')


def test_objects_are_sorted_and_the_digest_covers_them() -> None:
    desired = compiled(*EVERYTHING).desired
    assert list(desired.objects) == sorted(desired.objects, key=lambda item: item.ref)
    less = compiled(*EVERYTHING[1:-1], ROLE).desired
    assert less.digest != desired.digest
    assert desired.digest.startswith("sha256:")


def test_applyset_id_is_the_formula_of_kep_3659() -> None:
    name = f"{PARENT_NAME}.{MEMBER_NAMESPACE}.ConfigMap."
    encoded = urlsafe_b64encode(hashlib.sha256(name.encode()).digest()).decode().rstrip("=")
    assert f"applyset-{encoded}-v1" == APPLYSET_ID


def spread(overrides: bool = False) -> list[Document]:
    """Documents of all kinds with placements, some doubled, some faulty."""
    annotations = {"fleetward.io/placement": '{"clusterSelector": {"matchLabels": {"environment": "prod"}}}'}
    if overrides:
        annotations["fleetward.io/overrides"] = '[{"patch": {"data": {"extra": "1"}}}]'
    placed = manifest("v1", "ConfigMap", "placed", "shop", annotations=annotations)
    typo = manifest("v1", "ConfigMap", "typo", "shop", dta={})
    nowhere = manifest("v1", "ConfigMap", "nowhere")
    double = manifest("v1", "ConfigMap", "settings", "shop", data={"other": "1"})
    third = manifest("v1", "ConfigMap", "settings", "shop")
    wanted = (placed, typo, double, third, nowhere)
    others = [document(body, f"policies/manifests/{n}.yaml") for n, body in enumerate(wanted)]
    return [*EVERYTHING, *others]


@settings(max_examples=50, deadline=None)
@given(st.permutations(spread()), st.sampled_from(["prod", "dev"]), st.booleans())
def test_the_order_of_documents_and_a_cache_change_nothing(
    shuffled: list[Document], environment: str, cached: bool
) -> None:
    on = cluster(environment=environment)
    expected = compile_cluster(fleet(spread()), on)
    cache = Memory() if cached else None
    assert compile_cluster(fleet(shuffled), on, cache=cache) == expected
    assert compile_cluster(fleet(shuffled), on, cache=cache) == expected


def test_a_warm_cache_is_all_that_is_needed() -> None:
    cache, source = Memory(), fleet(spread(overrides=True))
    prod = cluster(environment="prod")
    first = compile_cluster(source, prod, cache=cache)
    puts = cache.puts
    assert puts == 9
    assert compile_cluster(source, prod, cache=cache) == first
    assert cache.puts == puts


def test_members_of_one_version_share_entries_except_for_overrides() -> None:
    cache, source = Memory(), fleet(spread(overrides=True))
    compile_cluster(source, cluster("member-a", environment="prod"), cache=cache)
    puts = cache.puts
    compile_cluster(source, cluster("member-b", environment="prod"), cache=cache)
    assert cache.puts == puts
    compile_cluster(source, cluster("member-c", environment="prod", tier="edge"), cache=cache)
    assert cache.puts == puts + 1
    compile_cluster(source, cluster("member-d", "1.35", environment="prod"), cache=cache)
    assert cache.puts == 2 * puts + 1


def test_a_role_is_part_of_its_bindings_key() -> None:
    cache = Memory()
    compile_cluster(fleet([ROLE, BINDING]), cluster(), cache=cache)
    narrowed = ours("FederatedRole", "viewer", {"scope": "Namespace", "namespaces": ["shop"], "rules": RULES})
    result = compile_cluster(fleet([narrowed, BINDING]), cluster(), cache=cache)
    assert [b["roleRef"]["kind"] for b in bodies(result) if "roleRef" in b] == ["Role"]


@given(st.binary(max_size=40))
def test_a_spoiled_cache_is_no_cache(junk: bytes) -> None:
    cache, source = Memory(), fleet([MAP])
    expected = compile_cluster(source, cluster(), cache=cache)
    for key in cache:
        cache[key] = junk
    assert compile_cluster(source, cluster(), cache=cache) == expected


def test_a_fleet_compiles_every_cluster_alike() -> None:
    clusters = [cluster("member-a", environment="prod"), cluster("member-b", environment="dev")]
    result = compile_fleet(fleet(spread(), clusters))
    assert result == {item.name: compile_cluster(fleet(spread()), item) for item in clusters}


def test_two_sources_of_one_object_are_both_named() -> None:
    other = document(
        manifest("rbac.authorization.k8s.io/v1", "ClusterRole", "viewer", rules=[]),
        "policies/manifests/z.yaml",
        9,
    )
    result = compiled(ROLE, other)
    [finding] = result.findings
    assert finding.code == "FW1431"
    assert "policies/FederatedRole/viewer.yaml:1" in finding.message
    assert "policies/manifests/z.yaml:9" in finding.message
    assert [str(item.source) for item in result.desired.objects] == ["policies/FederatedRole/viewer.yaml:1"]


def test_lines_do_not_change_what_is_sent() -> None:
    body = manifest("v1", "ConfigMap", "settings", "shop")
    first, second = (compiled(document(body, line=line)).desired for line in (1, 50))
    assert first.digest == second.digest
    assert first.objects[0].body == second.objects[0].body


def test_our_annotations_stay_at_home_and_others_travel() -> None:
    annotations = {"fleetward.io/conflict": "take", "example.com/a": "b"}
    result = compiled(document(manifest("v1", "ConfigMap", "a", "shop", annotations=annotations)))
    [item] = result.desired.objects
    assert item.take_conflicts
    kept = orjson.loads(item.body)["metadata"]["annotations"]
    assert kept.keys() == {"example.com/a", "fleetward.io/source", "fleetward.io/digest"}


def labelled(**labels: str) -> dict[str, Any]:
    body = manifest("v1", "ConfigMap", "a", "shop")
    return {
        **body,
        "metadata": {**body["metadata"], "labels": {k.replace("_", "/"): v for k, v in labels.items()}},
    }


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (labelled(**{"app.kubernetes.io_managed-by": "Helm"}), "FW1424"),
        (labelled(**{"applyset.kubernetes.io_part-of": "other"}), "FW1424"),
        (manifest("v1", "ConfigMap", "fleetward", "federation-system"), "FW1425"),
        (manifest("v1", "ServiceAccount", "federation-reconciler", "federation-system"), "FW1425"),
        (manifest("v1", "Namespace", "federation-system"), "FW1425"),
        (
            manifest("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "fleetward-guard"),
            "FW1425",
        ),
        (manifest("v1", "ConfigMap", "a"), "FW1421"),
        (manifest("v1", "Namespace", "a", "shop"), "FW1422"),
        (manifest("v1", "List", "a", items=[]), "FW1426"),
        (manifest("authentication.k8s.io/v1", "TokenReview", "a", spec={}), "FW1426"),
        (manifest("v1", "ConfigMap", "a", "shop", data={"n": 2**70}), "FW1427"),
        (manifest("v1", "ConfigMap", "a", "shop", data={"n": "\ud800"}), "FW1427"),
    ],
)
def test_manifests_that_are_refused(body: dict[str, Any], code: str) -> None:
    metadata = body["metadata"]
    namespace = metadata.get("namespace", "")
    item = Document(body["apiVersion"], body["kind"], metadata["name"], namespace, body, MAP.source, "blob#0")
    assert codes(compiled(item)) == [code]


def test_our_own_labels_may_be_written_out() -> None:
    [body] = bodies(compiled(MAP))
    again = {**body, "metadata": {**body["metadata"]}}
    result = compiled(document(again))
    assert result.findings == ()
    assert bodies(result) == [body]


def test_kinds_that_leave_nothing_on_a_member() -> None:
    exception = ours("PolicyException", "x", {"rule": "rbac.escalate"})
    assert compiled(exception, ours("AccessTest", "later", {})).desired.objects == ()


def test_a_version_that_cannot_be_read_stops() -> None:
    with pytest.raises(CompileError):
        compiled(MAP, on=cluster(version="latest"))


def test_every_code_is_explained_once() -> None:
    assert all(code.startswith("FW14") and meaning and todo for code, (meaning, todo) in CODES.items())
    ours_that_compile = {"FederatedRole", "FederatedRoleBinding", "FederatedNetworkRule", "Federation"}
    assert set(KINDS) == ours_that_compile
