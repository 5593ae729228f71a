"""What ``doctor`` judges by itself: host files, programs, fields, versions; and the printed report."""

from __future__ import annotations

import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import SandboxError
from reconciler.member.diagnosis.results import Grade, MemberCheck, Result, failed, ok, skipped, warning
from reconciler.pipeline.examining import Examination, fleet_versions
from reconciler.pipeline.examining_fleet import Examined
from reconciler.pipeline.examining_host import (
    HostCheck,
    credentials_result,
    folder_result,
    git_result,
    key_result,
    opa_result,
)
from reconciler.pipeline.examining_log import space_result, witness_result
from reconciler.pipeline.managed_fields import contested_fields
from reconciler.surfaces.formats import examinations
from reconciler.trust import generate

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(["f:data", "f:a", 'k:{"name":"a"}', 'v:"x"', "i:0", ".", "k:[", "rubbish"])
FIELDS = st.recursive(st.just({}), lambda inner: st.dictionaries(NAMES, inner, max_size=4), max_leaves=12)


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that everybody gets into; pytest's own are closed."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_credentials_that_others_can_read(reachable: Path) -> None:
    (reachable / "deep").mkdir()
    path = reachable / "deep" / "a.token"
    path.write_text("secret")
    path.chmod(0o640)
    found = credentials_result(reachable)
    assert (found.grade, found.code) == (Grade.FAILED, "FW1736")
    assert "deep/a.token 0640" in found.found
    assert "secret" not in found.found
    reachable.chmod(0o700)
    hidden = credentials_result(reachable)
    assert (hidden.grade, "hidden" in hidden.found) == (Grade.OK, True)
    reachable.chmod(0o755)
    path.chmod(0o600)
    assert credentials_result(reachable).found == "1 files"
    assert credentials_result(reachable / "absent").grade is Grade.SKIPPED


@pytest.mark.parametrize(
    ("mode", "grade"),
    [(0o700, Grade.OK), (0o755, Grade.WARNING), (0o770, Grade.FAILED), (0o777, Grade.FAILED)],
)
def test_the_state_folder(tmp_path: Path, mode: int, grade: Grade) -> None:
    tmp_path.chmod(mode)
    assert folder_result(tmp_path).grade is grade
    tmp_path.chmod(0o700)


def test_the_key(tmp_path: Path) -> None:
    path = tmp_path / "reconciler.key"
    assert key_result(path, "").grade is Grade.WARNING
    assert key_result(path, "pkcs11:token=x").grade is Grade.SKIPPED
    generate(path)
    assert key_result(path, "").grade is Grade.OK
    path.chmod(0o604)
    assert key_result(path, "").code == "FW1221"
    path.chmod(0o600)
    path.write_text("rubbish")
    assert (key_result(path, "").code, "rubbish" in key_result(path, "").found) == ("FW1220", False)


def test_programs(tmp_path: Path) -> None:
    assert git_result().grade is Grade.OK

    def none() -> Path:
        raise SandboxError("opa is not on this machine", hint="put opa on PATH")

    assert opa_result(none, "v1.22.0").grade is Grade.WARNING
    program = tmp_path / "opa"
    for text, grade in (
        ("echo 'Version: 1.22.0'", Grade.OK),
        ("echo 'Version: 0.9.0'", Grade.WARNING),
        ("exit 1", Grade.FAILED),
    ):
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
        assert opa_result(lambda: program, "v1.22.0").grade is grade


def test_room_for_the_log(tmp_path: Path) -> None:
    assert space_result(tmp_path / "not" / "there").grade in (Grade.OK, Grade.WARNING)
    assert space_result(None).grade is Grade.SKIPPED
    full = Path("/proc")  # a file system without a free block
    assert space_result(full).grade is Grade.FAILED


def test_witnesses_without_a_log() -> None:
    from datetime import UTC, datetime

    assert witness_result(None, None, datetime(2026, 1, 1, tzinfo=UTC)).grade is Grade.SKIPPED


def entry(manager: str, fields: Any, operation: str = "Apply") -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "fieldsV1": fields}


