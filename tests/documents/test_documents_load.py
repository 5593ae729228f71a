"""``load`` on whole fleets: what becomes of good ones, and every finding of bad ones with its place."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from documents_kit import Files, example, fleet_files, schema_of, snapshot, text
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.documents import (
    Loaded,
    Override,
    Placement,
    TrustedKey,
    TrustedSigner,
    load,
    overrides_of,
    placement_of,
)
from reconciler.documents.codes import CODES
from reconciler.documents.kinds import AREA_OF_KIND
from reconciler.model import Finding, Severity

ROLE = """apiVersion: fleetward.io/v1alpha1
kind: FederatedRole
metadata:
  name: viewer
spec:
  rules:
  - apiGroups: [""]
    resources: [pods]
    verbs: [get]
"""
CONFIG = """apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: shop
"""


def loaded(files: Files) -> Loaded:
    return load(snapshot(files))


def said(files: Files) -> list[tuple[str, str]]:
    """(code, "path:line") of every finding."""
    return [(finding.code, str(finding.source)) for finding in loaded(files).findings]


def only(files: Files) -> Finding:
    """The one finding of a fleet."""
    findings = loaded(files).findings
    assert len(findings) == 1, findings
    return findings[0]


def test_a_good_fleet() -> None:
    result = loaded(
        fleet_files(**{"policies/manifests/a.yaml": CONFIG, "README.md": "x", "policies/gate/x.rego": ""})
    )
    assert result.findings == ()
    fleet = result.fleet
    assert fleet is not None
    assert [cluster.name for cluster in fleet.clusters] == ["member-a", "member-b"]
    assert [document.subject for document in fleet.documents] == [
        "Cluster/member-a",
        "Cluster/member-b",
        "Federation/example",
        "ConfigMap/shop/settings",
        "FederatedRole/platform-admin",
    ]
    assert [document.subject for document in fleet.manifests] == ["ConfigMap/shop/settings"]
    assert [document.name for document in fleet.of_kind("FederatedRole")] == ["platform-admin"]
    assert fleet.documents[0].digest == f"{snapshot(fleet_files()).files['clusters/member-a.yaml']}#0"


def test_loading_twice_gives_the_same() -> None:
    files = fleet_files(**{"policies/rbac/bad.yaml": ROLE.replace("get", "yes")})
    assert loaded(files) == loaded(dict(reversed(files.items())))


def test_the_federation_is_typed() -> None:
    key = schema_of("Federation")["examples"][0]["spec"]["signers"][0]["keys"][0]
    body = example(
        "Federation",
        signers=[{"name": "alice", "keys": [f"{key} alice@laptop"]}],
        trust={},
        approvals=[],
        primary="member-a",
        repository="git@example.com:fleet.git",
        defaults={"interval": "1h30m", "mode": "observe", "kubernetesVersion": "1.35"},
        limits={"maxDeletions": 7, "applyTimeout": "90s"},
        gate={"url": "http://127.0.0.1:8181", "timeout": "2s", "wildcardRoles": ["platform-admin"]},
        credentials={"execCommands": [["aws", "eks", "get-token"]]},
    )
    fleet = loaded(fleet_files(**{"federation.yaml": text(body)})).fleet
    assert fleet is not None
    federation = fleet.federation
    assert federation.root.signers == (TrustedSigner("alice", (TrustedKey(key),)),)
    assert (federation.primary, federation.repository, federation.ref) == (
        "member-a",
        "git@example.com:fleet.git",
        "refs/heads/main",
    )
    assert (federation.limits.max_deletions, federation.limits.apply_timeout) == (7, timedelta(seconds=90))
    assert federation.limits.request_timeout == timedelta(seconds=10)
    assert (federation.gate.url, federation.gate.wildcard_roles) == (
        "http://127.0.0.1:8181",
        ("platform-admin",),
    )
    assert federation.exec_commands == (("aws", "eks", "get-token"),)
    cluster = fleet.clusters[0]
    assert (cluster.interval, cluster.mode, cluster.kubernetes_version) == (
        timedelta(minutes=90),
        "observe",
        "1.35",
    )


CREDENTIALS = [
    (
        {"kubeconfig": {"path": "a/b", "context": "c"}},
        {"method": "kubeconfig", "path": "a/b", "context": "c"},
    ),
    ({"tokenFile": "t"}, {"method": "tokenFile", "path": "t"}),
    (
        {"secretRef": {"name": "s"}},
        {"method": "secretRef", "secret_name": "s", "secret_namespace": "federation-system"},
    ),
    (
        {"clientCertificate": {"certFile": "c", "keyFile": "k"}},
        {"method": "clientCertificate", "cert_file": "c", "key_file": "k"},
    ),
    (
        {"exec": {"command": "x", "args": ["z"], "env": [{"name": "A", "value": "b"}]}},
        {"method": "exec", "argv": ("x", "z"), "env": (("A", "b"),)},
    ),
]


@pytest.mark.parametrize(("written", "typed"), CREDENTIALS)
def test_credentials_are_typed(written: dict[str, Any], typed: dict[str, Any]) -> None:
    federation = example("Federation", credentials={"execCommands": [["x", "z"]]})
    cluster = text(example("Cluster", "member-a", credentials=written))
    result = loaded(fleet_files(**{"clusters/member-a.yaml": cluster, "federation.yaml": text(federation)}))
    assert result.findings == ()
    assert result.fleet is not None
    credentials = result.fleet.clusters[0].credentials
    assert {name: getattr(credentials, name) for name in typed} == typed


def test_placement_and_overrides_of_both_sorts_of_documents() -> None:
    placement = {"clusters": ["member-a"], "clusterSelector": {"matchLabels": {"tier": "critical"}}}
    overrides = [
        {"clusterSelector": {"matchLabels": {"a": "b"}}, "patch": {"x": 1}},
        {"patch": [{"op": "remove", "path": "/x"}]},
    ]
    own = example("FederatedRole", "own", placement=placement, overrides=overrides)
    annotations = {
        "fleetward.io/placement": text(placement),
        "fleetward.io/overrides": text(overrides),
        "fleetward.io/conflict": "take",
    }
    plain = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "plain", "annotations": annotations},
    }
    result = loaded(
        fleet_files(**{"policies/rbac/own.yaml": text(own), "policies/manifests/p.yaml": text(plain)})
    )
    assert result.findings == ()
    assert result.fleet is not None
    for name in ("own", "plain"):
        document = next(d for d in result.fleet.documents if d.name == name)
        assert placement_of(document) == Placement(("member-a",), {"tier": "critical"})
        assert overrides_of(document) == (
            Override(Placement(None, {"a": "b"}), {"x": 1}),
            Override(Placement(), [{"op": "remove", "path": "/x"}]),
        )


def placed(inside: str) -> str:
    return f"{ROLE}  placement:\n    {inside}\n"


def annotated(inside: str) -> str:
    return f"{CONFIG}  annotations:\n    {inside}\n"


def selecting(requirement: str) -> str:
    return placed(f"clusterSelector: {{matchExpressions: [{requirement}]}}")


def own_annotation(inside: str) -> str:
    return replaced("  name: viewer", f"  name: viewer\n  annotations: {{{inside}}}")


def replaced(old: str, new: str) -> str:
    assert old in ROLE
    return ROLE.replace(old, new)


ROLES = [
    (
        "unknown field",
        replaced("  rules:", "  scop: Cluster\n  rules:"),
        "FW1321",
        6,
        'did you mean "scope"?',
    ),
    ("yes for a name", replaced("viewer", "yes"), "FW1323", 4, 'quote it: "yes"'),
    ("off in a list", replaced("[get]", "[get, off]"), "FW1323", 9, 'quote it: "off"'),
    ("number for a name", replaced("viewer", "0644"), "FW1323", 4, 'quote it: "0644"'),
    (
        "wrong choice",
        replaced("  rules:", "  scope: cluster\n  rules:"),
        "FW1320",
        6,
        'did you mean "Cluster"?',
    ),
    ("bad name", replaced("viewer", "view/er"), "FW1333", 4, ""),
    ("unknown version", replaced("v1alpha1", "v1beta1"), "FW1330", 1, "use fleetward.io/v1alpha1"),
    ("unknown kind", replaced("FederatedRole", "FederatedRol"), "FW1331", 2, 'did you mean "FederatedRole"?'),
    (
        "misspelt group",
        replaced("fleetward.io", "fleetwrd.io"),
        "FW1330",
        1,
        'did you mean "fleetward.io/v1alpha1"?',
    ),
    ("wrong folder", text(example("FederatedNetworkRule")), "FW1332", 2, "move it to policies/rules/"),
    ("contradiction", ROLE + "  namespaces: [a]\n", "FW1325", 10, ""),
    ("operator", selecting("{key: a, operator: In}"), "FW1345", 11, ""),
    ("values", selecting("{key: a, operator: Exists, values: [b]}"), "FW1345", 11, ""),
    (
        "no such cluster",
        placed("clusters:\n    - member-a\n    - membr-b"),
        "FW1337",
        13,
        'did you mean "member-b"?',
    ),
    ("not a mapping", "- a\n", "FW1317", 1, ""),
    (
        "own annotation",
        own_annotation("fleetward.io/placement: '{}'"),
        "FW1339",
        5,
        "write it as spec.placement",
    ),
    (
        "unknown annotation",
        own_annotation("fleetward.io/conflct: take"),
        "FW1339",
        5,
        'did you mean "fleetward.io/conflict"?',
    ),
]


@pytest.mark.parametrize(
    ("content", "code", "line", "hint"), [c[1:] for c in ROLES], ids=[c[0] for c in ROLES]
)
def test_a_bad_role_has_code_line_and_hint(content: str, code: str, line: int, hint: str) -> None:
    finding = only(fleet_files(**{"policies/rbac/r.yaml": content}))
    assert (finding.code, str(finding.source)) == (code, f"policies/rbac/r.yaml:{line}")
    assert hint in finding.hint
    if code == "FW1323":
        assert "quote it" in finding.message


NESTED = """apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: List
  metadata: {name: a}
