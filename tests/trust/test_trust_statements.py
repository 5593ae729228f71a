"""Statements have one form, and say what they say of one repository, ref and commit only."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.trust.errors import StatementError
from reconciler.trust.statements import Approval, HeartbeatStatement, read, write

APPROVAL = Approval("fleet", "refs/heads/main", "1" * 40, base="0" * 40)
HEARTBEAT = HeartbeatStatement("fleet", "refs/heads/main", "1" * 40, datetime(2026, 1, 2, tzinfo=UTC))
ids = st.text("0123456789abcdef", min_size=40, max_size=40)
names = st.text(min_size=1, max_size=30)


@given(names, names, ids, ids, st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001
def test_what_is_written_is_read_back(name: str, ref: str, commit: str, base: str, time: datetime) -> None:
    expires = time.replace(microsecond=0, tzinfo=UTC)
    approval = Approval(name, f"refs/{ref}", commit, base=base)
    heartbeat = HeartbeatStatement(name, f"refs/{ref}", commit, expires)
    try:
        texts = write(approval), write(heartbeat)
    except ValueError:  # lone surrogates have no UTF-8
        return
    assert read(texts[0], Approval) == approval
    assert read(texts[1], HeartbeatStatement) == heartbeat


def test_one_kind_is_never_read_as_the_other() -> None:
    with pytest.raises(StatementError, match="FW1264"):
        read(write(APPROVAL), HeartbeatStatement)
    with pytest.raises(StatementError, match="FW1264"):
        read(write(HEARTBEAT), Approval)


@pytest.mark.parametrize(
    "change",
    [
        {"_type": "https://in-toto.io/Statement/v0.1"},
        {"extra": 1},
        {"subject": []},
        {"subject": [{"name": "fleet", "digest": {"gitCommit": "1" * 40}}] * 2},
        {"subject": [{"name": "", "digest": {"gitCommit": "1" * 40}}]},
        {"subject": [{"name": "fleet", "digest": {"gitCommit": "1" * 39}}]},
        {"subject": [{"name": "fleet", "digest": {"gitCommit": "1" * 40, "sha256": "1"}}]},
        {"predicate": {"base": "0" * 40, "ref": "main"}},
        {"predicate": {"base": "HEAD", "ref": "refs/heads/main"}},
        {"predicate": {"base": None, "ref": "refs/heads/main"}},
        {"predicate": {"base": "0" * 40, "ref": "refs/heads/main", "note": "x"}},
        {"predicate": None},
    ],
)
def test_anything_else_is_refused(change: dict[str, object]) -> None:
    value = {**orjson.loads(write(APPROVAL)), **change}
    with pytest.raises(StatementError, match="FW1264"):
        read(orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode(), Approval)


def test_another_spelling_of_the_same_is_refused() -> None:
    text = write(APPROVAL)
    for other in (
        text.replace(":", ": ", 1),
        text + " ",
        text.replace('"base"', '"b\\u0061se"'),
        " " * 70_000,
    ):
        with pytest.raises(StatementError):
            read(other, Approval)


@given(st.one_of(st.text(), st.recursive(st.none() | st.text() | st.integers(), st.lists).map(str)))
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    with pytest.raises(StatementError):
        read(text, Approval)