def test_fields_that_are_shared_and_taken() -> None:
    applied = {"data": {"a": "1", "b": "2"}, "list": [{"name": "x", "port": 1}]}
    ours = {"f:data": {"f:a": {}}, "f:list": {'k:{"name":"x"}': {".": {}, "f:port": {}}}}
    theirs = {"f:data": {".": {}, "f:a": {}, "f:b": {}, "f:c": {}}, "f:status": {"f:x": {}}}
    live = {"metadata": {"managedFields": [entry("fleetward", ours), entry("kubectl", theirs, "Update")]}}
    found = [str(one) for one in contested_fields(applied, live)]
    assert found == [".data.a is shared with kubectl (Update)", ".data.b was taken by kubectl (Update)"]
    same_name = {"metadata": {"managedFields": [entry("fleetward", theirs, "Update")]}}
    assert [one.taken for one in contested_fields(applied, same_name)] == [True, True]


@given(JSON.filter(lambda value: isinstance(value, dict)), FIELDS, st.lists(JSON, max_size=3))
def test_any_managed_fields_are_read(applied: Any, fields: Any, rubbish: list[Any]) -> None:
    live = {"metadata": {"managedFields": [*rubbish, entry("x", fields)]}}
    for one in contested_fields(applied, live):
        assert one.taken


def test_members_whose_versions_are_far_apart() -> None:
    def versions(*given: str) -> Result:
        return fleet_versions([Examination(f"m{n}", (), version) for n, version in enumerate(given)])

    assert versions("v1.36.1", "v1.34.9").grade is Grade.OK
    far = versions("v1.36.1", "", "v1.33.0")
    assert (far.grade, far.hint) == (Grade.WARNING, "upgrade m2")
    assert versions("v1.36.1", "").grade is Grade.SKIPPED


REPORT = Examined(
    "c" * 40,
    (ok(HostCheck.GIT, "git", "2.39"),),
    (
        Examination("a", (ok(MemberCheck.PORT, "open", "open", "https://a"),), "v1.36.3"),
        Examination(
            "b",
            (
                failed(
                    MemberCheck.SAN, "the name b", "evil\x1b[2J", "mend it", code="FW1705", where="https://b"
                ),
                warning(MemberCheck.EXCESS, "less", "more", "take it away"),
                skipped(MemberCheck.CLOCK, "no answer"),
            ),
        ),
    ),
)


def test_the_report_is_short_and_says_what_to_do() -> None:
    assert examinations.text(REPORT) == (
        "this host: 1 ok\n"
        "a: 1 ok, v1.36.3\n"
        "b: 1 failed, 1 warning, 0 ok, 1 skipped\n"
        "  failed   tls.san  FW1705  https://b\n"
        "      expected: the name b\n"
        "      found: evil\\x1b[2J\n"
        "      fix: mend it\n"
        "  warning  rights.excess\n"
        "      expected: less\n"
        "      found: more\n"
        "      fix: take it away\n"
    )
    whole = examinations.text(REPORT, verbose=True)
    assert "  ok       port.open  https://a: open\n" in whole
    assert "  skipped  clock.skew: no answer\n" in whole
    assert not REPORT.ok
    assert Examined("", REPORT.host).ok


def test_the_report_as_json() -> None:
    value = examinations.as_dict(REPORT)
    assert [one["ok"] for one in value["clusters"]] == [True, False]
    assert value["clusters"][1]["results"][0] == {
        "check": "tls.san", "result": "failed", "code": "FW1705", "where": "https://b",
        "expected": "the name b", "found": "evil\x1b[2J", "hint": "mend it",
    }  # fmt: skip


@given(st.text(), st.text(), st.text())
def test_nothing_found_moves_a_cursor(found: str, where: str, hint: str) -> None:
    one = failed(MemberCheck.SAN, "x", found, hint, where=where)
    text = examinations.text(Examined("", (one,)), verbose=True)
    assert not any(unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp", "Cs"} for c in text if c != "\n")
    assert len(text.splitlines()) <= 5
