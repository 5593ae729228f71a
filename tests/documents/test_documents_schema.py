"""The schemas themselves, those that a fleet adds, the cache, selectors, and the reference page."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from documents_kit import MemoryBlobs, MemoryCache, example, fleet_files, schema_of, snapshot, text
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reconciler.documents import Placement, Requirement, load
from reconciler.documents.durations import parse_duration
from reconciler.documents.kinds import AREA_OF_KIND
from reconciler.documents.placement import parse_placement
from reconciler.documents.schema import own_schemas
from reconciler.product import product_root


def fields(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property that a document may have, conditions left out."""
    if isinstance(node, dict):
        for name, body in node.get("properties", {}).items():
            yield f"{path}/{name}", body
            yield from fields(body, f"{path}/{name}")
        for key in ("items", "additionalProperties"):
            yield from fields(node.get(key), f"{path}/{key}")
        for name, body in node.get("$defs", {}).items():
            yield f"{path}#{name}", body
            yield from fields(body, f"{path}#{name}")


@pytest.mark.parametrize("kind", AREA_OF_KIND)
def test_a_schema_is_valid_named_and_explains_every_field(kind: str) -> None:
    schema = schema_of(kind)
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"https://fleetward.io/schemas/v1alpha1/{kind}.json"
    assert schema["title"] == kind
    assert schema["properties"]["kind"]["const"] == kind
    for path, body in fields(schema):
        assert body.get("description", "").endswith("."), path
        assert body.get("type") != "object" or "additionalProperties" in body or path.endswith("/patch"), path
    for body in schema["examples"]:
        assert own_schemas()[kind].errors(body) == []


def test_shared_definitions_are_the_same_everywhere() -> None:
    seen: dict[str, Any] = {}
    for kind in AREA_OF_KIND:
        for name, body in schema_of(kind)["$defs"].items():
            assert seen.setdefault(name, body) == body, name


def test_the_reference_page_is_made_from_the_schemas() -> None:
    command = [sys.executable, "-m", "tools.reference", "--check"]
    assert subprocess.run(command, cwd=product_root(), check=False).returncode == 0


ADDED = {
    "properties": {"spec": {"properties": {"interval": {"enum": ["5m"]}}, "required": ["tlsServerName"]}}
}


def test_a_fleets_schema_adds_to_ours() -> None:
    body = text(example("Cluster", "member-a", interval="7m", mode="x"))
    files = fleet_files(
        **{"clusters/member-a.yaml": body, "schemas/v1alpha1/Cluster.json": json.dumps(ADDED)}
    )
    del files["clusters/member-b.yaml"]
    findings = load(snapshot(files)).findings
    assert sorted((f.code, f.rule) for f in findings) == [
        ("FW1320", "enum"),
        ("FW1320", "enum"),
        ("FW1322", "required"),
    ]
    assert sum("schemas/v1alpha1/Cluster.json" in f.message for f in findings) == 2


def test_a_fleets_schema_cannot_loosen_ours() -> None:
    body = text(example("Cluster", "member-a", mode="x"))
    files = fleet_files(**{"clusters/member-a.yaml": body, "schemas/v1alpha1/Cluster.json": "{}"})
    assert [f.code for f in load(snapshot(files)).findings] == ["FW1320"]


def test_the_schemas_of_the_accepted_commit_still_hold() -> None:
    accepted = snapshot(fleet_files(**{"schemas/v1alpha1/Cluster.json": json.dumps(ADDED)}))
    assert load(snapshot(fleet_files())).findings == ()
    findings = load(snapshot(fleet_files()), accepted=accepted).findings
    assert [f.code for f in findings] == ["FW1322", "FW1322"]


def test_a_copy_of_our_own_schema_changes_nothing() -> None:
    copy = {f"schemas/v1alpha1/{kind}.json": json.dumps(schema_of(kind)) for kind in AREA_OF_KIND}
    copy["schemas/log/entry-v1.json"] = "{}"  # no schema of a kind, and none of our business
    assert load(snapshot(fleet_files(**copy))).findings == ()


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("v1alpha1/Cluster", '{"$ref": "https://example.com/x.json"}'),
        ("v1alpha1/Cluster", '{"$ref": "file:///etc/hostname"}'),
        ("v1alpha1/Cluster", '{"type": "objekt"}'),
        ("v1alpha1/Cluster", '{"pattern": "("}'),
        ("v1alpha1/Cluster", '{"$schema": "http://json-schema.org/draft-07/schema#"}'),
        ("v1alpha1/Cluster", "[]"),
        ("v1alpha1/Clutser", "{}"),
        ("v1/ConfigMap", "{}"),
    ],
)
def test_a_schema_that_cannot_be_used_is_a_finding(path: str, content: str) -> None:
    result = load(snapshot(fleet_files(**{f"schemas/{path}.json": content})))
    assert {f.code for f in result.findings} == {"FW1324"}
    assert result.fleet is not None


