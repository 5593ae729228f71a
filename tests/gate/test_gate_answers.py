"""OPA's answers: what is a finding, and what is no verdict."""

from __future__ import annotations

import string
from typing import Any

import pytest
from gate_kit import document
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import GateError
from reconciler.gate import GateAnswerError, Places
from reconciler.gate.answers import findings, rule_sets
from reconciler.gate.channel import decode
from reconciler.model import Finding, Severity, SourceRef

ITEMS = (document("Role", "a", path="a.yaml"), document("Role", "b", path="b.yaml"))
PLACES = Places(
    {"a.yaml#0": SourceRef("a.yaml", 1), "b.yaml#0": SourceRef("b.yaml", 1)},
    lambda key, path: SourceRef(key.removesuffix("#0"), 10 + len(path)),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False)
    | st.text(string.printable, max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["deny", "warn", "rule", "message", "document", "path", "hint", "x"]), inner
        )
    ),
    max_leaves=25,
)


def judged(answer: Any) -> list[Finding]:
    return findings(rule_sets(answer), ITEMS, PLACES)


def denied(value: Any) -> Finding:
    (finding,) = judged({"result": {"own": {"deny": [value]}}})
    return finding


def test_full_finding() -> None:
    value = {
        "rule": "own.x",
        "message": "m",
        "hint": "h",
        "expected": "e",
        "got": "g",
        "document": 1,
        "path": ["spec", 0],
    }
    assert denied(value) == Finding(
        "FW1510", "m", SourceRef("b.yaml", 12), Severity.ERROR, "Role/b", "own.x", "e", "g", "h"
    )


def test_string_is_enough_and_takes_the_packages_name() -> None:
    finding = denied("no")
    assert (finding.rule, finding.message, finding.source) == ("own", "no", None)


def test_document_by_key_without_path_points_at_the_document() -> None:
    assert denied({"rule": "r", "message": "m", "document": "a.yaml#0"}).source == SourceRef("a.yaml", 1)


def test_warning() -> None:
    (finding,) = judged({"result": {"a": {"b": {"warn": ["look"]}}}})
    assert (finding.code, finding.severity, finding.rule) == ("FW1511", Severity.WARNING, "a.b")


def test_change_is_named_by_its_object_and_source() -> None:
    change = {"key": "k", "object": {"kind": "Role", "namespace": "n", "name": "r"}, "source": "a.yaml:7"}
    sets = rule_sets({"result": {"own": {"deny": [{"rule": "r", "message": "m", "document": 0}]}}})
    (finding,) = findings(sets, [change], Places())
    assert (finding.subject, finding.source) == ("Role/n/r", SourceRef("a.yaml", 7))


def test_compiled_form_is_told_only_where_it_adds_something() -> None:
    items = (
        document("FederatedRole", "ops"),
        document("ClusterRole", "ops", origin="FederatedRole/ops"),
        document("ClusterRole", "ops", origin="FederatedRole/ops"),
    )
    values = [{"rule": "r", "message": "same", "document": n, "path": ["spec"]} for n in range(3)]
    values += [{"rule": "r", "message": "by the patch", "document": n, "path": ["rules"]} for n in (1, 2)]
    found = findings(rule_sets({"result": {"own": {"deny": values}}}), items, PLACES)
    assert [(f.message, f.source) for f in found] == [
        ("same", SourceRef("a.yaml", 11)), ("by the patch", SourceRef("a.yaml", 1)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "answer",
    [{}, [], None, "x", {"result": []}, {"result": None}, {"result": {"a": {"deny": True}}},
     {"result": {"a": {"deny": {"x": 1}}}}, {"result": {"warn": "x"}}],
)  # fmt: skip
def test_undefined_or_misshapen_result_is_no_verdict(answer: Any) -> None:
    with pytest.raises(GateAnswerError):
        judged(answer)


@pytest.mark.parametrize(
    "value",
    [1, True, None, "", [], {}, {"msg": "no"}, {"rule": "r"}, {"message": "m"}, {"rule": "", "message": "m"},
     {"rule": 1, "message": "m"}, {"rule": "r", "message": ["m"]}, {"rule": "r", "message": "m", "extra": 1},
     {"rule": "r", "message": "m", "document": 2}, {"rule": "r", "message": "m", "document": -1},
     {"rule": "r", "message": "m", "document": "z"}, {"rule": "r", "message": "m", "document": True},
     {"rule": "r", "message": "m", "document": 0, "path": "spec"},
     {"rule": "r", "message": "m", "document": 0, "path": [None]}],
)  # fmt: skip
def test_value_of_another_shape_is_no_verdict(value: Any) -> None:
    with pytest.raises(GateAnswerError) as caught:
        denied(value)
    assert "own.deny" in caught.value.message
    assert caught.value.hint


@given(JSON)
def test_any_answer_is_findings_or_refused(result: Any) -> None:
    try:
        found = judged({"result": result})
    except GateAnswerError:
        return
    assert all(isinstance(finding, Finding) and finding.message for finding in found)


@given(st.integers(100, 599), st.binary(max_size=200))
def test_any_bytes_decode_or_are_refused(status: int, data: bytes) -> None:
    try:
        decode(status, data)
    except GateError as error:
        assert len(str(error)) < 2000
    else:
        assert status == 200
