"""The log in other people's formats: every kind in every format, held against OCSF's own schema."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from audit_helpers import (
    accepted,
    commit,
    damaged_copy,
    drift,
    fill,
    intent,
    issued,
    memberships,
    open_log,
    outcome,
    refused,
    refused_member,
    renewed,
    trust,
)
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from reconciler.audit.entry import (
    KINDS,
    Entry,
    KeyRotated,
    Outcome,
    OutcomeResult,
    RotationReason,
    TrustInitialized,
    digest_of,
    stamp,
)
from reconciler.audit.export import csvrows, ocsf
from reconciler.audit.export.formats import FORMATS, export
from reconciler.audit.export.rows import Row
from reconciler.audit.log import Log
from reconciler.audit.merkle import leaf_hash
from reconciler.errors import AuditError
from reconciler.model import ObjectOutcome, ObjectRef, ObjectResult
from reconciler.trust.changeset import Change, ChangeAction, ChangeSet, sign_change_set
from reconciler.trust.keys import ReconcilerKey

# 1.3.0 is the version that is claimed; who reads it with the newest schema must not stumble either.
VERSIONS = ["1.3.0", "1.8.0"]
NAMES = {6003: "api_activity", 3004: "entity_management", 2003: "compliance_finding"}
SETTINGS, VIEWER, OLD = (
    ObjectRef("", "ConfigMap", "shop", "=settings"),
    ObjectRef("rbac.authorization.k8s.io", "ClusterRole", "", "viewer"),
    ObjectRef("", "ConfigMap", "shop", "old"),
)
BROKEN = ObjectRef("", "ConfigMap", "shop", "broken")
OBJECTS = (
    ObjectOutcome(SETTINGS, ObjectResult.CREATED, "uid-1", "7", "sha256:" + "1" * 64, "audit-1"),
    ObjectOutcome(VIEWER, ObjectResult.UPDATED, "uid-2", "8", "sha256:" + "2" * 64, "audit-2"),
    ObjectOutcome(OLD, ObjectResult.DELETED, "uid-3", audit_id="audit-3"),
    ObjectOutcome(BROKEN, ObjectResult.FAILED, audit_id="audit-4", error="FW1712: it said no"),
)


def change_set() -> bytes:
    """The envelope that the objects follow from."""
    actions = (ChangeAction.CREATE, ChangeAction.UPDATE, ChangeAction.DELETE, ChangeAction.CREATE)
    old, new = "sha256:" + "0" * 64, "sha256:" + "1" * 64
    changes = tuple(
        Change(
            x.ref, action, "" if action is ChangeAction.CREATE else old,
            "" if action is ChangeAction.DELETE else new, "",
        )
        for x, action in zip(OBJECTS, actions, strict=True)
    )  # fmt: skip
    made = ChangeSet(
        "member-a", "uid-member-a", "https://forge.example/fleet.git", "refs/heads/main", commit(2),
        commit(3), old, 12, True, 1, "", "2026-01-01T00:00:00Z", old, old, changes,
    )  # fmt: skip
    return sign_change_set(made, ReconcilerKey.from_seed(bytes(32))).envelope


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """Entries 0 to 8: everything that a reconciler writes, with real bodies."""
    log = open_log(tmp_path / "log")
    envelope = change_set()
    log.append([trust(), accepted(2, 1)])
    log.append([intent("member-a", 1, envelope, 2)], {digest_of(envelope): envelope})
    entry, bodies = Outcome.of(
        actor="ci@host-1", cluster="member-a", intent=2, result=OutcomeResult.FAILED, outcomes=OBJECTS,
        error="1 of 4 objects failed",
    )  # fmt: skip
    log.append([entry], bodies)
    log.append([drift(), refused(9, 2), refused_member()])
    other = b"change set of another"
    log.append([intent("member-b", 1, other, 2)], {digest_of(other): other})
    log.append([outcome("member-b", 7, OutcomeResult.INTERRUPTED, "the run ended")])
    return log


def rotation(reason: RotationReason) -> KeyRotated:
    key = "fleet.example/log+00000000+AAAA"
    return KeyRotated(
        actor="ci", old_key=key, new_key=key, reason=reason, root="0" * 64, signatures=("— a b",)
    )


def one_of_each(log: Log) -> dict[str, Row]:
    """A row of every kind that there is."""
    found = {entry.kind: Row(log.origin, index, bytes(32), entry) for index, entry in log.entries()}
    time = log.entry(0).time
    assert time
    rare = (rotation(RotationReason.COMPROMISE), renewed(), issued(), *memberships())
    return found | {one.kind: Row(log.origin, 9, bytes(32), stamp(one, time)) for one in rare}


@cache
def validator(version: str, class_uid: int) -> Draft202012Validator:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=version))
    return Draft202012Validator(schema.get_class_schema(class_name=NAMES[class_uid], profiles=[]))


def assert_ocsf(event: dict[str, Any]) -> None:
    """The event passes OCSF's own schema, closed objects and constraints included."""
    for version in VERSIONS:
        problems = list(validator(version, event["class_uid"]).iter_errors(event))
        assert not problems, (version, event["metadata"]["event_code"], problems[0].message)
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    assert event["category_uid"] == event["class_uid"] // 1000


