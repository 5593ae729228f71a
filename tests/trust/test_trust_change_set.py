"""Change sets: what cannot be signed, what cannot be opened, and that the documentation shows real bytes."""

import dataclasses
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler import dsse
from reconciler.dsse import EnvelopeSignatureError, PayloadTypeError
from reconciler.errors import TrustError
from reconciler.model import ObjectRef
from reconciler.product import product_root
from reconciler.trust import (
    Change,
    ChangeAction,
    ChangeSet,
    ReconcilerKey,
    base_digest,
    open_change_set,
    sign_change_set,
)
from reconciler.trust.changeset import PAYLOAD_TYPE, statement
from reconciler.trust.errors import ChangeSetError

KEY = ReconcilerKey.from_seed(bytes(range(32)))
NETWORK = ObjectRef("networking.k8s.io", "NetworkPolicy", "shop", "allow-web")
EXAMPLE = ChangeSet(
    cluster="member-a",
    cluster_uid="0f1c9a52-6a3e-4b8e-9a55-0d9d6f3f7c11",
    repository="git@git.example:platform/fleet.git",
    ref="refs/heads/main",
    commit="9fceb02d0ae598e95dc970b74767f19372d61af8",
    tree="4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    gate_digest=dsse.digest(b"the gate"),
    gate_rules=14,
    gate_allowed=True,
    sequence=2,
    previous=dsse.digest(b"change set 1"),
    created="2026-01-31T12:00:00Z",
    desired_digest=dsse.digest(b"the desired objects"),
    base=base_digest({"cluster": "0f1c9a52-6a3e-4b8e-9a55-0d9d6f3f7c11", "objects": 3}),
    changes=(
        Change(NETWORK, ChangeAction.CREATE, "", dsse.digest(b"policy"), ""),
        Change(
            ObjectRef("rbac.authorization.k8s.io", "ClusterRole", "", "viewer"),
            ChangeAction.UPDATE,
            dsse.digest(b"role before"),
            dsse.digest(b"role after"),
            "1041",
        ),
        Change(
            ObjectRef("", "ConfigMap", "shop", "old"), ChangeAction.DELETE, dsse.digest(b"old"), "", "977"
        ),
    ),
)
PUBLIC = [KEY.public_key]


def test_what_is_signed_comes_back() -> None:
    signed = sign_change_set(EXAMPLE, KEY)
    opened = open_change_set(signed.envelope, PUBLIC)
    assert opened == signed
    assert opened.change_set == EXAMPLE
    assert opened.digest == dsse.digest(signed.envelope)
    assert sign_change_set(EXAMPLE, KEY) == signed


def test_it_is_an_in_toto_statement() -> None:
    payload = json.loads(
        dsse.verify(sign_change_set(EXAMPLE, KEY).envelope, "application/vnd.in-toto+json", PUBLIC)
    )
    assert payload["_type"] == "https://in-toto.io/Statement/v1"
    assert payload["predicateType"] == "https://fleetward.io/change-set/v1"
    subjects = {subject["name"]: subject["digest"] for subject in payload["subject"]}
    assert subjects == {
        "member-a": {"sha256": EXAMPLE.desired_digest.removeprefix("sha256:")},
        EXAMPLE.repository: {"gitCommit": EXAMPLE.commit},
    }


@pytest.mark.parametrize(
    "fault",
    [
        {"gate_allowed": False},
        {"gate_rules": 0},
        {"cluster": ""},
        {"cluster_uid": ""},
        {"repository": ""},
        {"ref": "main"},
        {"commit": "9fceb02"},
        {"tree": ""},
        {"gate_digest": ""},
        {"desired_digest": "sha256:x"},
        {"base": "md5:" + "0" * 64},
        {"sequence": 0},
        {"sequence": -1},
        {"sequence": 1},  # a first one with a predecessor
        {"previous": ""},  # a second one without
        {"created": "yesterday"},
        {"created": "2026-01-31T12:00:00+01:00"},
        {"changes": (EXAMPLE.changes[0], EXAMPLE.changes[0])},
        {"changes": (dataclasses.replace(EXAMPLE.changes[0], after=""),)},
        {"changes": (dataclasses.replace(EXAMPLE.changes[0], before=dsse.digest(b"x")),)},
        {"changes": (dataclasses.replace(EXAMPLE.changes[1], after="x"),)},
        {"changes": (dataclasses.replace(EXAMPLE.changes[2], after=dsse.digest(b"x")),)},
        {"changes": (dataclasses.replace(EXAMPLE.changes[2], before="x"),)},
        {"changes": (dataclasses.replace(EXAMPLE.changes[0], ref=ObjectRef("", "", "", "x")),)},
    ],
)
def test_what_cannot_be_signed_cannot_be_opened_either(fault: dict[str, Any]) -> None:
    bad = dataclasses.replace(EXAMPLE, **fault)
    with pytest.raises(ChangeSetError, match="FW1240"):
        sign_change_set(bad, KEY)
    envelope = dsse.sign(PAYLOAD_TYPE, dsse.canonical(statement(bad)), KEY)
    with pytest.raises(ChangeSetError, match="FW1240"):
        open_change_set(envelope, PUBLIC)


