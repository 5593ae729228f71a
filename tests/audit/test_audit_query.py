"""Finding entries, points in time, completeness, evidence, and verification from a remembered checkpoint."""

from __future__ import annotations

import base64
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import audit_fleet as fleet
import orjson
import pytest
from audit_helpers import (
    ORIGIN,
    SIGNER,
    UNHURRIED,
    KeySigner,
    a_run,
    accepted,
    drift,
    fill,
    intent,
    open_log,
    outcome,
    trust,
)
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.audit import codes, fields
from reconciler.audit.bodies import bodies_of, objects_of
from reconciler.audit.checkpoint import Checkpoint, sign_checkpoint
from reconciler.audit.codes import (
    BodyError,
    BodyFormatError,
    LogBehindError,
    LogDamagedError,
    LogForkedError,
    LogFormatError,
    LogSignatureError,
    NotLoggedError,
    ProofError,
    QueryError,
)
from reconciler.audit.completeness import Completeness, completeness
from reconciler.audit.entry import Entry, Outcome, OutcomeResult, digest_of, encode, outcomes_body, stamp
from reconciler.audit.evidence import check, gather, intent_of, latest_outcome
from reconciler.audit.log import Log
from reconciler.audit.merkle import EMPTY_ROOT, leaf_hash, root_of
from reconciler.audit.moments import parse_moment
from reconciler.audit.note import VerifierKey
from reconciler.audit.outcomes import read_outcomes
from reconciler.audit.proof import Proof, format_proof
from reconciler.audit.query import Query, names_object, select
from reconciler.audit.since import verify_since
from reconciler.audit.store import body_path
from reconciler.audit.store_directory import DirectoryStore
from reconciler.audit.tiles import bundle_path, encode_bundle, tile_path
from reconciler.model import ObjectOutcome, ObjectRef, ObjectResult

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    root = tmp_path_factory.mktemp("fleet") / "log"
    return fleet.fill(fleet.open_log(root, SIGNER), SIGNER)


def found(log: Log, **filters: object) -> list[int]:
    return [index for index, _ in select(log, Query(**filters))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, list(range(11))),
        ({"cluster": "member-b"}, [4, 5, 8]),
        ({"cluster": "member"}, []),
        ({"kinds": frozenset({"intent", "drift"})}, [2, 4, 6, 9]),
        ({"object": "Role.rbac.authorization.k8s.io shop/reader"}, [2, 3, 4, 5, 6]),
        ({"object": "role shop/reader"}, [2, 3, 4, 5, 6]),
        ({"object": "settings"}, [2, 3, 4, 5, 9]),
        ({"object": "ConfigMap shop/settings", "cluster": "member-b"}, [4, 5]),
        ({"object": "web/settings"}, []),
        ({"object": "Role settings"}, []),
        ({"person": "alice"}, [1]),
        ({"person": "bob"}, [1]),
        ({"person": "ann"}, [0]),
        ({"person": "ann@laptop"}, [0]),
        ({"person": "ci"}, list(range(1, 11))),
        ({"commit": fleet.HEAD}, [1, 2, 3, 4, 5, 6, 8, 9, 10]),
        ({"commit": "c2c2"}, [1]),  # inside the accepted range
        ({"commit": "d4d4d4"}, [7]),
        ({"since": fleet.START + timedelta(hours=8)}, [8, 9, 10]),
        ({"until": fleet.START + timedelta(hours=2)}, [0, 1]),
        ({"since": fleet.START + timedelta(hours=3), "until": fleet.START + timedelta(hours=6)}, [3, 4, 5]),
    ],
)
def test_filters(log: Log, filters: dict[str, object], expected: list[int]) -> None:
    assert found(log, **filters) == expected
    query = Query(**filters)  # type: ignore[arg-type]
    backwards = [index for index, _ in select(log, query, newest_first=True)]
    assert backwards == expected[::-1]
    assert [index for index, _ in select(log, query, limit=2)] == expected[-2:]
    assert [index for index, _ in select(log, query, limit=2, newest_first=True)] == expected[::-1][:2]


