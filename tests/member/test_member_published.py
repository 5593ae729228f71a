"""What strangers publish: whatever it is, it becomes bounded facts or nothing."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.documents.formats import is_certificates, is_https_url, is_label_value
from reconciler.member.published import Published, parse_profile

SCHEMA = Path(__file__).parents[2] / "schemas" / "v1alpha1" / "Cluster.json"
CA = json.loads(SCHEMA.read_text())["examples"][0]["spec"]["caBundle"]


def item(*ways: dict[str, Any], **status: Any) -> dict[str, Any]:
    providers = [{"name": f"p{index}", "cluster": way} for index, way in enumerate(ways)]
    return {
        "metadata": {"name": "eu-1", "namespace": "ocm", "labels": {"x-k8s.io/cluster-manager": "ocm"}},
        "spec": {"clusterManager": {"name": "ocm"}}, "status": {"accessProviders": providers} | status,
    }  # fmt: skip


def parsed(value: Any) -> Published:
    found = parse_profile(value)
    assert found is not None
    return found


def test_a_good_one() -> None:
    encoded = base64.b64encode(CA.encode()).decode()
    way = {"server": "https://eu-1:6443/", "certificate-authority-data": encoded, "tls-server-name": "kube"}
    one = parsed(item(way, version={"kubernetes": "v1.35.0"}, properties=[{"name": "a", "value": "b"}]))
    (access,) = one.access
    assert (access.server, access.ca_bundle, access.server_name) == ("https://eu-1:6443", CA, "kube")
    assert (one.version, one.manager, one.properties) == ("v1.35.0", "ocm", {"a": "b"})
    assert one.left_out == ()


def test_the_older_name_of_access_providers_counts_where_the_newer_does_not_say() -> None:
    old = [
        {"name": "p0", "cluster": {"server": "https://old"}},
        {"name": "q", "cluster": {"server": "https://q"}},
    ]
    assert parsed(item({"server": "https://new"}, credentialProviders=old)).servers == (
        "https://new",
        "https://q",
    )


@pytest.mark.parametrize(
    "way",
    [
        {"server": "http://a"}, {"server": "https://user:pw@a"}, {"server": 5}, {}, {"server": "https://a\nb"},
        {"server": "https://a", "insecure-skip-tls-verify": True}, {"server": "https://a", "proxy-url": "x"},
        {"server": "https://a", "certificate-authority": "/etc/x"}, {"server": "https://" + "a" * 3000},
        {"server": "https://a", "certificate-authority-data": "!"},
        {"server": "https://a", "certificate-authority-data": base64.b64encode(b"no PEM").decode()},
        {"server": "https://a", "certificate-authority-data": "A" * 600_000},
        {"server": "https://a", "tls-server-name": "../x"}, {"server": "https://a", "tls-server-name": ["x"]},
    ],
)  # fmt: skip
def test_a_way_that_no_registration_can_have_is_left_out_and_said(way: dict[str, Any]) -> None:
    one = parsed(item(way))
    assert one.access == ()
    assert len(one.left_out) == 1
    assert "pw" not in one.left_out[0]


@pytest.mark.parametrize(
    "change",
    [
        {"spec": {"clusterManager": {"name": "fleetward"}}}, {"metadata": {"name": "../x", "namespace": "n"}},
        {"metadata": {"name": "x" * 300, "namespace": "n"}}, {"metadata": {"name": 5, "namespace": "n"}},
        {"metadata": {"name": "x"}}, {"metadata": None},
    ],
)  # fmt: skip
def test_ours_and_what_has_no_name_is_nothing(change: dict[str, Any]) -> None:
    assert parse_profile(item({"server": "https://a"}) | change) is None


def test_sizes_are_bounded() -> None:
    many = item(*({"server": f"https://h{n}"} for n in range(100)))
    many["metadata"]["labels"] = {f"l{n}": "x" for n in range(1000)} | {"bad key": "x"}
    many["status"]["properties"] = [{"name": f"n{n}", "value": "v"} for n in range(1000)]
    one = parsed(many)
    assert len(one.access) == 16
    assert len(one.labels) <= 64
    assert len(one.properties) <= 200
    assert len(one.left_out) <= 20


WORDS = st.sampled_from(
    ["metadata", "name", "namespace", "labels", "spec", "clusterManager", "status", "version", "kubernetes",
     "properties", "value", "accessProviders", "cluster", "server", "certificate-authority-data", "https://a"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=25,
)


@given(JSON, JSON, JSON)
def test_any_json(labels: Any, spec: Any, status: Any) -> None:
    metadata = {"name": "x", "namespace": "n", "labels": labels}
    one = parse_profile({"metadata": metadata, "spec": spec, "status": status})
    if one is not None:
        assert all(is_https_url(access.server) for access in one.access)
        assert all(not access.ca_bundle or is_certificates(access.ca_bundle) for access in one.access)
        assert all(is_label_value(value) for value in one.labels.values())
        assert max(map(len, (one.manager, one.version, one.display))) <= 253


@given(JSON)
def test_any_json_at_all(value: Any) -> None:
    found = parse_profile(value)
    assert found is None or found.name
