"""What rules see, and the chunks that are kept apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from gate_kit import NOW, content, document
from hypothesis import given
from hypothesis import strategies as st

from reconciler.gate import ChangesInput, GateDocument, GateSourceError
from reconciler.gate.inputs import chunks, queries

DOCUMENTS = tuple(document("X", str(n), path=f"p/{n}.yaml") for n in range(3000))


def names(documents: Sequence[GateDocument]) -> list[str]:
    return [query.name for query in queries(content(*documents), NOW, 500)]


@given(st.lists(st.integers(0, 400)), st.integers(1, 50))
def test_chunks_lose_and_double_nothing(numbers: list[int], size: int) -> None:
    documents = [GateDocument(f"{n}.yaml#0", {}, str(i)) for i, n in enumerate(numbers)]
    cut = chunks(documents, size)
    assert sorted(d.digest for part in cut for d in part) == sorted(d.digest for d in documents)
    homes = {(d.key, index) for index, part in enumerate(cut) for d in part}
    assert len(homes) == len(set(numbers))  # a file is never split


def test_no_documents_are_still_one_question() -> None:
    (query,) = queries(content(), NOW, 500)
    assert query.input()["documents"] == []


def test_one_change_changes_one_chunk_and_order_none() -> None:
    before = names(DOCUMENTS)
    after = names((*DOCUMENTS[:7], replace(DOCUMENTS[7], digest="new"), *DOCUMENTS[8:]))
    assert len(before) == 8
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1
    assert names(DOCUMENTS[::-1]) == before


def test_one_more_file_changes_one_chunk() -> None:
    more = (*DOCUMENTS, document("X", "new", path="p/new.yaml"))
    assert len(set(names(more)) - set(names(DOCUMENTS))) == 1


@pytest.mark.parametrize("change", ["federation", "exceptions", "clusters", "day", "origin"])
def test_context_is_part_of_the_name(change: str) -> None:
    given_ = content(document("X", "a"))
    changed = {
        "federation": replace(given_, federation={"gate": {"wildcardRoles": ["a"]}}),
        "exceptions": replace(given_, exceptions=[{"rule": "r"}]),
        "clusters": replace(given_, clusters=[{"name": "a"}]),
        "day": given_,
        "origin": replace(given_, documents=(document("X", "a", origin="Y/a"),)),
    }[change]
    moment = NOW + timedelta(days=change == "day")
    assert queries(given_, NOW, 500)[0].name != queries(changed, moment, 500)[0].name


def test_within_a_day_the_question_is_the_same() -> None:
    early, late = (queries(content(*DOCUMENTS[:3]), NOW + timedelta(hours=h), None)[0] for h in (-12, 11))
    assert (early.name, early.input()) == (late.name, late.input())


def test_document_cannot_claim_a_key_or_an_origin() -> None:
    claimed = document("ClusterRole", "x", key="other.yaml#0", spec={})
    claimed = replace(claimed, body={**claimed.body, "origin": {"kind": "FederatedRole", "name": "root"}})
    view = claimed.view()
    assert view["key"] == "a.yaml#0"
    assert "origin" not in view
    assert replace(claimed, origin="FederatedRole/a").view()["origin"] == {
        "kind": "FederatedRole",
        "name": "a",
    }


def test_changes_are_never_kept_and_know_the_time() -> None:
    (query,) = queries(ChangesInput({"name": "m"}, [], {}, {}, {}), NOW, 500)
    assert (query.name, query.input()["now"], query.input()["stage"]) == (
        "",
        "2026-07-25T12:30:00Z",
        "changes",
    )


@pytest.mark.parametrize("value", [{1, 2}, "\ud800", 2**64])
def test_input_that_json_cannot_say_is_an_error(value: object) -> None:
    with pytest.raises(GateSourceError):
        queries(content(federation={"x": value}), NOW, 500)