@pytest.mark.parametrize(
    "bad", [{"commit": "xyz"}, {"commit": "abc"}, {"kinds": frozenset({"x"})}, {"cluster": "a\nb"},
            {"person": "\ud800"}]
)  # fmt: skip
def test_filters_that_cannot_be_used(bad: dict[str, object]) -> None:
    with pytest.raises(QueryError, match="FW1851"):
        Query(**bad)  # type: ignore[arg-type]


def test_the_newest_are_found_without_the_rest(tmp_path: Path) -> None:
    written = open_log(tmp_path)
    fill(written, 600)
    (tmp_path / "tile/entries/000").unlink()
    assert [index for index, _ in select(open_log(tmp_path), Query(kinds=frozenset({"drift"})), limit=2)] == [
        594,
        599,
    ]
    with pytest.raises(LogDamagedError):
        list(select(open_log(tmp_path), Query()))


def test_a_body_that_is_gone_is_no_empty_answer(tmp_path: Path) -> None:
    written = fleet.fill(fleet.open_log(tmp_path, SIGNER), SIGNER)
    digest = written.entry(3).body_digests()[0]
    path = tmp_path / "bodies/sha256" / digest[7:9] / digest[9:]
    path.unlink()
    with pytest.raises(BodyError):
        found(written, object="reader")
    [shown] = bodies_of(written, written.entry(3))
    assert (shown.content, "FW1809" in shown.problem) == (None, True)


def test_bodies_are_decoded(log: Log) -> None:
    [change_set] = bodies_of(log, log.entry(2))
    assert change_set.content["predicate"]["cluster"]["name"] == "member-a"
    assert objects_of(log.body(change_set.digest)) == (fleet.ROLE, fleet.SETTINGS)
    [objects] = bodies_of(log, log.entry(3))
    assert [row["auditId"] for row in objects.content] == ["audit-0", "audit-1"]
    [commits] = bodies_of(log, log.entry(1))
    assert commits.content[0]["approvals"][0]["name"] == "bob"
    assert not any(body.problem for body in (change_set, objects, commits))
    assert list(bodies_of(log, log.entry(6))) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text('a\u20ac"\n', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
)


STATEMENT = orjson.loads(base64.b64decode(orjson.loads(fleet.change_set("a", 1, "", SIGNER))["payload"]))


def enveloped(statement: object) -> bytes:
    return orjson.dumps({"payload": base64.b64encode(orjson.dumps(statement)).decode()})


@UNHURRIED
@given(json_values)
@example("")
def test_change_sets_of_any_form(value: object) -> None:
    predicate = STATEMENT["predicate"]
    for statement in (
        value,
        STATEMENT | {"predicate": value},
        STATEMENT | {"predicate": predicate | {"changes": value}},
        STATEMENT | {"predicate": predicate | {"changes": [value, {"object": value}]}},
    ):
        if statement != STATEMENT | {"predicate": predicate | {"changes": []}}:
            with pytest.raises(BodyFormatError, match="FW1850"):
                objects_of(enveloped(statement))
    with pytest.raises(BodyFormatError, match="FW1850"):
        objects_of(orjson.dumps(value))


@UNHURRIED
@given(st.binary(max_size=80), json_values)
def test_bodies_of_any_bytes(data: bytes, value: object) -> None:
    whole = orjson.loads(outcomes_body([ObjectOutcome(fleet.ROLE, ObjectResult.CREATED)]))
    bad = [
        data,
        orjson.dumps(value),
        fields.canonical(whole | {"outcomes": [value]}),
        outcomes_body([]) + b" ",
    ]
    for body in [*bad, *(fields.canonical(whole | {name: value}) for name in ("schema", "more"))]:
        with pytest.raises(BodyFormatError, match="FW1850"):
            read_outcomes(body)
        with pytest.raises(BodyFormatError, match="FW1850"):
            objects_of(body)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("7d", NOW - timedelta(days=7)),
        ("1w2d3h4m5s", NOW - timedelta(days=9, hours=3, minutes=4, seconds=5)),
        ("2026-02-28", datetime(2026, 2, 28, tzinfo=UTC)),
        ("2026-02-28T01:00:00+02:00", datetime(2026, 2, 27, 23, tzinfo=UTC)),
        ("2026-02-28t01:00:00.25z", datetime(2026, 2, 28, 1, 0, 0, 250_000, UTC)),
    ],
)
def test_points_in_time(text: str, expected: datetime) -> None:
    assert parse_moment(text, NOW) == expected


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "7",
        "d",
        "7 d",
        "-7d",
        "7x",
        "999999999w",
        "2026-02-30",
        "2026-02-28T01:00:00",
        "2026-W01-1",
        "\u0661d",
    ],
)
def test_points_that_are_none(bad: str) -> None:
    with pytest.raises(QueryError, match="FW1851"):
        parse_moment(bad, NOW)