def disturbed(path: str, value: Any) -> bytes:
    """The example's statement with one value replaced (None: removed), well signed."""
    whole = json.loads(json.dumps(statement(EXAMPLE)))
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    at: Any = whole
    for key in parents:
        at = at[key]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return dsse.sign(PAYLOAD_TYPE, dsse.canonical(whole), KEY)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("_type", "https://in-toto.io/Statement/v0.1"),
        ("predicateType", "https://fleetward.io/change-set/v2"),
        ("subject.0.name", "member-b"),
        ("subject.0.digest.sha256", "0" * 64),
        ("subject.1.digest.gitCommit", "1" * 40),
        ("subject.1", None),
        ("extra", 1),
        ("predicate.extra", 1),
        ("predicate.changes.0.extra", 1),
        ("predicate.changes.0.action", "replace"),
        ("predicate.changes.0.object.name", 1),
        ("predicate.changes.0.object.namespace", None),
        ("predicate.changes", {}),
        ("predicate.changes", "x"),
        ("predicate.gate.allowed", 1),
        ("predicate.gate.allowed", "true"),
        ("predicate.gate.rules", True),
        ("predicate.gate.rules", 1.5),
        ("predicate.sequence", "2"),
        ("predicate.cluster", []),
        ("predicate", None),
    ],
)
def test_statements_of_another_shape(path: str, value: Any) -> None:
    with pytest.raises(ChangeSetError, match="FW1240"):
        open_change_set(disturbed(path, value), PUBLIC)


def test_a_payload_that_is_not_canonical_is_refused() -> None:
    pretty = json.dumps(statement(EXAMPLE), indent=1).encode()
    with pytest.raises(ChangeSetError, match="canonical"):
        open_change_set(dsse.sign(PAYLOAD_TYPE, pretty, KEY), PUBLIC)


def test_forged_and_foreign_envelopes() -> None:
    other = ReconcilerKey.from_seed(b"\x07" * 32)
    with pytest.raises(EnvelopeSignatureError):
        open_change_set(sign_change_set(EXAMPLE, other).envelope, PUBLIC)
    with pytest.raises(PayloadTypeError):
        open_change_set(dsse.sign("text/plain", dsse.canonical(statement(EXAMPLE)), KEY), PUBLIC)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
PATHS = [
    "predicate",
    "subject",
    "predicate.cluster",
    "predicate.changes",
    "predicate.changes.1",
    "predicate.changes.1.object",
    "predicate.changes.1.action",
    "predicate.source.commit",
    "predicate.sequence",
    "predicate.created",
]


@settings(deadline=None)
@given(st.sampled_from(PATHS), JSON)
def test_anything_anywhere(path: str, value: Any) -> None:
    envelope = disturbed(path, value)
    try:
        opened = open_change_set(envelope, PUBLIC)
    except TrustError as error:
        assert str(error).isprintable()
    else:  # no changes at all, or another sequence, are sound
        assert sign_change_set(opened.change_set, KEY).envelope == envelope


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_well_signed_nonsense(payload: bytes) -> None:
    with pytest.raises(ChangeSetError):
        open_change_set(dsse.sign(PAYLOAD_TYPE, payload, KEY), PUBLIC)


def test_the_documentation_shows_what_the_code_writes() -> None:
    text = (product_root() / "docs/change-set.md").read_text()
    blocks = dict(re.findall(r"<!-- example: ([a-z-]+) -->\n+```[a-z]*\n(.*?)\n```", text, re.DOTALL))
    signed = sign_change_set(EXAMPLE, KEY)
    assert json.loads(blocks["statement"]) == statement(EXAMPLE)
    assert blocks["envelope"].encode() == signed.envelope
    assert blocks["digest"] == signed.digest
    assert open_change_set(blocks["envelope"].encode(), PUBLIC).change_set == EXAMPLE


def test_the_documentation_names_every_field() -> None:
    text = (product_root() / "docs/change-set.md").read_text()

    def names(value: Any) -> set[str]:
        if isinstance(value, list):
            return set().union(*map(names, value))
        if isinstance(value, dict):
            return set(value).union(*map(names, value.values()))
        return set()

    for name in names(statement(EXAMPLE)["predicate"]):
        assert re.search(rf"[`.]{name}[`.\[]", text), name
