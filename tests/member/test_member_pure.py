"""What needs no server: record, status, health, order, discovery, credentials' parsing."""

import base64
import hashlib
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import load_kube_config_from_dict
from member_world import SIGNER, finish

from reconciler.documents import Credentials
from reconciler.errors import MemberError
from reconciler.member import errors
from reconciler.member.breaker import retry_at
from reconciler.member.credentials import credential_source
from reconciler.member.discovery import BUILT_IN, Resource, resources_of
from reconciler.member.envelope import seal, unseal
from reconciler.member.health import State, status_of
from reconciler.member.kubeconfig import user_of
from reconciler.member.lists import parse_list
from reconciler.member.login import Host, Login
from reconciler.member.phases import needs, stage, staged
from reconciler.member.record import PART, decode, encode, parts_of
from reconciler.member.slots import StoredSecret
from reconciler.member.status import refusal
from reconciler.model import ClusterName, Desired, ObjectRef, Record, Recorded

WIDGETS = Resource("example.org", "Widget", "v1", "widgets", namespaced=True)


def _record(number: int) -> Record:
    objects = {
        ObjectRef("networking.k8s.io", "NetworkPolicy", f"ns-{n % 7}", f"p-{n}"): Recorded(
            "sha256:" + hashlib.sha256(bytes([n % 251])).hexdigest(), str(uuid.UUID(int=n)), str(n)
        )
        for n in range(number)
    }
    return Record("uid", "c" * 40, "sha256:" + "1" * 64, "sha256:" + "2" * 64, 7, 3, objects)


@pytest.mark.parametrize("number", [0, 1, 100, 40_000])
def test_a_record_survives_the_way_there_and_back(number: int) -> None:
    record = _record(number)

    head, parts = encode(record, [WIDGETS])

    assert all(len(part) <= PART for part in parts)
    assert len(parts) == (3 if number == 40_000 else 1)
    assert decode(head, parts)[0] == record
    assert len(parts_of(head)) == len(parts)


def test_ten_thousand_objects_fit_into_one_config_map() -> None:
    _, parts = encode(_record(10_000), [])

    assert len(parts) == 1
    assert len(parts[0]) < 700_000


def test_the_record_knows_the_urls_of_its_kinds() -> None:
    record = _record(0)
    ref = ObjectRef("example.org", "Widget", "a", "b")
    entry = Recorded("sha256:" + "0" * 64, str(uuid.UUID(int=1)), "1")
    head, parts = encode(Record("u", "c", "d", "e", 1, 1, {ref: entry}), [WIDGETS])

    assert decode(head, parts)[1] == (WIDGETS,)
    assert decode(*encode(record, []))[1] == ()


@given(st.binary(max_size=300), st.integers(0, 2000))
def test_no_altered_record_gets_through(noise: bytes, at: int) -> None:
    head, parts = encode(_record(5), [])
    for changed in (parts[0][:at] + noise + parts[0][at + len(noise) :], noise):
        if changed != parts[0]:
            with pytest.raises(errors.RecordError):
                decode(head, [changed])


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.text() | st.integers(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
    ).map(lambda v: json.dumps(v).encode())
)
def test_no_envelope_head_list_or_status_ends_in_another_error(data: bytes) -> None:
    for read in (
        lambda: unseal(data, [SIGNER.public_key]),
        lambda: parts_of(data),
        lambda: parse_list(data, WIDGETS),
        lambda: list(resources_of(orjson.loads(data))),
    ):
        with pytest.raises((MemberError, orjson.JSONDecodeError)):
            read()
            raise errors.RecordError("harmless")
    assert refusal(500, data, "m").code
    assert refusal(422, data, "m").got.isprintable()


