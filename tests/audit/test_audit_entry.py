"""Entries: exact bytes, bounds, agreement with the JSON Schema, and bad input."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import jsonschema_rs
import orjson
import pytest
from audit_helpers import (
    ORIGIN,
    SIGNER,
    UNHURRIED,
    KeySigner,
    a_run,
    commit,
    drift,
    issued,
    memberships,
    refused_member,
    renewed,
    trust,
)
from hypothesis import given
from hypothesis import strategies as st

from reconciler.audit.codes import EntryError
from reconciler.audit.entry import (
    KINDS,
    CommitRefused,
    Drift,
    Outcome,
    OutcomeResult,
    RotationReason,
    decode,
    digest_of,
    encode,
    stamp,
    to_json,
)
from reconciler.audit.fields import canonical, clip, json_size, write_time
from reconciler.audit.note import VerifierKey
from reconciler.audit.rotation import rotated
from reconciler.model import Finding, ObjectOutcome, ObjectRef, ObjectResult, SourceRef
from reconciler.product import product_root

NOW = datetime(2026, 3, 4, 5, 6, 7, 89_999, UTC)
SCHEMA = json.loads((product_root() / "schemas/log/entry-v1.json").read_text())
VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA)
ROTATED = rotated(
    ORIGIN, str(VerifierKey(ORIGIN, SIGNER.public_key)), KeySigner(b"n" * 32), actor="ann",
    reason=RotationReason.ROTATION, index=7, root=bytes(32), old_signer=SIGNER,
)  # fmt: skip
SAMPLES = [stamp(entry, NOW) for (entry, _), _ in zip(a_run(), range(6), strict=False)]
SAMPLES += [stamp(one, NOW) for one in (ROTATED, refused_member(), renewed(), issued(), *memberships())]


def test_samples_have_every_kind_and_the_schema_knows_them():
    assert {entry.kind for entry in SAMPLES} == set(KINDS)
    assert {branch["$ref"].rsplit("/", 1)[1] for branch in SCHEMA["oneOf"]} == set(KINDS)


@pytest.mark.parametrize("entry", SAMPLES, ids=lambda entry: entry.kind)
def test_round_trip_in_canonical_bytes_by_the_schema(entry):
    data = encode(entry)
    assert decode(data) == entry
    assert (
        data
        == json.dumps(json.loads(data), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    )
    assert b'"time":"2026-03-04T05:06:07.089Z"' in data
    VALIDATOR.validate(json.loads(data))


junk = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.floats(), st.text(max_size=5), st.just([]), st.just({})
)


@UNHURRIED
@given(st.sampled_from(SAMPLES), st.data())
def test_no_mutation_passes_us_that_the_schema_refuses(entry, data):
    value = to_json(entry)
    where = data.draw(st.sampled_from([value, *[v for v in value.values() if isinstance(v, dict)]]))
    key = data.draw(st.sampled_from(sorted(where)) | st.text(max_size=4))
    if data.draw(st.booleans()):
        where[key] = data.draw(junk)
    else:
        where.pop(key, None)
    try:
        raw = canonical(value)
        found = decode(raw)
    except (EntryError, ValueError):
        return
    assert encode(found) == raw
    VALIDATOR.validate(orjson.loads(raw))


@UNHURRIED
@given(st.binary(max_size=200))
def test_decoding_raises_nothing_else(data: bytes):
    with pytest.raises(EntryError):
        decode(data)


def _text(**changes: object) -> bytes:
    return canonical({**to_json(SAMPLES[4]), **changes})


BAD_FIELDS: list[dict[str, object]] = [
    {"kind": "new-kind"},
    {"kind": []},
    {"time": "2026-03-04T05:06:07Z"},
    {"time": "2026-02-30T05:06:07.000Z"},
    {"time": "2026-03-04T05:06:60.000Z"},
    {"time": None},
    {"count": True},
    {"count": -1},
    {"count": 1.0},
    {"count": 1 << 53},
    {"commit": "HEAD"},
    {"commit": "A" * 40},
    {"cluster": ""},
    {"cluster": "a\nb"},
    {"cluster": "\x1b[31m"},
    {"cluster": "é" * 129},
    {"objects": ["x"] * 51},
    {"objects": "x"},
    {"extra": 1},
]
TWICE = encode(SAMPLES[0]).replace(b'"actor"', b'"actor":"x","actor"', 1)
BAD_BYTES = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"[" * 3000,
    b'{"schema":"x"}',
    b"\xff",
    encode(SAMPLES[0]) + b" ",
    TWICE,
]


@pytest.mark.parametrize("data", [*BAD_BYTES, *[_text(**fields) for fields in BAD_FIELDS]])
def test_bad_entries(data: bytes):
    with pytest.raises(EntryError):
        decode(data)


def test_what_cannot_be_written_says_the_field():
    for bad in (
        replace(drift(), time=NOW, cluster=""),
        replace(drift(), time=NOW, count=-1),
        replace(drift(), time=NOW, cluster="\ud800"),
        drift(),
        replace(trust(), time=datetime(2026, 1, 1)),  # noqa: DTZ001
    ):
        with pytest.raises(EntryError, match=r"cluster|count|time"):
            encode(bad)


def test_times_are_utc_with_milliseconds():
    berlin = timezone(timedelta(hours=2))
    assert write_time(datetime(2026, 1, 1, 1, 0, 0, 999_999, berlin)) == "2025-12-31T23:00:00.999Z"
    assert stamp(replace(drift(), time=datetime(2020, 1, 1, tzinfo=UTC)), NOW).time.year == 2020


NASTY = Finding(
    "FW1203", 'quote " back \\ \x00\x1b[31m\n\ud800' * 400, SourceRef("a/b.yaml", 3), subject="é" * 600
)


def test_the_largest_entries_stay_below_64_kib():
    findings = [NASTY] * 5000
    entry = CommitRefused.of(actor="ci", commit=commit(1), previous="", findings=findings)
    assert (len(entry.findings), entry.count) == (50, 5000)
    assert 50_000 < len(encode(stamp(entry, NOW))) < 65_536
    bad = ObjectOutcome(
        ObjectRef("g" * 253, "K" * 63, "n" * 253, "m" * 253), ObjectResult.FAILED, error=NASTY.message
    )
    entry, bodies = Outcome.of(
        actor="ci", cluster="a", intent=3, result=OutcomeResult.FAILED, outcomes=[bad] * 900
    )
    assert len(encode(stamp(entry, NOW))) < 65_536
    assert (entry.counts.failed, len(entry.failures), list(bodies)) == (900, 50, [entry.body])
    refs = [bad.ref] * 70
    assert len(encode(stamp(Drift.of(actor="ci", cluster="a", commit=commit(1), objects=refs), NOW))) < 65_536


def test_the_outcome_body_has_every_object_with_its_audit_id():
    ref = ObjectRef("", "ConfigMap", "shop", "x")
    outcomes = [ObjectOutcome(ref, ObjectResult.CREATED, uid="u", audit_id="a1", digest="sha256:0")]
    entry, bodies = Outcome.of(
        actor="ci", cluster="a", intent=3, result=OutcomeResult.APPLIED, outcomes=outcomes
    )
    [row] = json.loads(bodies[entry.body])["outcomes"]
    assert (row["object"], row["result"], row["uid"]) == ("ConfigMap shop/x", "created", "u")
    assert (row["auditId"], row["digest"], row["error"]) == ("a1", "sha256:0", "")
    assert entry.body == digest_of(bodies[entry.body])
    assert (entry.counts.created, entry.failures) == (1, ())
    none, nothing = Outcome.of(actor="ci", cluster="a", intent=3, result=OutcomeResult.INTERRUPTED)
    assert (none.body, nothing) == ("", {})


@UNHURRIED
@given(st.text(max_size=300), st.integers(8, 200))
def test_clipped_text_is_printable_and_bounded(text: str, limit: int):
    clipped = clip(text, limit)
    assert clipped.isprintable()
    assert json_size(clipped) <= limit
    if text.isprintable() and len(text) <= limit and json_size(text) <= limit:
        assert clipped == text
