"""Whether a live object is what was applied, by structure; and how objects are named on the command line."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from explain_world import managed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.errors import SettingsError
from reconciler.model import Json
from reconciler.pipeline.explanation import parse_wanted
from reconciler.pipeline.likeness import unlike

SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=200)
CLUSTER_ROLE: Json = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "a"},
    "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
}
POLICY: Json = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "a", "namespace": "b"},
    "spec": {"podSelector": {"matchLabels": {"app": "a"}}, "ingress": [{"from": [{"podSelector": {}}]}]},
}
QUOTA: Json = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "a"},
    "spec": {"hard": {"limits.cpu": "1000m", "limits.memory": "1024Mi", "pods": 10}},
}


def edited(body: Json, path: str, value: Json) -> Json:
    """A copy with one field set; "rules.0.verbs"."""
    made = copy.deepcopy(body)
    *steps, last = path.split(".")
    here = made
    for step in steps:
        here = here[int(step)] if step.isdecimal() else here[step]
    here[int(last) if last.isdecimal() else last] = value
    return made


@pytest.mark.parametrize(
    ("body", "path", "value"),
    [
        (CLUSTER_ROLE, "rules.0.verbs", ["get", "list"]),
        (CLUSTER_ROLE, "rules.0.resources.0", "secrets"),
        (CLUSTER_ROLE, "rules.0.nonResourceURLs", ["*"]),
        (CLUSTER_ROLE, "rules", None),
        (CLUSTER_ROLE, "aggregationRule", {"clusterRoleSelectors": [{}]}),
        (POLICY, "spec.podSelector.matchLabels.tier", "x"),
        (POLICY, "spec.ingress.0.from.0.namespaceSelector", {}),
        (POLICY, "spec.ingress.0.from.0", {"namespaceSelector": {}}),
        (QUOTA, "spec.hard.pods", "11"),
        (QUOTA, "metadata.labels", {}),
    ],
)
def test_what_means_something_else_is_told(body: Json, path: str, value: Json) -> None:
    same = path == "metadata.labels"
    assert (unlike(body, edited(body, path, value)) == ()) is same


@pytest.mark.parametrize(
    ("body", "path", "value"),
    [
        (QUOTA, "spec.hard", {"limits.cpu": "1", "limits.memory": "1Gi", "pods": "10"}),
        (QUOTA, "spec.scopes", ["Terminating"]),  # a default, as far as structure can tell
        (POLICY, "spec.policyTypes", ["Ingress"]),
        (POLICY, "status", {}),
        (CLUSTER_ROLE, "metadata.uid", "u"),
    ],
)
def test_what_the_api_server_adds_is_no_difference(body: Json, path: str, value: Json) -> None:
    assert unlike(body, edited(body, path, value)) == ()


def test_secrets_are_compared_and_never_shown() -> None:
    applied = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"p": "hidden"}}
    live = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"p": "aGlkZGVu"}}
    assert unlike(applied, live) == ()
    assert unlike(applied, edited(live, "data.p", "c3BpZWQ=")) == (".data.p is another value",)


def test_empty_values_count_where_they_mean_something() -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "spec": {"hostNetwork": False, "automountServiceAccountToken": False},
    }
    assert unlike(pod, {"apiVersion": "v1", "kind": "Pod", "spec": {}}) == (
        ".spec.automountServiceAccountToken is missing",
    )
    custom = {"apiVersion": "e.example/v1", "kind": "Widget", "spec": {"enabled": False}}
    assert unlike(custom, {**custom, "spec": {}}) == (".spec.enabled is missing",)


def test_fields_of_others_are_named() -> None:
    live = edited(QUOTA, "metadata.managedFields", [managed("fleetward", "Apply", QUOTA)])
    assert unlike(QUOTA, live) == ()
    more = managed(
        "kubectl", "Update", {"spec": {"hard": {"services": 1}}, "metadata": {"labels": {"x": "y"}}}
    )
    status = managed("controller", "Update", {"status": {"used": 1}}, subresource="status")
    live["metadata"]["managedFields"] += [more, status]
    assert sorted(unlike(QUOTA, live)) == [
        ".metadata.labels was written by kubectl (Update)",
        ".spec.hard.services was written by kubectl (Update)",
    ]
    # A manager may take our name; what it wrote beside is still not what was applied.
    more["manager"], more["operation"] = "fleetward", "Apply"
    assert len(unlike(QUOTA, live)) == 2


def test_a_whole_list_that_another_wrote_is_named() -> None:
    entry = {"manager": "x", "operation": "Update", "fieldsV1": {"f:rules": {}}}
    live = edited(CLUSTER_ROLE, "metadata.managedFields", [entry])
    assert unlike(CLUSTER_ROLE, live) == (".rules was written by x (Update)",)
    aggregated = {**CLUSTER_ROLE, "aggregationRule": {"clusterRoleSelectors": []}}
    aggregated.pop("rules")
    live = {**aggregated, "rules": [{}], "metadata": {"name": "a", "managedFields": [entry]}}
    assert unlike(aggregated, live) == ()


LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=3)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("pqrs"), inner, max_size=3),
    max_leaves=12,
)
BODIES = st.dictionaries(st.sampled_from(["spec", "data", "other"]), VALUES, min_size=1)


@SLOW
@given(BODIES, VALUES, LEAVES, LEAVES)
def test_a_body_is_like_itself_with_more_and_unlike_another(
    body: dict[str, Any], more: Json, one: Json, other: Json
) -> None:
    custom = {"apiVersion": "e.example/v1", "kind": "Widget", "metadata": {"name": "a"}, **body}
    assert unlike(custom, copy.deepcopy(custom)) == ()
    assert unlike(custom, {**copy.deepcopy(custom), "added": more}) == ()
    same = type(one) is type(other) and one == other
    assert (unlike({**custom, "leaf": one}, {**custom, "leaf": other}) == ()) is same
    assert (unlike({**custom, "list": [one]}, {**custom, "list": [other]}) == ()) is same
    assert unlike({**custom, "list": [one]}, {**custom, "list": [one, other]}) != ()


@SLOW
@given(st.recursive(LEAVES, lambda i: st.lists(i) | st.dictionaries(st.text(max_size=8), i), max_leaves=20))
def test_no_account_of_fields_is_too_strange(fields: Json) -> None:
    live = edited(QUOTA, "metadata.managedFields", [{"manager": 1, "fieldsV1": fields}, fields])
    unlike(QUOTA, live)


@SLOW
@given(st.text(max_size=40))
def test_any_text_is_a_name_or_an_error(text: str) -> None:
    try:
        parsed = parse_wanted(text)
    except SettingsError:
        return
    group = "" if parsed.group is None else f".{parsed.group}"
    place = f"{parsed.namespace}/" if parsed.namespace else ""
    assert f"{parsed.kind}{group}/{place}{parsed.name}" == text


def test_a_kind_of_two_groups_needs_its_group() -> None:
    kinds = [("", "Event"), ("events.k8s.io", "Event")]
    with pytest.raises(SettingsError):
        parse_wanted("Event/a/b").ref(kinds)
    assert parse_wanted("Event./a/b").ref(kinds).group == ""
    assert parse_wanted("Event/a/b").ref(kinds[1:]).group == "events.k8s.io"