def test_a_schema_that_refers_to_itself_ends() -> None:
    body = '{"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a", "allOf": [{"$ref": "#"}]}'
    assert load(snapshot(fleet_files(**{"schemas/v1alpha1/Cluster.json": body}))).findings == ()


def reads(blobs: object) -> int:
    assert isinstance(blobs, MemoryBlobs)
    return blobs.reads


def test_an_unchanged_fleet_is_not_read_again_and_is_the_same() -> None:
    cache, files = MemoryCache(), fleet_files()
    first, again = snapshot(files), snapshot(files)
    assert load(first, cache=cache) == load(again, cache=cache)
    assert (reads(first.blobs), reads(again.blobs)) == (len(files), 0)


def test_one_changed_file_costs_one_file() -> None:
    cache = MemoryCache()
    load(snapshot(fleet_files()), cache=cache)
    changed = snapshot(
        fleet_files(**{"clusters/member-a.yaml": text(example("Cluster", "member-a", suspend=True))})
    )
    result = load(changed, cache=cache)
    assert result.fleet is not None
    assert result.fleet.clusters[0].suspend
    assert reads(changed.blobs) == 1


def test_findings_are_never_served_from_the_cache_nor_lost_in_it() -> None:
    cache = MemoryCache()
    files = fleet_files(
        **{"policies/rbac/a.yaml": "a: [", "clusters/other.yaml": text(example("Cluster", "member-c"))}
    )
    first = load(snapshot(files), cache=cache)
    assert [f.code for f in first.findings] == ["FW1334", "FW1305"]
    assert load(snapshot(files), cache=cache) == first


def test_other_schemas_do_not_use_what_was_kept() -> None:
    cache = MemoryCache()
    load(snapshot(fleet_files()), cache=cache)
    files = fleet_files(**{"schemas/v1alpha1/Cluster.json": json.dumps(ADDED)})
    assert len(load(snapshot(files), cache=cache).findings) == 2


@pytest.mark.parametrize(
    "value", [b"", b"{", b"null", b"[1]", b'[[1, {"metadata": {}}]]', b'[["x", {}]]', b"\xff"]
)
def test_a_damaged_cache_costs_time_and_nothing_else(value: bytes) -> None:
    cache = MemoryCache()
    expected = load(snapshot(fleet_files()), cache=cache)
    cache.kept = dict.fromkeys(cache.kept, value)
    assert load(snapshot(fleet_files()), cache=cache) == expected


KEYS, TEXTS = st.sampled_from(["a", "b"]), st.sampled_from(["", "x", "y"])
LABELS = st.dictionaries(KEYS, TEXTS)


@given(LABELS, KEYS, st.lists(TEXTS, min_size=1))
def test_operators_are_those_of_kubernetes(labels: dict[str, str], key: str, values: list[str]) -> None:
    def says(operator: Any, *wanted: str) -> bool:
        return Placement(match_expressions=(Requirement(key, operator, wanted),)).matches("m", labels)

    assert says("In", *values) == (labels.get(key) in values)
    assert says("NotIn", *values) == (not says("In", *values))
    assert says("Exists") == (key in labels)
    assert says("DoesNotExist") == (key not in labels)


@given(LABELS, LABELS)
def test_match_labels_is_in_with_one_value(labels: dict[str, str], wanted: dict[str, str]) -> None:
    as_expressions = tuple(Requirement(key, "In", (value,)) for key, value in wanted.items())
    by_labels = Placement(match_labels=wanted).matches("m", labels)
    assert by_labels == Placement(match_expressions=as_expressions).matches("m", labels)


def test_names_and_selector_narrow_each_other() -> None:
    placement = parse_placement({"clusters": ["m"], "clusterSelector": {"matchLabels": {"a": "x"}}})
    assert placement.matches("m", {"a": "x"})
    assert not placement.matches("n", {"a": "x"})
    assert not placement.matches("m", {"a": "y"})
    assert parse_placement({}).matches("anything", {})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5m", 300), ("1h30m", 5400), ("1.5s", 1.5), ("250ms", 0.25), (".5m", 30), ("+2s", 2), ("1us", 1e-6)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "5", "0s", "-1s", "1d", "1 m", "m", "1h 5m", "1e3s", "9" * 30 + "h", "99999999h", "٣s"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@given(st.text(max_size=20))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_duration(text) > timedelta(0)
