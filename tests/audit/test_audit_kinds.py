"""Generated entries of every kind, and bodies: round trips, the published schemas, and mutations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import audit_fleet as fleet
import jsonschema_rs
import orjson
import pytest
from audit_helpers import SIGNER, UNHURRIED
from audit_strategies import ENTRIES, entries, provenances
from hypothesis import given
from hypothesis import strategies as st

from reconciler.audit.codes import BodyFormatError, EntryError
from reconciler.audit.entry import KINDS, Entry, MemberRefused, decode, encode, outcomes_body
from reconciler.audit.fields import canonical
from reconciler.audit.outcomes import read_outcomes
from reconciler.audit.provenance import (
    PROVENANCE_SCHEMA,
    CommitProvenance,
    provenance_body,
    read_provenance,
)
from reconciler.model import Finding, ObjectOutcome, ObjectRef, ObjectResult
from reconciler.product import product_root


def validator(name: str) -> jsonschema_rs.Draft202012Validator:
    schema = json.loads((product_root() / "schemas/log" / name).read_text())
    return jsonschema_rs.Draft202012Validator(schema)


ENTRY, OUTCOMES, PROVENANCE = (
    validator(f"{name}-v1.json") for name in ("entry", "outcomes", "provenance")
)  # fmt: skip


def test_every_kind_is_generated() -> None:
    assert ENTRIES.keys() == KINDS.keys()


@UNHURRIED
@given(entries)
def test_what_is_written_is_read_back_and_is_by_the_schema(entry: Entry) -> None:
    data = encode(entry)
    assert decode(data) == entry
    ENTRY.validate(orjson.loads(data))


def places(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from places(inner)


def mutations(value: Any) -> Iterator[Any]:
    """The value with one field left out, added or of a type that no field has, everywhere."""
    for at, place in enumerate(places(value)):
        for name in (*place, "another"):
            for change in ("left out", 1.5, True, {"x": 1}, [1.5], "\n"):
                mutated = deepcopy(value)
                there = next(one for n, one in enumerate(places(mutated)) if n == at)
                if change == "left out":
                    there.pop(name, None)
                else:
                    there[name] = change
                other_flag = change is True and isinstance(place.get(name), bool)  # which is as good
                if mutated != value and not other_flag:
                    yield mutated


@pytest.mark.parametrize("kind", KINDS)
def test_every_mutation_is_refused(kind: str) -> None:
    entry = next(entry for entry in samples() if entry.kind == kind)
    count = 0
    for mutated in mutations(orjson.loads(encode(entry))):
        count += 1
        with pytest.raises(EntryError):
            decode(canonical(mutated))
        if not has_newline(mutated):  # what is printable is beyond JSON Schema
            assert not ENTRY.is_valid(mutated), mutated
    assert count > 30


def has_newline(value: Any) -> bool:
    return any("\n" in place.values() for place in places(value))


def samples() -> list[Entry]:
    """One of each kind, with something in every list."""
    from audit_helpers import refused_member
    from test_audit_entry import SAMPLES

    chosen = {entry.kind: entry for entry in SAMPLES}
    stamped = next(iter(chosen.values())).time
    gated = replace(refused_member(gate=fleet.GATE), time=stamped)
    return [gated, *(entry for kind, entry in chosen.items() if kind != MemberRefused.kind)]


def test_a_refused_member_says_no_secret() -> None:
    secret = "hunter2" * 3
    finding = Finding(
        "FW1721", "the record is not ours", expected=secret, got=secret, hint=secret, rule=secret
    )
    entry = MemberRefused.of(
        actor="ci", cluster="a", commit="0" * 40, findings=[finding] * 70, cluster_uid="u\x1b[2J" * 100
    )
    assert (len(entry.findings), entry.count, entry.gate) == (50, 70, None)
    data = encode(replace(entry, time=fleet.START))
    assert secret.encode() not in data
    assert b"\\u001b" not in data


# Bodies


@UNHURRIED
@given(provenances)
def test_a_provenance_is_read_back_and_is_by_its_schema(rows: list[CommitProvenance]) -> None:
    body = provenance_body(rows)
    assert read_provenance(body) == tuple(rows)
    PROVENANCE.validate(orjson.loads(body))


def test_every_mutation_of_a_provenance_is_refused() -> None:
    for mutated in mutations(orjson.loads(fleet.provenance())):
        with pytest.raises(BodyFormatError, match="FW1850"):
            read_provenance(canonical(mutated))
        if not has_newline(mutated):
            assert not PROVENANCE.is_valid(mutated), mutated


@pytest.mark.parametrize(
    "bad",
    [
        {"commit": "HEAD"},
        {"method": "gpg"},
        {"signer": ""},
        {"signer": "a\nb"},
        {"fingerprint": "x" * 257},
        {"first_seen": fleet.START.replace(tzinfo=None)},
        {"rules": ("x",) * 101},
        {"rules": ("x" * 513,)},
    ],
)
def test_a_provenance_out_of_bounds_is_not_written(bad: dict[str, Any]) -> None:
    [row, _] = read_provenance(fleet.provenance())
    with pytest.raises(BodyFormatError, match="FW1850"):
        provenance_body([replace(row, **bad)])


def test_a_provenance_of_too_many_commits_is_not_written() -> None:
    [row, _] = read_provenance(fleet.provenance())
    with pytest.raises(BodyFormatError, match="100000"):
        provenance_body([row] * 100_001)


@UNHURRIED
@given(st.binary(max_size=60) | st.dictionaries(st.text(max_size=8), st.text(max_size=8)).map(orjson.dumps))
def test_a_provenance_of_any_bytes(data: bytes) -> None:
    with pytest.raises(BodyFormatError):
        read_provenance(data)
    with pytest.raises(BodyFormatError):
        read_provenance(f'{{"commits":[],"schema":"{PROVENANCE_SCHEMA}"}} '.encode())


refs = st.builds(ObjectRef, st.text(), st.text(), st.text(), st.text())


@UNHURRIED
@given(
    st.lists(
        st.builds(
            ObjectOutcome, refs, st.sampled_from(ObjectResult), uid=st.text(), resource_version=st.text(),
            digest=st.text(), audit_id=st.text(), error=st.text(),
        ),
        max_size=4,
    )
)  # fmt: skip
def test_outcomes_of_any_text_are_read_back(outcomes: list[ObjectOutcome]) -> None:
    body = outcomes_body(outcomes)
    rows = read_outcomes(body)
    assert [row.result for row in rows] == [outcome.result for outcome in outcomes]
    OUTCOMES.validate(orjson.loads(body))


def test_every_mutation_of_outcomes_is_refused() -> None:
    log = [
        body for entry, bodies in fleet.entries(SIGNER) if entry.kind == "outcome" for body in bodies.values()
    ]
    for mutated in mutations(orjson.loads(log[0])):
        with pytest.raises(BodyFormatError, match="FW1850"):
            read_outcomes(canonical(mutated))
        if not has_newline(mutated):
            assert not OUTCOMES.is_valid(mutated), mutated
