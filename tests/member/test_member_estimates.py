"""Laying what is wanted over what is there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.member.estimates import overlay

values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "x", "y"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("live", "wanted", "merged"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
        ([{"verbs": ["get"], "x": 1}], [{"verbs": ["list"]}], [{"verbs": ["list"], "x": 1}]),
        (["get"], ["get", "list"], ["get", "list"]),
        (["get", "list"], ["get"], ["get"]),
        ([{"name": "a"}, {"name": "b"}], [{"name": "b", "x": 1}], [{"name": "b", "x": 1}, {"name": "a"}]),
        ([{"name": "a"}, {"name": "a"}], [{"name": "a"}], [{"name": "a"}]),
        ({"a": 1}, {"a": None}, {"a": None}),
        ({"a": [1]}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ],
)
def test_overlay(live: Any, wanted: Any, merged: Any) -> None:
    assert overlay(live, wanted) == merged


@given(values)
def test_what_is_there_already_changes_nothing(value: Any) -> None:
    assert overlay(value, value) == value


@given(values, values)
def test_laid_over_once_is_laid_over_for_good(live: Any, wanted: Any) -> None:
    once = overlay(live, wanted)
    assert overlay(once, wanted) == once