def test_an_envelope_of_another_type_or_key_is_refused() -> None:
    envelope = seal(b"{}", SIGNER)
    other = type(SIGNER).from_seed(b"x" * 32)

    assert unseal(envelope, [other.public_key, SIGNER.public_key]) == b"{}"
    for keys, text in (([other.public_key], envelope), ([], envelope)):
        with pytest.raises(errors.RecordError):
            unseal(text, keys)
    with pytest.raises(errors.RecordError):
        unseal(envelope.replace(b"fleetward.record", b"fleetward.other"), [SIGNER.public_key])
    with pytest.raises(errors.RecordError):
        unseal(envelope.replace(base64.b64encode(b"{}"), base64.b64encode(b"[]")), [SIGNER.public_key])


def test_managers_of_a_conflict() -> None:
    messages = [
        ('conflict with "kubectl-edit" using v1 at 2026-01-01T00:00:00Z', ("kubectl-edit", "Update", "")),
        ('conflict with "hpa" with subresource "scale" using apps/v1', ("hpa", "Update", "scale")),
        ('conflict with "other"', ("other", "Apply", "")),
        ("something new", ("?", "Apply", "")),
    ]
    causes = [{"reason": "FieldManagerConflict", "message": m, "field": ".x"} for m, _ in messages]

    error = refusal(409, orjson.dumps({"details": {"causes": causes}}), "m")

    assert isinstance(error, errors.ConflictError)
    assert error.managers == tuple((*parts, ".x") for _, parts in messages)


def test_the_table_of_built_in_kinds_has_the_right_urls() -> None:
    assert BUILT_IN["", "ResourceQuota"].path("a", "b") == "/api/v1/namespaces/a/resourcequotas/b"
    assert BUILT_IN["apps", "Deployment"].path("", "") == "/apis/apps/v1/deployments"
    assert BUILT_IN["networking.k8s.io", "IngressClass"].path("", "x").endswith("/ingressclasses/x")
    assert BUILT_IN["", "ConfigMap"].path("a/../b", "c?d") == "/api/v1/namespaces/a%2F..%2Fb/configmaps/c%3Fd"


def test_stages_and_needs() -> None:
    admission = "admissionregistration.k8s.io"
    refs = [
        ObjectRef(admission, "ValidatingAdmissionPolicyBinding", "", "b"),
        ObjectRef("example.org", "Widget", "shop", "w"),
        ObjectRef(admission, "ValidatingAdmissionPolicy", "", "p"),
        ObjectRef("apiextensions.k8s.io", "CustomResourceDefinition", "", "widgets.example.org"),
        ObjectRef("", "Namespace", "", "shop"),
    ]

    assert [stage(ref) for ref in refs] == [3, 1, 2, 0, 0]
    assert [len(group) for group in staged(refs)] == [2, 1, 1, 1]
    assert needs(refs[1], {("example.org", "Widget"): refs[3]}) == (refs[4], refs[3])


def _ready(**fields: Any) -> dict[str, Any]:
    return {"kind": "Thing", "apiVersion": "x/v1", "metadata": {"generation": 2}, **fields}


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (_ready(), State.CURRENT),
        (_ready(metadata={"deletionTimestamp": "now"}), State.TERMINATING),
        (_ready(status={"observedGeneration": 1}), State.IN_PROGRESS),
        (_ready(status={"conditions": [{"type": "Ready", "status": "False"}]}), State.IN_PROGRESS),
        (_ready(status={"conditions": [{"type": "Stalled", "status": "True"}]}), State.FAILED),
        (_ready(status={"conditions": "odd"}), State.UNKNOWN),
        (_ready(status=[]), State.CURRENT),
        ({}, State.UNKNOWN),
        (_ready(kind="Pod", apiVersion="v1", status={"phase": "Failed"}), State.FAILED),
        (_ready(kind="Job", apiVersion="batch/v1"), State.IN_PROGRESS),
        (_ready(kind="PersistentVolumeClaim", apiVersion="v1", status={"phase": "Bound"}), State.CURRENT),
        (_ready(kind="Service", apiVersion="v1", spec={"type": "LoadBalancer"}), State.IN_PROGRESS),
        (
            _ready(
                kind="Deployment", apiVersion="apps/v1", spec={"replicas": 1},
                status={"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "observedGeneration": 2},
            ),
            State.CURRENT,
        ),
        (
            _ready(
                kind="StatefulSet", apiVersion="apps/v1", spec={"replicas": 2},
                status={"readyReplicas": 2, "updatedReplicas": 1, "observedGeneration": 2},
            ),
            State.IN_PROGRESS,
        ),
        (
            _ready(
                kind="DaemonSet", apiVersion="apps/v1",
                status={
                    "desiredNumberScheduled": 0, "observedGeneration": 2,
                },
            ),
            State.CURRENT,
        ),
    ],
)  # fmt: skip
def test_health(body: Any, state: State) -> None:
    assert status_of(body).state is state