@UNHURRIED
@given(
    st.text(max_size=30) | st.from_regex(r"[0-9]{1,9}[smhdw]|[0-9]{4}-[0-9]{2}-[0-9]{2}T.*Z", fullmatch=True)
)
def test_any_text_is_a_point_in_time_or_an_error(text: str) -> None:
    with suppress(QueryError):
        assert parse_moment(text, NOW).tzinfo is UTC


def test_objects_are_named_as_people_type_them() -> None:
    name = str(ObjectRef("apps.example", "Thing", "", "one"))
    assert all(names_object(name, wanted) for wanted in ("one", "thing one", "Thing.apps.example one", name))
    assert not any(names_object(name, wanted) for wanted in ("", "two", "things one", "x/one", "Thing"))


# Completeness


def test_completeness_counts_what_is_not_told(log: Log) -> None:
    assert completeness(log) == Completeness(writes=4, complete=3)
    assert log.verify().completeness == Completeness(4, 3)
    assert completeness(log, 4) == log.verify(4).completeness == Completeness(2, 1)
    assert log.verify(3).completeness == Completeness(4, 3)  # the intent of 3 lies before


def _rows(*audit_ids: str, result: ObjectResult = ObjectResult.CREATED) -> tuple[Entry, dict[str, bytes]]:
    rows = [
        ObjectOutcome(ObjectRef("", "X", "", str(n)), result, audit_id=a) for n, a in enumerate(audit_ids)
    ]
    return Outcome.of(actor="ci", cluster="a", intent=1, result=OutcomeResult.APPLIED, outcomes=rows)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (_rows("x", "y"), (2, 2)),
        (_rows("x", ""), (2, 1)),
        (_rows("x", "y", result=ObjectResult.UNCHANGED), (0, 0)),
        (_rows("x", result=ObjectResult.FAILED), (0, 0)),
        ((outcome("a", 1), {}), (5, 0)),  # only the member's record proves them
        ((outcome("a", 1, OutcomeResult.INTERRUPTED), {}), (5, 0)),
        ((outcome("a", 1, OutcomeResult.FAILED), {}), (0, 0)),
        ((outcome("a", 1, OutcomeResult.ABANDONED), {}), (0, 0)),
        (None, (5, 0)),
    ],
)
def test_completeness_of_one_change_set(
    tmp_path: Path, told: tuple[Entry, dict[str, bytes]] | None, expected: tuple[int, int]
) -> None:
    written = open_log(tmp_path)
    written.append([trust(), intent("a", 5, b"x")], {digest_of(b"x"): b"x"})  # five to create
    if told:
        written.append([told[0]], told[1])
    assert completeness(written) == written.verify().completeness == Completeness(*expected)


def test_a_body_of_another_form_is_a_finding(tmp_path: Path) -> None:
    written = open_log(tmp_path)
    body = b'{"outcomes":[],"schema":"other"}'
    entry, _ = _rows("x")
    written.append([trust(), intent("a", 5, b"x")], {digest_of(b"x"): b"x"})
    written.append([replace(entry, body=digest_of(body))], {digest_of(body): body})
    written.append([replace(accepted(2, 1), provenance=digest_of(body))])
    report = written.verify()
    assert [finding.code for finding in report.findings] == [codes.BODY_INVALID] * 2
    assert report.completeness == Completeness(1, 0)


