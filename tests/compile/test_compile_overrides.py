"""Overrides: RFC 7386's own examples, RFC 6902, identity, limits, and that nothing is changed in place."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from compile_fleets import bodies, cluster, codes, compiled, document, manifest, ours
from hypothesis import given
from hypothesis import strategies as st

from reconciler.compile.overrides import MAX_BYTES, OverrideError, json_patch, merge_patch
from reconciler.documents import Document

# RFC 7386, appendix A: original, patch, result.
RFC7386 = """
{"a":"b"}           {"a":"c"}                     {"a":"c"}
{"a":"b"}           {"b":"c"}                     {"a":"b","b":"c"}
{"a":"b"}           {"a":null}                    {}
{"a":"b","b":"c"}   {"a":null}                    {"b":"c"}
{"a":["b"]}         {"a":"c"}                     {"a":"c"}
{"a":"c"}           {"a":["b"]}                   {"a":["b"]}
{"a":{"b":"c"}}     {"a":{"b":"d","c":null}}      {"a":{"b":"d"}}
{"a":[{"b":"c"}]}   {"a":[1]}                     {"a":[1]}
["a","b"]           ["c","d"]                     ["c","d"]
{"a":"b"}           ["c"]                         ["c"]
{"a":"foo"}         null                          null
{"a":"foo"}         "bar"                         "bar"
{"e":null}          {"a":1}                       {"e":null,"a":1}
[1,2]               {"a":"b","c":null}            {"a":"b"}
{}                  {"a":{"bb":{"ccc":null}}}     {"a":{"bb":{}}}
"""

values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("line", RFC7386.strip().splitlines())
def test_merge_patch_examples_of_the_rfc(line: str) -> None:
    original, patch, result = (json.loads(text) for text in line.split())
    assert merge_patch(original, patch) == result


@given(values, values)
def test_merge_patch_changes_nothing_in_place_and_is_idempotent(target: Any, patch: Any) -> None:
    before = deepcopy((target, patch))
    once = merge_patch(target, patch)
    assert (target, patch) == before
    assert merge_patch(once, patch) == once


@given(
    values,
    st.lists(st.fixed_dictionaries({"op": st.text(max_size=4), "path": st.text(max_size=4)}), max_size=3),
)
def test_any_json_patch_applies_or_says_why_not(target: Any, patch: list[Any]) -> None:
    before = deepcopy(target)
    try:
        json_patch(target, patch)
    except OverrideError as error:
        assert error.code == "FW1401"
    assert target == before


@given(st.dictionaries(st.sampled_from("abc"), values), st.dictionaries(st.sampled_from("abc"), values))
def test_json_patch_replaces_what_merge_patch_replaces(target: dict[str, Any], patch: dict[str, Any]) -> None:
    operations = [{"op": "add", "path": f"/{name}", "value": value} for name, value in patch.items()]
    assert json_patch(target, operations) == {**target, **patch}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/spec/none", "value": 1},
        {"op": "test", "path": "/kind", "value": "Pod"},
        {"op": "remove", "path": "/data/5"},
        {"op": "add", "path": "/kind/0/x", "value": 1},
        {"op": "explode", "path": "/kind"},
        {"op": "add", "path": "kind"},
        {"path": "/kind"},
    ],
)
def test_a_json_patch_that_does_not_apply_is_an_error_of_ours(operation: dict[str, Any]) -> None:
    with pytest.raises(OverrideError):
        json_patch(manifest("v1", "ConfigMap", "a", "b", data={"x": "y"}), [operation])


def test_a_json_patch_cannot_blow_a_document_up() -> None:
    copies = [{"op": "copy", "from": "/a", "path": "/a/-"} for _ in range(64)]
    with pytest.raises(OverrideError, match=str(MAX_BYTES)):
        json_patch({"a": ["x" * 100]}, copies)


def settings_map(*overrides: dict[str, Any]) -> Document:
    annotations = {"fleetward.io/overrides": json.dumps(overrides)}
    body = manifest("v1", "ConfigMap", "settings", "shop", data={"level": "info"}, annotations=annotations)
    return document(body, "policies/manifests/settings.yaml", 7)


PROD = {"clusterSelector": {"matchLabels": {"environment": "prod"}}}


def test_overrides_apply_in_order_where_their_selector_matches() -> None:
    merge = {**PROD, "patch": {"data": {"level": "warn", "extra": "1"}}}
    patch = {"patch": [{"op": "replace", "path": "/data/level", "value": "error"}]}
    source = settings_map(merge, patch)
    assert bodies(compiled(source))[0]["data"] == {"level": "error"}
    prod = compiled(source, on=cluster(environment="prod"))
    assert bodies(prod)[0]["data"] == {"level": "error", "extra": "1"}
    assert source.body["data"] == {"level": "info"}


@pytest.mark.parametrize(
    "patch",
    [
        {"metadata": {"name": "other"}},
        {"metadata": {"namespace": None}},
        {"kind": "Secret"},
        {"apiVersion": "v2"},
        {"metadata": None},
        [{"op": "replace", "path": "", "value": []}],
    ],
)
def test_identity_cannot_be_overridden(patch: Any) -> None:
    result = compiled(settings_map({"patch": patch}))
    assert codes(result) == ["FW1402"]
    assert result.desired.objects == ()


def test_a_failed_override_names_document_cluster_and_operation() -> None:
    missing = {"patch": [{"op": "remove", "path": "/data/absent"}]}
    result = compiled(settings_map(missing), on=cluster("edge-1"))
    [finding] = result.findings
    assert finding.code == "FW1401"
    assert str(finding.source) == "policies/manifests/settings.yaml:7"
    assert finding.subject == "edge-1/ConfigMap/shop/settings"
    assert "remove /data/absent" in finding.message


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/stringData/password", "value": "other"},
        {"op": "remove", "path": "/stringData/none"},
        {"op": "replace", "path": "/stringData/none/deep", "value": "x"},
    ],
)
def test_a_failed_override_tells_no_secret(operation: dict[str, Any]) -> None:
    annotations = {"fleetward.io/overrides": json.dumps([{"patch": [operation]}])}
    secret = manifest(
        "v1", "Secret", "a", "shop", stringData={"password": "hunter2"}, annotations=annotations
    )
    findings = compiled(document(secret)).findings
    assert [finding.code for finding in findings] == ["FW1401"]
    assert "hunter2" not in repr(findings)


def test_a_patched_document_of_ours_must_pass_its_schema_again() -> None:
    spec = {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}
    spoiled = [{**PROD, "patch": {"spec": {"scope": "Galaxy"}}}]
    role = ours("FederatedRole", "viewer", {**spec, "overrides": spoiled})
    assert codes(compiled(role)) == []
    result = compiled(role, on=cluster(environment="prod"))
    assert set(codes(result)) == {"FW1403"}
    assert result.desired.objects == ()
