"""Edits of registrations, and the YAML round trip below them: comments, order and every other value stay."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.documents.formats import is_label_key, is_label_value
from reconciler.documents.reader import read
from reconciler.errors import SettingsError
from reconciler.surfaces import cluster_edit, yaml_edit
from reconciler.surfaces.cluster_edit import Change, parse_credentials, parse_label, parse_labels
from reconciler.surfaces.cluster_files import Proposed

ROOT = Path(__file__).resolve().parents[2]
TEXT = """\
# top
metadata:
  name: a
  labels:
    # about owner
    owner: shop # eol of owner
    # about region

    region: eu
    # about tier
    tier: 'edge'
# about the spec
spec:
  # about servers
  apiServers: # in order
    - https://one:1 # first
    - https://two:2
  # about the CA
  caBundle: |
    abc
    def
  # about credentials
  credentials:
    kubeconfig:
      path: a.kubeconfig # below
      context: admin
  # about the version
  kubernetesVersion: "1.36"
  interval: 2m # often
# the end
"""


def edit(change: Change, text: str = TEXT) -> str:
    return yaml_edit.edited(text, change.apply, name="clusters/a.yaml")


def value(text: str) -> Any:
    (document,) = read(text.encode()).documents
    return document.value


def comment_lines(text: str) -> Counter[str]:
    return Counter(line.strip() for line in text.splitlines() if line.lstrip().startswith("#"))


@pytest.mark.parametrize(
    "change",
    [
        Change(labels={"owner": None}),
        Change(labels={"region": None}),
        Change(labels={"tier": None}),
        Change(labels={"owner": None, "region": None}),
        Change(labels={"zone": "z1", "owner": "team"}),
        Change(api_servers=["https://three:3"]),
        Change(credentials={"tokenFile": "a.token"}),
        Change(ca_bundle="xyz\n"),
        Change(mode="observe", tls_server_name="api"),
        Change(interval=""),
        Change(kubernetes_version="", interval="10m"),
    ],
)
def test_whatever_changes_every_comment_line_stays(change: Change) -> None:
    new = edit(change)
    assert new != TEXT
    assert comment_lines(new) == comment_lines(TEXT)
    assert new.endswith("# the end\n")


def test_an_emptied_mapping_goes_and_what_follows_it_stays() -> None:
    new = edit(Change(labels={"owner": None, "region": None, "tier": None}))
    assert new.startswith("# top\nmetadata:\n  name: a\n# about the spec\nspec:\n")


def test_lines_that_are_not_meant_stay_byte_for_byte() -> None:
    new = edit(Change(labels={"tier": "core", "zone": "b"}, interval="5m", mode="enforce"))
    old_lines, new_lines = TEXT.splitlines(), new.splitlines()
    assert [line for line in old_lines if line not in new_lines] == [
        "    tier: 'edge'",
        "  interval: 2m # often",
    ]
    assert [line for line in new_lines if line not in old_lines] == [
        "    tier: 'core'",  # quoted as it was
        "    zone: b",
        "  interval: 5m # often",
        "  mode: enforce",
    ]


def test_the_same_value_gives_the_very_same_bytes() -> None:
    odd = TEXT.replace("  name: a", "  name:   a").replace("owner: shop", "owner:    shop")
    assert edit(Change(interval="2m", labels={"none": None, "owner": "shop"}), odd) == odd


@pytest.mark.parametrize("name", ["member-a", "member-b", "primary"])
def test_the_fleet_in_this_repository_keeps_its_layout(name: str) -> None:
    text = (ROOT / "clusters" / f"{name}.yaml").read_text()
    new = yaml_edit.edited(text, lambda document: cluster_edit.suspend(document, "why"), name=name)
    again = yaml_edit.edited(new, cluster_edit.resume, name=name)
    assert again == text.replace("  suspend: false\n", "") + "  suspend: false\n"


def test_line_ends_of_another_system_stay() -> None:
    new = edit(Change(mode="observe"), TEXT.replace("\n", "\r\n"))
    assert new == edit(Change(mode="observe")).replace("\n", "\r\n")


def test_an_alias_cannot_carry_a_change_elsewhere() -> None:
    text = "metadata: {name: a, labels: &both {x: one}, annotations: *both}\nspec: {}\n"
    with pytest.raises(SettingsError, match="cannot be edited"):
        edit(Change(labels={"x": "two"}), text)


@pytest.mark.parametrize(
    "text", ["", "a: [", "a: 1\na: 2\n", "- a\n", "a: 1\n---\nb: 2\n", "spec: 1\n", "a: !x b\n"]
)
def test_what_is_no_registration_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="cannot be edited"):
        edit(Change(mode="observe"), text)


names = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,5}[A-Za-z0-9])?", fullmatch=True)
keys = st.builds(str.__add__, st.sampled_from(["", "fleet.example/"]), names)
words = st.sampled_from(
    ["yes", "no", "on", "y", "1.36", "1e3", "0x1F", "08", "null", "true", "1_0", "2026-01-01", "12h", "nan"]
)
labels = st.one_of(words, st.just(""), names)


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.one_of(keys, words), st.one_of(st.none(), labels), min_size=1, max_size=6))
def test_labels_read_as_they_were_meant(changes: dict[str, str | None]) -> None:
    assert all(is_label_key(key) and is_label_value(text or "") for key, text in changes.items())
    new = edit(Change(labels=changes))
    expected = value(TEXT)
    held = expected["metadata"].pop("labels") | changes
    if left := {key: text for key, text in held.items() if text is not None}:
        expected["metadata"]["labels"] = left
    assert value(new) == expected
    assert comment_lines(new) == comment_lines(TEXT)


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=60))
def test_a_reason_is_kept_as_it_is_or_refused(reason: str) -> None:
    try:
        new = yaml_edit.edited(TEXT, lambda document: cluster_edit.suspend(document, reason), name="a.yaml")
    except SettingsError:
        return
    kept = value(new)["metadata"].get("annotations", {})
    assert kept == ({cluster_edit.SUSPEND_REASON: reason} if reason else {})
    assert value(yaml_edit.edited(new, cluster_edit.resume, name="a.yaml"))["spec"]["suspend"] is False


scalars = st.none() | st.booleans() | st.integers(-9, 9) | words | st.text("ab: #'\n\t", max_size=8)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | keys, inner, max_size=3),
)


@settings(deadline=None)
@given(values)
def test_values_are_written_so_that_they_read_back(given_value: Any) -> None:
    again = read(yaml_edit.as_yaml({"value": given_value}).encode())
    assert (again.problems, again.documents[0].value) == ((), {"value": given_value})


def test_a_reason_goes_with_the_suspension_it_was_for() -> None:
    def run(text: str, *edits: Any) -> Any:
        for one in edits:
            text = yaml_edit.edited(text, one, name="a.yaml")
        return value(text)

    def racks(document: Any) -> None:
        cluster_edit.suspend(document, "racks")

    def again(document: Any) -> None:
        cluster_edit.suspend(document, None)

    assert run(TEXT, racks, again)["metadata"]["annotations"] == {cluster_edit.SUSPEND_REASON: "racks"}
    assert "annotations" not in run(TEXT, racks, cluster_edit.resume, again)["metadata"]
    assert run(TEXT, cluster_edit.resume) == value(TEXT)


def test_the_same_way_to_log_in_keeps_what_no_form_can_say() -> None:
    spec = value(edit(Change(credentials=parse_credentials("kubeconfig:b.kubeconfig"))))["spec"]
    assert spec["credentials"] == {"kubeconfig": {"path": "b.kubeconfig", "context": "admin"}}
    plugin = TEXT.replace(
        "kubeconfig:\n      path: a.kubeconfig # below\n      context: admin",
        "exec:\n      command: aws\n      args: [a, b]\n      env: [{name: A, value: b}]",
    )
    spec = value(edit(Change(credentials=parse_credentials("exec:gcloud")), plugin))["spec"]
    assert spec["credentials"] == {"exec": {"command": "gcloud", "env": [{"name": "A", "value": "b"}]}}
    spec = value(edit(Change(credentials=parse_credentials("tokenFile:b")), plugin))["spec"]
    assert spec["credentials"] == {"tokenFile": "b"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kubeconfig:a/b:c.yaml", {"kubeconfig": {"path": "a/b:c.yaml"}}),
        ("tokenFile:a.token", {"tokenFile": "a.token"}),
        ("clientCertificate:a.crt,a.key", {"clientCertificate": {"certFile": "a.crt", "keyFile": "a.key"}}),
        ("secretRef:name", {"secretRef": {"name": "name"}}),
        ("secretRef:ns/name", {"secretRef": {"namespace": "ns", "name": "name"}}),
        ("exec:aws eks 'a b'", {"exec": {"command": "aws", "args": ["eks", "a b"]}}),
        ("exec:aws", {"exec": {"command": "aws"}}),
    ],
)
def test_forms_of_credentials(text: str, expected: dict[str, Any]) -> None:
    assert parse_credentials(text) == expected


@pytest.mark.parametrize(
    "text", ["", "tokenFile", "tokenFile:", "token:abc", "clientCertificate:a.crt", "exec:'", "exec: "]
)
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_credentials(text)


def test_what_may_be_a_secret_is_not_in_the_error() -> None:
    with pytest.raises(SettingsError) as caught:
        parse_credentials("token:s3cr3t")
    assert "s3cr3t" not in str(caught.value)
    assert 'did you mean "tokenFile"?' in caught.value.hint


@given(st.text(max_size=20))
def test_credentials_are_parsed_or_refused(text: str) -> None:
    try:
        (method,) = parse_credentials(text)
    except SettingsError:
        return
    assert text.startswith(f"{method}:")


@given(st.text(max_size=20))
def test_a_label_is_parsed_or_refused(text: str) -> None:
    try:
        key, new = parse_label(text)
    except SettingsError:
        return
    assert text == (f"{key}-" if new is None else f"{key}={new}")
    assert key


@pytest.mark.parametrize("new", [b"new", None])
def test_what_somebody_else_has_just_written_stays(tmp_path: Path, new: bytes | None) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"theirs")
    with pytest.raises(SettingsError, match="just been changed"):
        Proposed("a", "clusters/a.yaml", file, b"old", new, ()).write()
    assert file.read_bytes() == b"theirs"
    Proposed("a", "clusters/a.yaml", file, b"theirs", new, ()).write()
    assert [one.read_bytes() for one in tmp_path.iterdir()] == ([new] if new else [])


def test_one_label_has_one_change() -> None:
    assert parse_labels(["a=1", "a=1", "b-", "c=x=y", "d="]) == {"a": "1", "b": None, "c": "x=y", "d": ""}
    for pair in (["a=1", "a=2"], ["a-", "a=1"]):
        with pytest.raises(SettingsError, match="two changes"):
            parse_labels(pair)