def test_the_breaker_waits_longer_and_never_overflows() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)

    assert retry_at(1, noon) == noon
    assert retry_at(10**6, noon) == retry_at(20, noon) > retry_at(3, noon) > retry_at(2, noon)


def _host(directory: Path, *allowed: tuple[str, ...]) -> Host:
    return Host(directory, lambda: datetime.now(UTC), allowed, {"PATH": "/usr/bin:/bin"})


async def test_a_rotated_token_file_is_read_again(tmp_path: Path) -> None:
    source = credential_source(Credentials("tokenFile", path="token"), _host(tmp_path))
    for value in ("first\n", "second"):
        (tmp_path / "token").write_text(value)
        assert (await source.load()).token == value.strip()


@pytest.mark.parametrize("path", ["../token", "/etc/passwd", "link", "folder", "missing", "loop", "", "bad"])
async def test_paths_stay_in_the_credentials_directory(tmp_path: Path, path: str) -> None:
    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    (tmp_path / "token").write_text("secret-value")
    (root / "link").symlink_to("../token")
    (root / "loop").symlink_to("loop")
    (root / "bad").write_text("two words")

    with pytest.raises(errors.CredentialError) as caught:
        await credential_source(Credentials("tokenFile", path=path), _host(root)).load()
    assert "secret-value" not in str(caught.value)


def _kubeconfig(user: dict[str, Any], **cluster: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": "https://x", **cluster}}],
        "users": [{"name": "u", "user": user}],
    }  # fmt: skip


def _contents(path: str | None) -> bytes:
    return Path(path).read_bytes() if path else b""


async def test_a_kubeconfig_gives_what_the_official_client_reads_from_it(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("from-file")
    encoded = {name: base64.b64encode(text).decode() for name, text in (("cert", b"CERT"), ("key", b"KEY"))}
    users = (
        {"token": "inline"},
        {"tokenFile": "t"},
        {"client-certificate-data": encoded["cert"], "client-key-data": encoded["key"]},
    )
    for user in users:
        (tmp_path / "k.yaml").write_text(yaml.safe_dump(_kubeconfig(user)))
        ours = await credential_source(Credentials("kubeconfig", path="k.yaml"), _host(tmp_path)).load()
        official = Configuration()
        absolute = user | ({"tokenFile": str(tmp_path / "t")} if "tokenFile" in user else {})
        await load_kube_config_from_dict(_kubeconfig(absolute), client_configuration=official)
        theirs = official.api_key.get("BearerToken", "").removeprefix("Bearer ")
        assert ours == Login(theirs, _contents(official.cert_file), _contents(official.key_file))


@pytest.mark.parametrize(
    ("user", "cluster"),
    [
        ({"username": "a", "password": "hunter2"}, {}),
        ({"auth-provider": {"name": "oidc"}}, {}),
        ({"token": "t", "as": "root"}, {}),
        ({"token": "t"}, {"insecure-skip-tls-verify": True}),
        ({"tokenFile": "../../etc/passwd"}, {}),
        ({"client-certificate": "/etc/passwd", "client-key": "/etc/passwd"}, {}),
        ({"client-certificate-data": "%%%"}, {}),
        ({}, {}),
        ({"exec": {"command": "sh", "args": ["-c", "id"]}}, {}),
    ],
)
async def test_a_kubeconfig_that_is_refused(
    tmp_path: Path, user: dict[str, Any], cluster: dict[str, Any]
) -> None:
    (tmp_path / "k.yaml").write_text(yaml.safe_dump(_kubeconfig(user, **cluster)))

    with pytest.raises((errors.CredentialError, errors.ExecRefusedError)) as caught:
        await credential_source(Credentials("kubeconfig", path="k.yaml"), _host(tmp_path)).load()
    assert "hunter2" not in str(caught.value)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_kubeconfig_ends_in_another_error(text: bytes) -> None:
    with pytest.raises(errors.CredentialError):
        user_of(text, "", "k")


def _plugin(directory: Path, script: str) -> tuple[str, ...]:
    path = directory / "plugin"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return (str(path), "login")


def _exec(directory: Path, argv: tuple[str, ...]) -> Any:
    return credential_source(Credentials("exec", argv=argv), _host(directory, argv))


async def test_an_allowed_exec_command_is_asked_once_until_it_must_be_again(tmp_path: Path) -> None:
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "abc"},
    }
    source = _exec(tmp_path, _plugin(tmp_path, f"echo x >> {tmp_path}/calls; echo '{json.dumps(answer)}'"))

    assert (await source.load()).token == (await source.load()).token == "abc"
    await source.load(fresh=True)

    assert (tmp_path / "calls").read_text() == "x\nx\n"


