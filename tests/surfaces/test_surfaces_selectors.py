"""Label selectors: the cases of k8s.io/apimachinery's own parser, and any text at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.documents import Requirement
from reconciler.errors import SettingsError
from reconciler.surfaces.selectors import MAX_SELECTOR, parse_selector, placement

IN, NOT_IN, EXISTS, ABSENT = "In", "NotIn", "Exists", "DoesNotExist"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  ", []),
        ("x=a,y==b", [("x", IN, "a"), ("y", IN, "b")]),
        ("x!=a,y=b", [("x", NOT_IN, "a"), ("y", IN, "b")]),
        ("x=,z= ", [("x", IN, ""), ("z", IN, "")]),
        ("!x", [("x", ABSENT)]),
        ("\rx", [("x", EXISTS)]),
        ("this-is-a-dns.domain.com/key-with-dash", [("this-is-a-dns.domain.com/key-with-dash", EXISTS)]),
        ("x in (abc,def)", [("x", IN, "abc", "def")]),
        ("x in(abc)", [("x", IN, "abc")]),
        ("x in ()", [("x", IN, "")]),
        ("x in (abc,)", [("x", IN, "abc", "")]),
        ("x notin (, a)", [("x", NOT_IN, "", "a")]),
        ("x notin (abc,,def),bar,z in (),w",
         [("x", NOT_IN, "abc", "", "def"), ("bar", EXISTS), ("z", IN, ""), ("w", EXISTS)]),
        ("a in (x,y,notin, z,in)", [("a", IN, "x", "y", "notin", "z", "in")]),
        ("in in (in)", [("in", IN, "in")]),
        ("x=in", [("x", IN, "in")]),
    ],
)  # fmt: skip
def test_as_apimachinery_reads_it(text: str, expected: list[tuple[str, ...]]) -> None:
    found = [Requirement(key, operator, tuple(values)) for key, operator, *values in expected]  # type: ignore[arg-type]
    assert list(parse_selector(text)) == found


@pytest.mark.parametrize(
    "text",
    ["x=a||y=b", "x==a==b", "!x=a", "x<a", "x>1", "x,,y", ",x,y", "x,", "x nott in (y)", "a in (xyz)b",
     "a in (xyz abc)", "a notin(", "a (", "(", "a in (x", "=a", "!", "x in a", "a b", "-x=1", "x=-", "x=a b",
     "x=\u202ea", "a" * (MAX_SELECTOR + 1)],
)  # fmt: skip
def test_what_it_refuses(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_selector(text)
    assert caught.value.code == "FW1001"
    assert caught.value.expected


@pytest.mark.parametrize(
    ("text", "held"),
    [("tier=edge", "b"), ("tier!=edge", "ac"), ("tier notin (edge)", "ac"), ("!tier", "a"), ("tier", "bc"),
     ("tier in (edge,core),zone", "c"), ("", "abc"), ("tier=", "")],
)  # fmt: skip
def test_semantics_are_those_of_kubernetes(text: str, held: str) -> None:
    labels = {"a": {}, "b": {"tier": "edge"}, "c": {"tier": "core", "zone": "z"}}
    assert "".join(name for name in labels if placement(text).matches(name, labels[name])) == held


@given(st.text(alphabet="ab1=!(), notin-./<>\n", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse_selector(text)
    except SettingsError:
        return
    names = {EXISTS: "{0}", ABSENT: "!{0}", IN: "{0} in ({1})", NOT_IN: "{0} notin ({1})"}
    again = ",".join(names[one.operator].format(one.key, ",".join(one.values)) for one in found)
    assert parse_selector(again) == found