"""
MANIFESTS = [
    ("no name", CONFIG.replace("  name: settings\n", ""), "FW1322", 3),
    ("generateName", CONFIG.replace("name: settings", "generateName: settings-"), "FW1333", 4),
    ("bad name", CONFIG.replace("settings", "Settings"), "FW1333", 4),
    ("status", CONFIG + "status: {}\n", "FW1338", 6),
    ("uid", CONFIG + "  uid: x\n", "FW1338", 6),
    ("resourceVersion", CONFIG + "  resourceVersion: '1'\n", "FW1338", 6),
    ("managedFields", CONFIG + "  managedFields: []\n", "FW1338", 6),
    ("unquoted label", CONFIG + "  labels:\n    a: x\n    b: no\n", "FW1323", 8),
    ("unknown annotation", annotated("fleetward.io/placment: x"), "FW1339", 7),
    ("reserved annotation", annotated("fleetward.io/digest: x"), "FW1339", 7),
    ("broken placement", annotated("a: b\n    fleetward.io/placement: '['"), "FW1340", 8),
    ("placement of another shape", annotated("fleetward.io/placement: 'cluster: x'"), "FW1321", 7),
    ("no such cluster", annotated("fleetward.io/placement: 'clusters: [x]'"), "FW1337", 7),
    ("broken overrides", annotated("fleetward.io/overrides: '{}'"), "FW1320", 7),
    ("conflict", annotated("fleetward.io/conflict: force"), "FW1340", 7),
    ("own kind", ROLE, "FW1332", 2),
    ("list in a list", NESTED, "FW1331", 5),
]


@pytest.mark.parametrize(
    ("content", "code", "line"), [c[1:] for c in MANIFESTS], ids=[c[0] for c in MANIFESTS]
)
def test_a_bad_manifest_has_code_and_line(content: str, code: str, line: int) -> None:
    assert said(fleet_files(**{"policies/manifests/m.yaml": content})) == [
        (code, f"policies/manifests/m.yaml:{line}")
    ]


def test_rbac_names_may_have_colons_and_null_timestamps_are_harmless() -> None:
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "team:viewer", "creationTimestamp": None},
    }
    assert said(fleet_files(**{"policies/manifests/r.json": text(role)})) == []


CLUSTERS = [
    ({"apiServers": ["http://member-a:6443"]}, "FW1341"),
    ({"apiServers": ["https://u:secret-word@member-a"]}, "FW1341"),
    ({"apiServers": ["https://member-a/?x=1"]}, "FW1341"),
    ({"apiServers": ["https://member-a/#x"]}, "FW1341"),
    ({"apiServers": ["https://xn--a.example"]}, "FW1341"),
    ({"apiServers": ["https://member..a"]}, "FW1341"),
    ({"apiServers": ["https://[::1]x"]}, "FW1341"),
    ({"apiServers": [f"https://{'a' * 64}.example"]}, "FW1341"),
    ({"apiServers": []}, "FW1320"),
    ({"caBundle": "secret-word"}, "FW1342"),
    ({"caBundle": "-----BEGIN CERTIFICATE-----\nsecret-word\n-----END CERTIFICATE-----\n"}, "FW1342"),
    ({"apiServers": None}, "FW1322"),
    ({"insecureSkipTLSVerify": True}, "FW1344"),
    ({"insecure-skip-tls-verify": True}, "FW1344"),
    ({"credentials": {}}, "FW1320"),
    ({"credentials": {"tokenFile": "a", "secretRef": {"name": "b"}}}, "FW1320"),
    ({"credentials": {"tokenFile": "/etc/token"}}, "FW1343"),
    ({"credentials": {"tokenFile": "../token"}}, "FW1343"),
    ({"credentials": {"kubeconfig": {"path": "a/../../b"}}}, "FW1343"),
    ({"credentials": {"exec": {"command": "rm"}}}, "FW1348"),
    ({"interval": "5 minutes"}, "FW1346"),
    ({"interval": "0s"}, "FW1346"),
    ({"kubernetesVersion": "v1.36.2"}, "FW1320"),
    ({"mode": "dry-run"}, "FW1320"),
]


@pytest.mark.parametrize(("spec", "code"), CLUSTERS)
def test_a_bad_cluster(spec: dict[str, Any], code: str) -> None:
    finding = only(fleet_files(**{"clusters/member-a.yaml": text(example("Cluster", "member-a", **spec))}))
    assert finding.code == code
    assert finding.source is not None
    assert finding.source.line > 1
    assert "secret-word" not in str(finding)


def test_skipped_verification_in_exec_arguments_is_refused() -> None:
    plugin = {"exec": {"command": "x", "args": ["--insecure-skip-tls-verify"]}}
    files = fleet_files(
        **{"clusters/member-a.yaml": text(example("Cluster", "member-a", credentials=plugin))}
    )
    assert only(files).code == "FW1344"


def test_a_cluster_file_is_named_after_its_cluster() -> None:
    finding = only(fleet_files(**{"clusters/other.yaml": text(example("Cluster", "member-c"))}))
    assert (finding.code, finding.expected) == ("FW1334", "clusters/member-c.yaml")


def test_one_identity_twice_names_both_places() -> None:
    finding = only(fleet_files(**{"policies/rbac/a.yaml": ROLE, "policies/rbac/b.yaml": "# x\n" + ROLE}))
    assert (finding.code, str(finding.source)) == ("FW1335", "policies/rbac/b.yaml:5")
    assert "policies/rbac/a.yaml:1" in finding.message


def test_one_identity_in_two_versions_is_still_one() -> None:
    both = [
        {"apiVersion": f"apps/{v}", "kind": "Deployment", "metadata": {"name": "a"}}
        for v in ("v1", "v1beta1")
    ]
    assert only(fleet_files(**{"policies/manifests/a.yaml": text(*both)})).code == "FW1335"


def test_paths_that_differ_only_in_case() -> None:
    other = {"policies/rbac/A.yaml": ROLE, "policies/rbac/a.yaml": ROLE.replace("viewer", "reader")}
    assert said(fleet_files(**other)) == [("FW1336", "policies/rbac/a.yaml")]


@pytest.mark.parametrize(
    "path", ["clusters/x.yml", "clusters/eu/x.yaml", "policies/rabc/x.yaml", "federation.yml"]
)
def test_a_file_that_looks_meant_to_be_read_gets_a_warning(path: str) -> None:
    finding = only(fleet_files(**{path: "a: 1"}))
    assert (finding.code, finding.severity) == ("FW1332", Severity.WARNING)
    assert finding.hint


BINDINGS = [
    ({"roleRef": {"kind": "FederatedRole", "name": "platform-admn"}}, ["FW1337"]),
    ({"roleRef": {"kind": "ClusterRole", "name": "whatever"}}, []),
    ({"roleRef": {"kind": "Role", "name": "r"}, "namespaces": None}, ["FW1322"]),
    ({"roleRef": {"kind": "FederatedRole", "name": "local"}, "namespaces": ["a"]}, []),
    ({"roleRef": {"kind": "FederatedRole", "name": "local"}, "namespaces": ["a", "b"]}, ["FW1337"]),
    ({"roleRef": {"kind": "FederatedRole", "name": "local"}, "namespaces": None}, ["FW1337"]),
    ({"subjects": [{"kind": "ServiceAccount", "name": "x"}]}, ["FW1322", "FW1337"]),
]


@pytest.mark.parametrize(("spec", "codes"), BINDINGS)
def test_roles_of_bindings(spec: dict[str, Any], codes: list[str]) -> None:
    binding = text(example("FederatedRoleBinding", "b", **spec))
    local = text(example("FederatedRole", "local", scope="Namespace", namespaces=["a"]))
    files = fleet_files(**{"policies/rbac/b.yaml": binding, "policies/rbac/l.yaml": local})
    found = [code for code, _ in said(files)]
    assert found == codes or (found == codes[:1] and "subjects" in spec)


def test_one_mistake_is_not_told_twice() -> None:
    """A name that a bad document has is known; an unreadable file may hold any name."""
    placed = ROLE + "  placement: {clusters: [member-a]}\n"
    files = fleet_files(**{"clusters/member-a.yaml": "a: [", "policies/rbac/r.yaml": placed})
    assert [code for code, _ in said(files)] == ["FW1305"]
    files = fleet_files(
        **{"policies/rbac/b.yaml": text(example("FederatedRoleBinding")), "policies/rbac/r.yaml": "a: ["}
    )
    assert [code for code, _ in said(files)] == ["FW1305"]


def test_all_findings_at_once_and_the_good_documents_stay() -> None:
    files = fleet_files(
        **{
            "clusters/member-a.yaml": text(example("Cluster", "member-a", mode="x")),
            "policies/rbac/a.yaml": "a: [",
            "policies/rbac/b.yaml": ROLE + "---\n" + ROLE.replace("viewer", "no"),
            "policies/manifests/c.yaml": CONFIG + "status: {}\n",
            "policies/manifests/d.yaml": b"\xff",
        }
    )
    result = loaded(files)
    assert sorted(f.code for f in result.findings) == ["FW1303", "FW1305", "FW1320", "FW1323", "FW1338"]
    assert result.fleet is not None
    assert [cluster.name for cluster in result.fleet.clusters] == ["member-b"]
    assert {d.name for d in result.fleet.of_kind("FederatedRole")} == {"platform-admin", "viewer"}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "FW1347"),
        ("", "FW1347"),
        ("a: [", "FW1305"),
        (text(example("Federation", signers=[])), "FW1320"),
    ],
)
def test_without_a_usable_federation_there_is_no_fleet(content: str | None, code: str) -> None:
    files = fleet_files()
    files.pop("federation.yaml")
    result = loaded(files if content is None else {**files, "federation.yaml": content})
    assert (result.fleet, [f.code for f in result.findings]) == (None, [code])


def test_there_is_one_federation() -> None:
    both = text(example("Federation", "a"), example("Federation", "b"))
    result = loaded(fleet_files(**{"federation.yaml": both}))
    assert [f.code for f in result.findings] == ["FW1335"]
    assert result.fleet is not None
    assert result.fleet.federation.name == "a"


def test_a_stale_wildcard_role_is_a_warning_and_a_missing_primary_an_error() -> None:
    body = text(example("Federation", primary="member-x", gate={"wildcardRoles": ["gone"]}))
    result = loaded(fleet_files(**{"federation.yaml": body}))
    assert [(f.code, f.severity.value) for f in result.findings] == [
        ("FW1337", "warning"),
        ("FW1337", "error"),
    ]
    assert result.fleet is not None


def test_a_mirror_needs_a_primary_that_the_fleet_has() -> None:
    asked = {"clusterProfiles": {"namespace": "fleet-profiles"}}
    for primary, codes in (
        ({}, ["FW1325"]),
        ({"primary": "member-x"}, ["FW1337"]),
        ({"primary": "member-a"}, []),
    ):
        body = text(example("Federation", **asked, **primary))
        result = loaded(fleet_files(**{"federation.yaml": body}))
        assert [f.code for f in result.findings] == codes
    assert result.fleet is not None
    assert result.fleet.federation.profiles == "fleet-profiles"
    body = text(example("Federation", primary="member-a", clusterProfiles={"namespace": "Not_one"}))
    assert [f.code for f in loaded(fleet_files(**{"federation.yaml": body})).findings] == ["FW1333"]


def test_documents_with_errors_are_not_in_the_fleet_and_those_with_warnings_are() -> None:
    files = fleet_files(
        **{
            "policies/rbac/a.yaml": ROLE,
            "policies/rbac/b.yaml": ROLE,
            "policies/rbac/c.yaml": text(example("FederatedRoleBinding", "c", roleRef=NO_ROLE)),
            "policies/rules/d.yaml": ROLE.replace("viewer", "d"),
            "federation.yaml": text(example("Federation", gate={"wildcardRoles": ["gone"]})),
        }
    )
    fleet = loaded(files).fleet
    assert fleet is not None
    assert [str(document.source) for document in fleet.documents] == [
        "clusters/member-a.yaml:1",
        "clusters/member-b.yaml:1",
        "federation.yaml:1",
        "policies/rbac/a.yaml:1",
        "policies/rbac/admin.yaml:1",
    ]


def test_line_breaks_in_names_do_not_get_into_messages() -> None:
    content = CONFIG.replace("name: settings", 'name: "a\\n::error::b"') + CONFIG.replace("apiV", "---\napiV")
    findings = loaded(fleet_files(**{"policies/manifests/a.yaml": content})).findings
    assert [finding.code for finding in findings] == ["FW1333"]
    assert all(f"{f.message}{f.subject}{f.got}".isprintable() for f in findings)


NO_ROLE = {"kind": "FederatedRole", "name": "gone"}
NETWORK = [
    ({"allow": [{"direction": "out"}]}, "FW1320"),
    ({"allow": [{"direction": "egress", "peers": [{"cidr": "10.0.0.1/8"}]}]}, "FW1320"),
    (
        {"allow": [{"direction": "egress", "peers": [{"cidr": "10.0.0.0/8", "except": ["11.0.0.0/8"]}]}]},
        "FW1325",
    ),
    ({"allow": [{"direction": "egress", "peers": [{"cidr": "10.0.0.0/8", "podSelector": {}}]}]}, "FW1325"),
    ({"deny": [{"direction": "egress", "ports": [{"port": 90, "endPort": 80}]}]}, "FW1325"),
    ({"deny": [{"direction": "egress", "ports": [{"port": "http", "endPort": 80}]}]}, "FW1320"),
    ({"deny": [{"direction": "egress", "ports": [{"port": 0}]}]}, "FW1320"),
    ({"isolate": []}, "FW1320"),
    ({"namespaces": None}, "FW1322"),
]


@pytest.mark.parametrize(("spec", "code"), NETWORK)
def test_a_bad_network_rule(spec: dict[str, Any], code: str) -> None:
    assert (
        only(fleet_files(**{"policies/rules/n.yaml": text(example("FederatedNetworkRule", **spec))})).code
        == code
    )


def test_every_code_is_explained() -> None:
    assert all(code.startswith("FW13") and meaning and todo for code, (meaning, todo) in CODES.items())


WORDS = [
    "name",
    "spec",
    "metadata",
    "labels",
    "annotations",
    "placement",
    "clusters",
    "clusterSelector",
    "matchExpressions",
    "operator",
    "values",
    "rules",
    "roleRef",
    "kind",
    "items",
    "status",
    "peers",
    "allow",
    "signers",
    "credentials",
    "exec",
    "fleetward.io/placement",
    "fleetward.io/overrides",
]
TEXTS = st.sampled_from(["", "a", "yes", "member-a", "In", "FederatedRole", "10.0.0.0/8", "5m", "a\nb"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99999) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=15,
)
KINDS = st.sampled_from([*AREA_OF_KIND, "ConfigMap", "List"])
PATHS = st.sampled_from(
    [
        "federation.yaml",
        "clusters/a.yaml",
        "policies/rbac/a.yaml",
        "policies/rules/a.yml",
        "policies/exceptions/a.yaml",
        "policies/manifests/a.json",
        "schemas/v1alpha1/Cluster.json",
    ]
)


@settings(max_examples=150, deadline=None)
@given(PATHS, KINDS, VALUES, VALUES, st.booleans())
def test_any_document_ends_in_findings(
    path: str, kind: str, metadata: object, spec: object, own: bool
) -> None:
    api_version = "fleetward.io/v1alpha1" if own else "v1"
    body = {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec, "items": spec}
    result = loaded(fleet_files(**{path: text(body)}))
    assert all(finding.code in CODES and finding.message.isprintable() for finding in result.findings)


@settings(max_examples=60, deadline=None)
@given(PATHS, st.binary(max_size=200))
def test_any_bytes_anywhere_end_in_findings(path: str, data: bytes) -> None:
    assert all(finding.code in CODES for finding in loaded(fleet_files(**{path: data})).findings)