def ocsf_events(log: Log) -> list[dict[str, Any]]:
    return [json.loads(line) for line in export(log, "ocsf")]


def csv_rows(log: Log) -> list[dict[str, str]]:
    text = b"".join(export(log, "csv")).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_every_kind_of_entry_has_its_mapping_in_every_format(log: Log) -> None:
    rows = one_of_each(log)
    assert rows.keys() == KINDS.keys(), "write an entry of the new kind here, and its mappings"
    assert ocsf.EVENTS.keys() == KINDS.keys()
    assert csvrows.CELLS.keys() == KINDS.keys()
    for kind, row in rows.items():
        (event, *_) = ocsf.events(row)
        assert event["metadata"]["event_code"] == kind
        assert event["unmapped"]["entry"]["kind"] == kind
        for name, lines in FORMATS.items():
            assert kind.encode() in b"".join(lines(iter([row]))), (name, kind)


def test_every_event_passes_the_schema_of_ocsf(log: Log) -> None:
    events = [*ocsf_events(log), *(event for row in one_of_each(log).values() for event in ocsf.events(row))]
    for event in events:
        assert_ocsf(event)
    assert {event["class_uid"] for event in events} == set(NAMES)


def test_the_schema_check_itself_notices_what_is_wrong(log: Log) -> None:
    event = ocsf_events(log)[2]
    for broken in (
        event | {"colour": "red"},
        {k: v for k, v in event.items() if k != "src_endpoint"},
        event | {"severity_id": 42},
        event | {"actor": {}},
        event | {"time": "2026-01-01"},
    ):
        with pytest.raises(AssertionError):
            assert_ocsf(broken)


def test_each_entry_is_in_ocsf_once_and_each_object_below_it(log: Log) -> None:
    uids = [event["metadata"]["uid"] for event in ocsf_events(log)]
    assert len(uids) == len(set(uids))
    whole = [f"{log.origin}#{index}" for index in range(log.size)]
    assert [uid for uid in uids if "." not in uid.rpartition("#")[2]] == whole
    assert [uid for uid in uids if uid not in whole] == [f"{log.origin}#3.{n}" for n in (1, 2, 3, 4)]


def test_an_object_says_what_was_done_with_which_audit_id(log: Log) -> None:
    events = {event["metadata"]["uid"].rpartition("#")[2]: event for event in ocsf_events(log)}
    created, updated, deleted, failed = (events[f"3.{n}"] for n in (1, 2, 3, 4))
    assert [e["activity_id"] for e in (created, updated, deleted, failed)] == [1, 3, 4, 1]
    assert [e["api"]["request"]["uid"] for e in (created, failed)] == ["audit-1", "audit-4"]
    assert [e["api"]["operation"] for e in (created, deleted)] == ["patch", "delete"]
    assert [e["status_id"] for e in (created, failed)] == [1, 2]
    assert failed["api"]["response"]["error"] == "FW1712"
    assert failed["severity_id"] == 4
    (resource,) = updated["resources"]
    assert (resource["name"], resource["type"], resource["uid"]) == (
        "viewer", "ClusterRole.rbac.authorization.k8s.io", "uid-2",
    )  # fmt: skip
    assert updated["src_endpoint"] == {"name": "host-1"}
    assert updated["dst_endpoint"] == {"svc_name": "member-a"}
    assert {e["metadata"]["correlation_uid"] for e in (created, failed, events["3"])} == {f"{log.origin}#2"}
    assert (events["3"]["status_id"], events["8"]["status_id"]) == (2, 2)
    assert created["time"] == int(log.entry(3).time.timestamp() * 1000)  # type: ignore[union-attr]


def test_what_was_refused_or_drifted_is_a_finding(log: Log) -> None:
    events = {event["metadata"]["uid"].rpartition("#")[2]: event for event in ocsf_events(log)}
    drifted, commit_refused, member_refused = events["4"], events["5"], events["6"]
    assert [r["name"] for r in drifted["resources"]] == ["Role.rbac.authorization.k8s.io shop/1-0"]
    assert drifted["compliance"] == {
        "standards": ["fleetward desired state"], "status_id": 3, "status": "Fail", "control": "drift",
    }  # fmt: skip
    assert commit_refused["status_id"] == 2
    assert commit_refused["status_detail"] == "FW1203: unsigned commit"
    assert member_refused["compliance"]["control"] == "FW1601"
    assert member_refused["resources"][0]["uid"] == "uid-member-a"


