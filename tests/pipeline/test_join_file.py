"""The Join document: strict, bounded, and never a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reconciler.documents import load
from reconciler.documents.schema import lone_schema
from reconciler.errors import FleetwardError, SettingsError
from reconciler.model import Snapshot
from reconciler.pipeline.membership.joinfile import JoinFile, parse_join_file
from reconciler.pipeline.membership.refused import JoinFileError
from reconciler.surfaces.joining import Flags, joining_of, settled, token_in

WHOLE = {
    "apiServers": ["https://203.0.113.10:6443", "https://api.example"], "tlsServerName": "api.example",
    "tokenFile": "token", "primary": "https://primary.example:11443", "kubeconfig": "config",
    "context": "admin", "credentialLifetime": "30m",
}  # fmt: skip


def text(name: Any = "member-a", kind: str = "Join", **spec: Any) -> bytes:
    body = {"apiVersion": "fleetward.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    return yaml.safe_dump(body).encode()


def test_every_field() -> None:
    assert parse_join_file(text(**WHOLE), "join.yaml") == JoinFile(
        "member-a", tuple(WHOLE["apiServers"]), "api.example", "token", WHOLE["primary"], "config", "admin",
        False, 1800,
    )  # fmt: skip
    said = parse_join_file(text(inCluster=True, apiServers=["https://a"]), "join.yaml")
    assert (said.in_cluster, said.credential_seconds) == (True, 86_400)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"a: [", b"\xff", text() + b"---\n" + text(), text(kind="Cluster"), text(name="A"),
        text(name="a.b"), text(name="../a"), text(name=None), text(token="secret"), text(apiServers=[]),
        text(apiServers=["http://a"]), text(apiServers=["https://u:p@a"]),
        text(apiServers=["https://a"] * 2), text(apiServers=[f"https://a{n}" for n in range(5)]),
        text(tokenFile=""), text(tokenFile="a\x00b"), text(tokenFile="x" * 4097), text(primary="http://a"),
        text(inCluster=True), text(inCluster="yes"), text(credentialLifetime="1m"),
        text(credentialLifetime="9000h"), text(credentialLifetime="a day"), text(tlsServerName="../x"),
        text(inCluster=True, apiServers=["https://a"], kubeconfig="x"),
        text(inCluster=True, apiServers=["https://a"], context="x"), b"apiVersion: v1\nkind: Join\n",
        b"{apiVersion: fleetward.io/v1alpha1, kind: Join, kind: Join}", b"a" * 70_000,
    ],
)  # fmt: skip
def test_what_is_no_join(data: bytes) -> None:
    with pytest.raises(JoinFileError) as caught:
        parse_join_file(data, "join.yaml")
    assert "join.yaml" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["http://a", "https://[::1", "https://a:99999", "https://u:p@a", "https://xn--a.a", "a:1", "file:///a"],
)
def test_flags_that_are_no_https_url(url: str) -> None:
    for flags in (Flags(primary=url), Flags(api_servers=("https://a", url))):
        with pytest.raises(SettingsError, match=r"FW1001: --.*expected https://host.*got "):
            settled(flags)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*WHOLE, "inCluster", "name", "x"]), inner, max_size=6)
    ),
)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    refused_or_whole(data)


@settings(deadline=None)
@given(values | st.fixed_dictionaries({"metadata": values, "spec": values}))
def test_any_value(value: Any) -> None:
    if isinstance(value, dict):
        value = {"apiVersion": "fleetward.io/v1alpha1", "kind": "Join", **value}
    refused_or_whole(json.dumps(value).encode())


@settings(deadline=None)
@given(
    st.fixed_dictionaries({}, optional={key: values | st.just(good) for key, good in WHOLE.items()}),
    st.text(alphabet="ab-.A", max_size=5),
)
def test_fields_good_and_bad(spec: dict[str, Any], name: str) -> None:
    refused_or_whole(text(name, **spec))


def refused_or_whole(data: bytes) -> None:
    """Refused with our code, or every field within its bounds."""
    try:
        said = parse_join_file(data, "join.yaml")
    except JoinFileError:
        return
    assert 0 < len(said.name) <= 63
    assert all(url.startswith("https://") for url in said.api_servers)
    assert said.credential_seconds >= 600
    assert not (said.in_cluster and (said.kubeconfig or said.context or not said.api_servers))


def test_flags_go_before_fields(tmp_path: Path) -> None:
    file = tmp_path / "join.yaml"
    file.write_bytes(text(**WHOLE))
    alone = settled(Flags(str(file)))
    assert (alone.token_file, alone.kubeconfig) == (str(tmp_path / "token"), str(tmp_path / "config"))
    flags = Flags(str(file), "/t", "member-b", ("https://b/",), "https://p", "/k", "c")
    assert settled(flags) == JoinFile(
        "member-b", ("https://b",), "api.example", "/t", "https://p", "/k", "c", False, 1800
    )
    file.write_bytes(text(inCluster=True, apiServers=["https://a"]))
    assert settled(Flags(str(file))).in_cluster
    assert not settled(Flags(str(file), kubeconfig="/k")).in_cluster
    assert not settled(Flags(str(file), context="c")).in_cluster
    assert settled(Flags()) == JoinFile("")
    assert "s3cret" not in repr(joining_of(alone, "s3cret"))
    with pytest.raises(JoinFileError, match="nowhere"):
        settled(Flags(str(tmp_path / "nowhere")))


def test_the_token_is_only_its_owners(tmp_path: Path) -> None:
    file = tmp_path / "token"
    for mode in (0o600, 0o400):
        file.unlink(missing_ok=True)
        file.write_text("s3cret\n")
        file.chmod(mode)
        assert token_in(str(file)) == "s3cret"
    link = tmp_path / "link"  # as the kubelet mounts Secrets
    link.symlink_to(file)
    assert token_in(str(link)) == "s3cret"
    for mode in (0o640, 0o604, 0o644):
        file.chmod(mode)
        with pytest.raises(JoinFileError, match=f"{mode:04o}") as caught:
            token_in(str(file))
        assert "s3cret" not in str(caught.value)
    with pytest.raises(JoinFileError):
        token_in(str(tmp_path / "nowhere"))
    with pytest.raises(JoinFileError):
        token_in(str(tmp_path))
    file.write_text("é" * 10)
    file.chmod(0o600)
    with pytest.raises(JoinFileError):
        token_in(str(file))


def test_the_schema_is_valid_and_its_examples_pass() -> None:
    schema = lone_schema("Join")
    Draft202012Validator.check_schema(schema.body)
    for example in schema.body["examples"]:
        assert parse_join_file(yaml.safe_dump(example).encode(), "x").name == "staging-1"


class Blobs(dict[str, bytes]):
    def read(self, blob: str) -> bytes:
        return self[blob]


def test_a_join_is_no_document_of_a_fleet_and_its_schema_is_none_of_a_fleets() -> None:
    schema = json.dumps(lone_schema("Join").body).encode()
    files = {"schemas/v1alpha1/Join.json": "s", "clusters/member-a.yaml": "j"}
    blobs = Blobs(s=schema, j=text())
    found = load(Snapshot("0" * 40, "0" * 40, files, blobs)).findings
    assert {(one.code, one.source.path if one.source else "") for one in found} == {
        ("FW1331", "clusters/member-a.yaml"), ("FW1347", "federation.yaml"),
    }  # fmt: skip


def test_errors_have_the_code() -> None:
    with pytest.raises(FleetwardError, match="FW1778"):
        parse_join_file(b"x: 1", "join.yaml")
