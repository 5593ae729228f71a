"""Objects against Kubernetes' schemas of the member's version and the CRDs of the same commit."""

from __future__ import annotations

from typing import Any

import pytest
from compile_fleets import cluster, codes, compiled, document, manifest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.compile.custom import strict
from reconciler.compile.kubeschemas import schemas_for
from reconciler.compile.scopes import CLUSTER_SCOPED, NOT_OBJECTS
from reconciler.documents import Document

CONTAINER = {"name": "web", "image": "nginx", "ports": [{"containerPort": 80}]}


def deployment(**container: Any) -> Document:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{**CONTAINER, **container}]}}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
    return document(
        manifest("apps/v1", "Deployment", "web", "shop", spec=spec), "policies/manifests/web.yaml", 3
    )


def told(*documents: Document, version: str = "1.36") -> list[tuple[str, str]]:
    return [(f.code, f.rule) for f in compiled(*documents, on=cluster(version=version)).findings]


def test_a_good_deployment_has_no_findings() -> None:
    resources = {"limits": {"cpu": "500m", "memory": "1.5Gi", "example.com/gpu": 2}}
    probe = {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 5}
    assert told(deployment(resources=resources, livenessProbe=probe)) == []


AT = "schema:/spec/template/spec/containers/0"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"imagePulPolicy": "Always"}, ("FW1442", f"{AT}/imagePulPolicy")),
        ({"ports": [{"containerPort": "80"}]}, ("FW1441", f"{AT}/ports/0/containerPort")),
        ({"ports": [{"containerPort": 2**31}]}, ("FW1441", f"{AT}/ports/0/containerPort")),
        ({"resources": {"limits": {"memory": "1 GB"}}}, ("FW1441", f"{AT}/resources/limits/memory")),
        ({"livenessProbe": {"tcpSocket": {"port": {}}}}, ("FW1441", f"{AT}/livenessProbe/tcpSocket/port")),
        ({"env": "A=1"}, ("FW1441", f"{AT}/env")),
    ],
)
def test_a_typo_is_found_with_its_place(fields: dict[str, Any], expected: tuple[str, str]) -> None:
    result = compiled(deployment(**fields))
    assert [(f.code, f.rule) for f in result.findings] == [expected]
    assert str(result.findings[0].source) == "policies/manifests/web.yaml:3"


def test_an_unknown_field_gets_a_suggestion() -> None:
    [finding] = compiled(deployment(imagePulPolicy="Always")).findings
    assert (finding.got, finding.expected) == ("imagePulPolicy", "imagePullPolicy")


def test_a_secrets_value_is_never_told() -> None:
    secret = manifest(
        "v1", "Secret", "a", "shop", data={"password": "hunter2 is no base64"}, stringData={"a": 7777}
    )
    findings = compiled(document(secret)).findings
    assert [f.code for f in findings] == ["FW1441", "FW1441"]
    assert "hunter2" not in repr(findings)
    assert "7777" not in repr(findings)


@pytest.mark.parametrize(
    ("metadata", "pointer"),
    [
        ({"name": "Web"}, "/metadata/name"),
        ({"name": "web", "labels": {"app": "a b"}}, "/metadata/labels/app"),
        ({"name": "web", "labels": {"app": 1}}, "/metadata/labels/app"),
        ({"name": "web", "labels": {"a//b": "x"}}, "/metadata/labels"),
        ({"name": "web", "labls": {}}, "/metadata/labls"),
    ],
)
def test_metadata_keeps_to_kubernetes_syntax(metadata: dict[str, Any], pointer: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**metadata, "namespace": "shop"}}
    assert [f.rule for f in compiled(document(body)).findings] == [f"schema:{pointer}"]


def test_rbac_names_may_have_colons() -> None:
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    assert (
        told(document(manifest("rbac.authorization.k8s.io/v1", "ClusterRole", "team:a:viewer", rules=rules)))
        == []
    )


def test_the_members_version_decides() -> None:
    policy = manifest("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "p", spec={})
    assert told(document(policy)) == []
    [finding] = compiled(document(policy), on=cluster(version="1.29")).findings
    assert (finding.code, finding.severity.value) == ("FW1443", "error")
    assert finding.expected == "admissionregistration.k8s.io/v1alpha1 or admissionregistration.k8s.io/v1beta1"


@pytest.mark.parametrize(
    ("version", "used"), [("1.36", "1.36"), ("v1.36.9", "1.36"), ("1.99", "1.37"), ("1.25", "1.25")]
)
def test_the_newest_schemas_not_newer_than_the_member(version: str, used: str) -> None:
    schemas = schemas_for(version)
    assert schemas is not None
    assert schemas.version == used


def test_a_member_older_than_every_schema_is_one_finding() -> None:
    result = compiled(deployment(), on=cluster(version="1.20"))
    assert codes(result) == ["FW1447"]


def test_every_kind_of_every_version_compiles_and_has_a_known_scope() -> None:
    """The validators of the oldest and newest schemas can all be made; the tables name only real kinds."""
    seen: set[tuple[str, str]] = set()
    for version in ("1.25", "1.29", "1.31", "1.37"):
        schemas = schemas_for(version)
        assert schemas is not None
        for group, api_version, kind in schemas.kinds:
            assert schemas.validator(group, api_version, kind) is not None
            seen.add((group, kind))
    assert seen >= {("", "Namespace"), ("apps", "Deployment")}
    assert seen >= CLUSTER_SCOPED
    assert seen >= NOT_OBJECTS


# --- custom resources


def crd(schema: dict[str, Any], scope: str = "Namespaced", **version: Any) -> Document:
    versions = [
        {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **version}
    ]
    names = {"kind": "Widget", "plural": "widgets"}
    spec = {"group": "example.com", "names": names, "scope": scope, "versions": versions}
    body = manifest("apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets.example.com", spec=spec)
    return document(body, "policies/manifests/crd.yaml")


def widget(spec: Any, namespace: str = "shop", version: str = "v1") -> Document:
    return document(manifest(f"example.com/{version}", "Widget", "w", namespace, spec=spec))


SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size", "mode"],
            "properties": {
                "size": {"type": "integer", "format": "int32", "minimum": 0, "exclusiveMinimum": True},
                "mode": {"type": "string", "default": "auto", "enum": ["auto", "off"]},
                "port": {"x-kubernetes-int-or-string": True},
                "owner": {"type": "string", "nullable": True},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "map": {"type": "object", "additionalProperties": {"type": "string"}},
                "list": {
                    "type": "array",
                    "items": {"type": "object", "properties": {"a": {"type": "string"}}},
                },
                "pod": {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {}},
            },
            "oneOf": [{"required": ["port"]}, {"required": ["owner"]}],
        }
    },
}