# Evidence


@pytest.mark.parametrize("index", range(11))
def test_evidence_is_checked_with_the_key_alone(log: Log, index: int) -> None:
    evidence = gather(log, index)
    proven = check(evidence.proof, evidence.entry, [evidence.key])
    assert (proven.index, proven.entry) == (index, log.entry(index))
    assert (proven.checkpoint.size, proven.checkpoint.root) == (11, log.root)


def test_evidence_of_something_else_is_refused(log: Log) -> None:
    evidence = gather(log, 3)
    with pytest.raises(ProofError, match="FW1812"):
        check(evidence.proof, log.raw(4), [evidence.key])
    with pytest.raises(ProofError, match="FW1812"):
        check(evidence.proof.replace(b"index 3", b"index 2"), evidence.entry, [evidence.key])
    with pytest.raises(LogSignatureError, match="FW1801"):
        check(evidence.proof, evidence.entry, [VerifierKey(fleet.ORIGIN, KeySigner(b"o" * 32).public_key)])
    with pytest.raises(LogSignatureError, match="FW1801"):
        check(evidence.proof, evidence.entry, [VerifierKey("other", SIGNER.public_key)])
    with pytest.raises(LogSignatureError):
        check(evidence.proof, evidence.entry, [])
    with pytest.raises(LogFormatError):
        check(b"", evidence.entry, [evidence.key])


def test_an_entry_of_a_newer_version_is_proven_all_the_same(log: Log) -> None:
    newer = b'{"kind":"from-the-future"}'
    head = sign_checkpoint(Checkpoint(ORIGIN, 1, leaf_hash(newer)), SIGNER)
    proven = check(format_proof(Proof(0, (), head)), newer, [VerifierKey(ORIGIN, SIGNER.public_key)])
    assert (proven.index, proven.entry) == (0, None)


def test_what_can_be_proven_by_name(log: Log) -> None:
    assert (latest_outcome(log, "member-a"), latest_outcome(log, "member-b")) == (10, 5)
    assert intent_of(log, log.entry(4).body_digests()[0]) == 4
    for missing in (
        lambda: latest_outcome(log, "member-c"),
        lambda: intent_of(log, "sha256:" + "0" * 64),
        lambda: intent_of(log, "\ud800"),
        lambda: gather(log, 11),
        lambda: gather(log, -1),
    ):
        with pytest.raises(NotLoggedError, match="FW1852"):
            missing()


# From a remembered checkpoint


def grown(root: Path, *sizes: int) -> list[bytes]:
    """The checkpoints that a log had at these sizes."""
    written, heads = open_log(root), []
    for size in sizes:
        fill(written, size)
        heads.append(written.checkpoint)
    return heads