@pytest.mark.parametrize("reason", RotationReason)
def test_a_stolen_key_is_told_from_a_rotation_in_its_time(log: Log, reason: RotationReason) -> None:
    time = log.entry(0).time
    assert time
    (event,) = ocsf.events(Row("o", 1, bytes(32), stamp(rotation(reason), time)))
    assert_ocsf(event)
    assert event["severity"] == {"compromise": "Critical", "loss": "High", "rotation": "Medium"}[reason.value]


def test_json_lines_are_the_entries_that_the_leaf_hashes_are_of(log: Log) -> None:
    lines = list(export(log, "jsonl"))
    assert len(lines) == log.size
    for index, line in enumerate(lines):
        value = json.loads(line)
        raw = line.partition(b'"entry":')[2].removesuffix(b"}\n")
        assert raw == log.raw(index)
        assert value["index"] == index
        # RFC 6962, computed here and not by our code.
        assert value["leafHash"] == sha256(b"\0" + raw).hexdigest() == leaf_hash(raw).hex()


def test_csv_has_a_row_an_entry_and_one_an_object(log: Log) -> None:
    rows = csv_rows(log)
    assert tuple(rows[0]) == csvrows.HEADER
    entries = [row for row in rows if row["kind"] != csvrows.OBJECT]
    assert [(int(row["index"]), row["kind"]) for row in entries] == [
        (index, entry.kind) for index, entry in log.entries()
    ]
    objects = [row for row in rows if row["kind"] == csvrows.OBJECT]
    assert [(row["subject"], row["result"], row["audit_id"]) for row in objects] == [
        (str(x.ref), x.result.value, x.audit_id) for x in OBJECTS
    ]
    assert {row["index"] for row in objects} == {"3"}
    assert entries[3]["message"] == "intent 2: 1 of 4 objects failed"
    assert entries[0]["time"] == "2026-01-01T00:00:00.000Z"


def test_a_cell_that_a_spreadsheet_would_compute_is_made_harmless(log: Log) -> None:
    evil = TrustInitialized(
        actor='=cmd|"/c calc"!A1', commit=commit(1), repository="@SUM(A1)", ref="-2+3", public_key="+k",
        time=log.entry(0).time,
    )  # fmt: skip
    out = b"".join(FORMATS["csv"](iter([Row("o", 0, bytes(32), evil)])))
    (row,) = csv.DictReader(io.StringIO(out.decode(), newline=""))
    assert row["actor"] == '\'=cmd|"/c calc"!A1'
    assert row["subject"] == "'@SUM(A1)"
    assert row["message"] == "'-2+3, log key +k"


@given(st.text(max_size=40))
def test_no_text_makes_a_formula_or_breaks_a_row(text: str) -> None:
    cell = csvrows.harmless(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    line = csvrows._line([text, 7]).decode("utf-8", "surrogatepass")
    assert line.endswith("\r\n")
    assert next(csv.reader(io.StringIO(line, newline=""))) == [cell, "7"]


@pytest.mark.parametrize("name", FORMATS)
def test_an_export_of_a_time_has_what_is_in_it_and_nothing_else(log: Log, name: str) -> None:
    since, until = log.entry(3).time, log.entry(5).time
    assert since
    assert until
    part = b"".join(export(log, name, since=since, until=until))
    for index, entry in log.entries():
        (leaf,) = {leaf_hash(log.raw(index)).hex().encode()}
        assert (leaf in part) == (since <= entry.time < until), entry  # type: ignore[operator]
    assert b"".join(export(log, name, until=since - timedelta(days=1))).count(b"\n") == (name == "csv")


@pytest.mark.parametrize("name", FORMATS)
def test_an_altered_log_ends_the_export_with_an_error(tmp_path: Path, log: Log, name: str) -> None:
    path = "body" if name != "jsonl" else "tile/entries/000.p/9"
    damaged_copy(tmp_path / "log", tmp_path / "bad", path, "flipped middle")
    with pytest.raises(AuditError):  # in a body; or in the bundle, when the log is opened
        list(export(open_log(tmp_path / "bad"), name))


def test_the_memory_of_an_export_does_not_grow_with_the_log(tmp_path: Path) -> None:
    def peak(size: int) -> int:
        log = open_log(tmp_path / str(size))
        fill(log, size, batch=size)
        tracemalloc.start()
        try:
            lines = sum(1 for name in FORMATS for _ in export(log, name))
            assert lines >= 3 * size
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    small, large = peak(300), peak(2400)
    assert large < 1.5 * small + (1 << 20), f"{small} bytes for 300 entries, {large} for 2400"


def test_rows_are_made_one_by_one(log: Log) -> None:
    def endless() -> Iterator[Row]:
        entry: Entry = log.entry(0)
        index = 0
        while True:
            yield Row("o", index, bytes(32), entry)
            index += 1

    for lines in FORMATS.values():
        stream = lines(endless())
        assert all(next(stream) for _ in range(100))