@pytest.mark.parametrize(
    "spec",
    [
        {"size": 1, "port": 80},
        {"size": 1, "port": "http", "free": {"anything": [1, {}]}, "map": {"a": "b"}, "list": [{"a": "x"}]},
        {"size": 1, "owner": None, "pod": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}},
    ],
)
def test_a_good_custom_resource(spec: dict[str, Any]) -> None:
    assert told(crd(SCHEMA), widget(spec)) == []


@pytest.mark.parametrize(
    ("spec", "code", "pointer"),
    [
        ({"size": 1, "port": 80, "sise": 2}, "FW1442", "/spec/sise"),
        ({"size": 0, "port": 80}, "FW1441", "/spec/size"),
        ({"size": 2**31, "port": 80}, "FW1441", "/spec/size"),
        ({"port": 80}, "FW1441", "/spec"),
        ({"size": 1, "port": 80, "mode": "on"}, "FW1441", "/spec/mode"),
        ({"size": 1, "port": 1.5}, "FW1441", "/spec/port"),
        ({"size": 1, "port": 80, "owner": "x"}, "FW1441", "/spec"),
        ({"size": 1, "port": 80, "list": [{"a": "x", "b": 1}]}, "FW1442", "/spec/list/0/b"),
        ({"size": 1, "port": 80, "map": {"a": 1}}, "FW1441", "/spec/map/a"),
    ],
)
def test_a_bad_custom_resource(spec: dict[str, Any], code: str, pointer: str) -> None:
    assert told(crd(SCHEMA), widget(spec)) == [(code, f"schema:{pointer}")]


def test_the_definitions_scope_holds() -> None:
    assert told(crd(SCHEMA), widget({"size": 1, "port": 1}, namespace=""))[0][0] == "FW1421"
    assert told(crd(SCHEMA, scope="Cluster"), widget({"size": 1, "port": 1}))[0][0] == "FW1422"


def test_a_version_that_is_not_served() -> None:
    assert told(crd(SCHEMA), widget({}, version="v2")) == [("FW1445", "schema:/apiVersion")]


def test_a_schema_that_cannot_be_used() -> None:
    broken = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"a": {"type": "strin"}}}},
    }
    assert [code for code, _ in told(crd(broken), widget({}))] == ["FW1446"]


@pytest.mark.parametrize("pattern", ["^[[:alpha:]]+$", "^(?i)ABC$", "^(?P<x>a)bc$", r"\A\pL+\z", "^\\w{3,}$"])
def test_patterns_are_those_of_go(pattern: str) -> None:
    schema = {"type": "object", "properties": {"spec": {"type": "string", "pattern": pattern}}}
    assert told(crd(schema), widget("abc")) == []
    assert told(crd(schema), widget("-")) == [("FW1441", "schema:/spec")]


def test_a_kind_without_a_definition_is_a_warning() -> None:
    [finding] = compiled(widget({})).findings
    assert (finding.code, finding.severity.value) == ("FW1444", "warning")


def test_a_definition_counts_only_where_it_is_placed() -> None:
    body = crd(SCHEMA).body
    annotations = {"fleetward.io/placement": '{"clusters": ["member-b"]}'}
    placed = document({**body, "metadata": {**body["metadata"], "annotations": annotations}})
    instance = widget({"sise": 1})
    assert [code for code, _ in told(placed, instance)] == ["FW1444"]
    assert "FW1442" in codes(compiled(placed, instance, on=cluster("member-b")))


schemas = st.recursive(
    st.sampled_from(
        [{"type": "string"}, {"type": "integer", "nullable": True}, {"x-kubernetes-int-or-string": True}]
    ),
    lambda inner: st.one_of(
        st.builds(lambda item: {"type": "array", "items": item}, inner),
        st.builds(
            lambda fields: {"type": "object", "properties": fields},
            st.dictionaries(st.sampled_from("abc"), inner),
        ),
        st.builds(lambda item: {"type": "object", "additionalProperties": item}, inner),
    ),
    max_leaves=6,
)


@given(schemas)
def test_strict_schemas_are_json_schemas_and_close_every_object(schema: dict[str, Any]) -> None:
    import jsonschema_rs

    result = strict(schema)
    jsonschema_rs.Draft202012Validator(result)
    if schema.get("type") == "object" and "additionalProperties" not in schema:
        assert result["additionalProperties"] is False