@pytest.mark.parametrize(
    "script", ["echo hunter2; exit 1", "echo hunter2", "echo '{}'", "yes hunter2", "exit 0"]
)
async def test_an_exec_command_that_misbehaves(tmp_path: Path, script: str) -> None:
    with pytest.raises(errors.CredentialError) as caught:
        await _exec(tmp_path, _plugin(tmp_path, script)).load()
    assert "hunter2" not in str(caught.value)


def test_an_exec_command_with_another_argument_is_another_command(tmp_path: Path) -> None:
    allowed = _plugin(tmp_path, "true")

    with pytest.raises(errors.ExecRefusedError):
        credential_source(Credentials("exec", argv=(*allowed, "--more")), _host(tmp_path, allowed))


async def test_a_secret_on_the_primary(tmp_path: Path) -> None:
    secrets = {
        "token": {"token": b"abc\n"},
        "pair": {"tls.crt": b"CERT", "tls.key": b"KEY"},
        "config": {"value": yaml.safe_dump(_kubeconfig({"token": "abc"})).encode()},
        "files": {"kubeconfig": yaml.safe_dump(_kubeconfig({"tokenFile": "t"})).encode()},
        "empty": {},
    }

    class Primary:
        async def read(self, namespace: str, name: str) -> StoredSecret:
            assert namespace == "federation-system"
            return StoredSecret(secrets[name])

    @asynccontextmanager
    async def primary() -> AsyncIterator[Any]:
        yield Primary()

    host = Host(tmp_path, lambda: datetime.now(UTC), open_secrets=primary)
    sources = {n: credential_source(Credentials("secretRef", secret_name=n), host) for n in secrets}

    assert await sources["token"].load() == await sources["config"].load() == Login(token="abc")
    assert await sources["pair"].load() == Login(certificate=b"CERT", key=b"KEY")
    for name in ("files", "empty"):
        with pytest.raises(errors.CredentialError):
            await sources[name].load()


def test_a_definition_tells_its_resource() -> None:
    from reconciler.member.phases import definitions

    names = {"kind": "Widget", "plural": "widgets"}
    spec = {
        "group": "example.org",
        "names": names,
        "scope": "Cluster",
        "versions": [{"name": "v1", "storage": True}],
    }
    metadata = {"name": "widgets.example.org"}
    kind = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    item = finish({**kind, "metadata": metadata, "spec": spec})

    assert definitions(Desired(ClusterName("m"), (item,), "d")) == {("example.org", "Widget"): item.ref}