@pytest.mark.parametrize("old", [1, 7, 255, 256, 257, 511, 600])
def test_only_what_came_after_is_read(tmp_path: Path, old: int) -> None:
    remembered, _ = grown(tmp_path, old, 600)
    for n in range(old // 256):  # what was verified then is not needed now
        (tmp_path / f"tile/entries/{n:03}").unlink()
    report = verify_since(open_log(tmp_path), remembered)
    assert (report.findings, report.start, report.entries, report.size) == ((), old, 600 - old, 600)


def test_a_remembered_empty_log(tmp_path: Path) -> None:
    written = open_log(tmp_path)
    fill(written, 5)
    empty = sign_checkpoint(Checkpoint(ORIGIN, 0, EMPTY_ROOT), SIGNER)
    assert verify_since(written, empty).entries == 5


def test_a_shorter_log_and_a_forked_one(tmp_path: Path) -> None:
    _, remembered = grown(tmp_path / "a", 100, 400)
    grown(tmp_path / "short", 300)
    with pytest.raises(LogBehindError, match="FW1810"):
        verify_since(open_log(tmp_path / "short"), remembered)
    other = open_log(tmp_path / "other", clock=lambda: NOW)
    fill(other, 500)
    with pytest.raises(LogForkedError, match="FW1811"):
        verify_since(other, remembered)


def test_a_remembered_checkpoint_has_to_be_signed(tmp_path: Path) -> None:
    (remembered,) = grown(tmp_path, 5)
    written = open_log(tmp_path)
    with pytest.raises(LogSignatureError):
        verify_since(written, remembered.replace(b"\n5\n", b"\n4\n"))
    with pytest.raises(LogFormatError):
        verify_since(written, b"")


def test_damage_after_the_checkpoint_is_found(tmp_path: Path) -> None:
    remembered, _ = grown(tmp_path, 270, 600)
    path = tmp_path / "tile/entries/001"
    data = bytearray(path.read_bytes())
    data[data.find(b"shop/", len(data) // 2)] ^= 1
    path.write_bytes(data)
    report = verify_since(open_log(tmp_path), remembered)
    assert codes.BUNDLE_DAMAGED in {finding.code for finding in report.findings}
    digest = next(d for _, e in islice(open_log(tmp_path).entries(512), 20) for d in e.body_digests())
    (tmp_path / "bodies/sha256" / digest[7:9] / digest[9:]).unlink()
    found_codes = {finding.code for finding in verify_since(open_log(tmp_path), remembered).findings}
    assert found_codes == {codes.BUNDLE_DAMAGED, codes.BODY_DAMAGED}


def published(root: Path, *entries: Entry) -> None:
    """What ``Log.append`` would refuse, published by a writer with our key and other rules."""
    log = open_log(root)
    rows = [log.raw(index) for index in range(log.size)] + [encode(stamp(entry, NOW)) for entry in entries]
    leaves = [leaf_hash(row) for row in rows]
    files = {bundle_path(0, len(rows)): encode_bundle(rows), tile_path(0, 0, len(rows)): b"".join(leaves)}
    files |= {body_path(digest_of(body)): body for body in (b"x", b"y")}
    head = sign_checkpoint(Checkpoint(ORIGIN, len(rows), root_of(leaves)), SIGNER)
    DirectoryStore(root).publish(log.checkpoint, head, files, ())


@pytest.mark.parametrize(
    ("late", "reason"),
    [
        ([outcome("member-a", 2)], "closed"),
        ([outcome("member-a", 7), outcome("member-a", 7)], "not open"),
        ([outcome("member-b", 7)], "not open"),
        ([outcome("member-a", 6)], "not open"),
        ([accepted(9, 8), accepted(10, 8)], "accepted last is"),
        ([accepted(9, 8), replace(accepted(10, 9), ref="refs/heads/x")], "pinned ref"),
        ([replace(accepted(9, 8), root_version=3), replace(accepted(10, 9), root_version=2)], "is older"),
        ([intent("z", 4, b"x"), intent("z", 4, b"y")], "not above 4"),
        ([outcome("member-a", 7), intent("member-a", 2, b"x")], "not above 2"),
    ],
)
def test_what_does_not_follow_after_the_checkpoint(tmp_path: Path, late: list[Entry], reason: str) -> None:
    written = open_log(tmp_path)
    fill(written, 8)  # ends with an open intent at 7, sequence 2
    remembered = written.checkpoint
    published(tmp_path, *late)
    whole = open_log(tmp_path).verify().findings
    since = verify_since(open_log(tmp_path), remembered).findings
    if reason == "closed":  # before the checkpoint: only the whole log knows
        assert "not open" in whole[0].message and since == ()
        return
    assert reason in since[-1].message and reason in whole[-1].message
    assert {finding.code for finding in since} == {codes.ENTRY_OUT_OF_ORDER}


def test_a_window_of_a_fleets_life_follows(tmp_path: Path) -> None:
    written = open_log(tmp_path)
    heads = []
    for entry, bodies in islice(a_run(), 40):
        written.append([entry], bodies)
        heads.append(written.checkpoint)
    assert all(verify_since(written, head).findings == () for head in heads)
    written.append([drift()])
    assert verify_since(written, heads[-1]).entries == 1
