"""What of an enroller's commit counts: the pure part, on any bytes and any paths."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.documents import TrustedSigner, TrustRoot
from reconciler.trust.commits import Method, VerifiedSigner
from reconciler.trust.enrolling import FIELDS, may_enroll, objections, registered
from reconciler.trust.verdicts import Candidate

SIGNER = VerifiedSigner("fleetward", Method.SSH, "SHA256:x")
SPEC: dict[str, Any] = {"apiServers": ["https://a"], "credentials": {"tokenFile": "joined/a.token"}}


def text(name: str = "a", metadata: dict[str, Any] | None = None, **spec: Any) -> bytes:
    named = {"name": name, **(metadata or {})}
    body = {
        "apiVersion": "fleetward.io/v1alpha1",
        "kind": "Cluster",
        "metadata": named,
        "spec": {**SPEC, **spec},
    }
    return yaml.safe_dump(body).encode()


GOOD = Candidate(
    "1" * 40, ("0" * 40,), b"", b"", ("clusters/a.yaml",), None, datetime(2026, 1, 1, tzinfo=UTC), text()
)
ALLOWED = TrustRoot(signers=(TrustedSigner("fleetward", roles=("enroller",)),), auto_approve=True)


def codes(commit: Candidate, root: TrustRoot = ALLOWED) -> list[str]:
    return [error.code for error in objections(commit, SIGNER, root)]


def test_an_enrolment() -> None:
    assert codes(GOOD) == []
    assert codes(GOOD, replace(ALLOWED, auto_approve=False)) == ["FW1268"]


@pytest.mark.parametrize(
    "change",
    [
        {"parents": ()}, {"parents": ("0" * 40, "2" * 40)}, {"paths": ()},
        {"paths": ("clusters/a.yaml", "x")}, {"paths": ("clusters/b.yaml",)}, {"addition": None},
        {"addition": b""}, {"paths": ("clusters/A.yaml",)}, {"paths": ("clusters/a.yaml/x",)},
        {"paths": ("clusters/a.b.yaml",)}, {"paths": ("xclusters/a.yaml",)},
        {"paths": ("clusters/a.yaml\n",)},
    ],
)  # fmt: skip
def test_what_is_none(change: dict[str, Any]) -> None:
    assert codes(replace(GOOD, **change)) == ["FW1267"]


@pytest.mark.parametrize(
    "content",
    [
        text("b"), text(metadata={"annotations": {}}), text(mode="observe"), text(username="x"),
        text(credentials={"tokenFile": "joined/b.token"}), text(credentials=None), text(credentials=[]),
        text(credentials={"tokenFile": "joined/a.token", "kubeconfig": {"path": "b"}}),
        text(credentials={"secretRef": {"namespace": "fleetward-system", "name": "member-b"}}),
        text(viewerCredentials={"tokenFile": "joined/a.token"}), text() + b"---\n" + text(),
        text() + b"status: {}\n", text().replace(b"kind: Cluster", b"kind: List"),
        b"kind: Cluster\nkind: Cluster\n", text().replace(b"v1alpha1", b"v1"), b"[]", b"a: &a [*a]",
    ],
)  # fmt: skip
def test_content_that_a_join_does_not_write(content: bytes) -> None:
    assert registered(content, "a") != ""


def test_content_that_a_join_writes() -> None:
    viewer = {"tokenFile": "joined/a.viewer.token"}
    rest = dict.fromkeys(FIELDS - SPEC.keys(), "x") | {"viewerCredentials": viewer}
    assert registered(text(metadata={"labels": {"tier": "x"}}, **rest), "a") == ""
    secret = {"secretRef": {"namespace": "fleetward-system", "name": "member-a"}}
    assert registered(text(credentials=secret), "a") == ""


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(content: bytes) -> None:
    assert registered(content, "a") != ""


keys = st.sampled_from([*FIELDS, "mode", "username", "viewerCredentials", "suspend"])
values = st.sampled_from(
    [None, *({"tokenFile": f"joined/{name}.token"} for name in ("a", "b", "a.viewer")), "joined/a.token"]
)


@settings(deadline=None)
@given(st.dictionaries(keys, values, max_size=5))
def test_only_its_own_credential_and_known_fields(spec: dict[str, Any]) -> None:
    said = registered(text(**spec), "a")
    viewer = {"tokenFile": "joined/a.viewer.token"}
    own = spec.get("credentials", SPEC["credentials"]) == SPEC["credentials"]
    reads = spec.get("viewerCredentials", viewer) == viewer
    assert (said == "") == (spec.keys() <= FIELDS and own and reads)


@given(st.text(alphabet="clusters/.yamlAB-\n", max_size=30))
def test_any_path(path: str) -> None:
    name = may_enroll(path)
    assert name == "" or path == f"clusters/{name}.yaml"
    assert "/" not in name
