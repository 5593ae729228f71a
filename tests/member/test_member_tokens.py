"""Tokens as bytes: whatever they are, they have facts or none."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.member.token_request import account_of
from reconciler.member.tokens import MAX_TOKEN, facts_of

GOOD = {"iat": 1_000, "exp": 2_000, "aud": ["https://a.example"]}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def jwt(claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{body}.c2ln"


def test_facts() -> None:
    facts = facts_of(jwt({**GOOD, "kubernetes.io": {"secret": {"name": "s", "uid": "u"}}}))
    assert facts is not None
    assert (facts.issued, facts.expires) == tuple(datetime.fromtimestamp(n, UTC) for n in (1_000, 2_000))
    assert facts.audiences == ("https://a.example",)
    assert facts.bound == ("secret", "s", "u")
    assert not facts.due(datetime.fromtimestamp(1_666, UTC))
    assert facts.due(datetime.fromtimestamp(1_667, UTC))
    one = facts_of(jwt({**GOOD, "aud": "only"}))
    assert one is not None
    assert one.audiences == ("only",)


@pytest.mark.parametrize(
    "change",
    [
        {"exp": None}, {"exp": "2000"}, {"exp": True}, {"exp": 1_000}, {"exp": 1e400}, {"exp": 10**30},
        {"iat": None}, {"iat": -(10**30)}, {"aud": [1]}, {"aud": 7}, {"aud": ["x"] * 65},
    ],
)  # fmt: skip
def test_no_facts(change: dict[str, Any]) -> None:
    assert facts_of(jwt({**GOOD, **change})) is None


def test_a_token_that_is_too_long_is_not_read() -> None:
    assert facts_of(jwt({**GOOD, "x": "a" * MAX_TOKEN})) is None


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")) | json_values.map(jwt))
def test_any_text(token: str) -> None:
    facts_of(token)


@given(st.dictionaries(st.sampled_from(["iat", "exp", "aud", "kubernetes.io"]), json_values))
def test_any_claims(claims: dict[str, Any]) -> None:
    facts = facts_of(jwt({**GOOD, **claims}))
    if facts:
        assert facts.issued < facts.expires


@given(st.text())
def test_any_user_name(name: str) -> None:
    found = account_of(name)
    assert found is None or name == f"system:serviceaccount:{found.namespace}:{found.name}"
