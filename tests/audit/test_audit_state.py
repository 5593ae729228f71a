"""The fold, the rules of succession, and the cache of the fold."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
from audit_helpers import (
    ORIGIN,
    KeySigner,
    a_run,
    accepted,
    commit,
    drift,
    fill,
    intent,
    open_log,
    outcome,
    refused,
    refused_member,
    ticking_clock,
    trust,
)

from reconciler.audit.codes import EntryError, LogBehindError, LogForkedError
from reconciler.audit.entry import Entry, OutcomeResult, stamp
from reconciler.audit.log import Log
from reconciler.audit.state import LogState, advance, problem
from reconciler.audit.state_cache import load
from reconciler.audit.store_directory import DirectoryStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def fold(*entries: Entry) -> LogState:
    state = LogState()
    for entry in entries:
        assert problem(state, state.size, entry) == ""
        state = advance(state, stamp(entry, NOW))
    return state


def test_the_state_of_a_fleets_life():
    state = fold(*[entry for entry, _ in islice(a_run(), 11)])
    member = state.cluster("member-a")
    assert (state.size, state.repository, state.ref) == (
        11,
        "https://forge.example/fleet.git",
        "refs/heads/main",
    )
    assert state.accepted and (state.accepted.index, state.accepted.commit) == (6, commit(3))
    assert [r.commit for r in state.refused] == [commit(501), commit(502)]
    assert state.refused[-1].summary == "FW1203: unsigned commit"
    assert member.intent and (member.intent.index, member.intent.sequence) == (7, 2)
    assert member.outcome and (member.outcome.index, member.outcome.intent) == (8, 7)
    assert member.applied == member.intent
    assert member.drift and member.drift.index == 9
    assert member.pending == ()


def test_intents_are_pending_until_their_own_outcome():
    state = fold(trust(), intent("a", 1, b"x"), intent("b", 1, b"y"), intent("a", 2, b"z"))
    assert [i.index for i in state.cluster("a").pending] == [1, 3]
    state = advance(state, stamp(outcome("a", 1, OutcomeResult.FAILED, "FW1700: no"), NOW))
    assert [i.index for i in state.cluster("a").pending] == [3]
    assert state.cluster("a").outcome.error == "FW1700: no"
    assert state.cluster("a").applied is None
    assert [i.index for i in state.cluster("b").pending] == [2]


@pytest.mark.parametrize(
    ("before", "entry", "reason"),
    [
        ([], accepted(2, 1), "trust has not been initialized"),
        ([trust()], accepted(3, 2), "accepted last is"),
        ([trust()], replace(accepted(2, 1), ref="refs/heads/x"), "pinned ref"),
        ([], intent("a", 1, b"x"), "no commit has been accepted"),
        ([trust(), intent("a", 2, b"x")], intent("a", 2, b"y"), "not above 2"),
        ([trust(), intent("a", 2, b"x")], outcome("b", 1), "not open"),
        ([trust(), intent("a", 2, b"x"), outcome("a", 1)], outcome("a", 1), "not open"),
        ([trust(), intent("a", 2, b"x")], outcome("a", 0), "not open"),
    ],
)
def test_what_cannot_follow(before: list[Entry], entry: Entry, reason: str):
    state = fold(*before)
    assert reason in problem(state, state.size, entry)


def test_what_may_follow():
    fold(drift(), refused(1, 0), trust(), trust(7))
    reborn = replace(intent("a", 1, b"y"), cluster_uid="another uid")
    fold(trust(), intent("a", 2, b"x"), reborn)


def test_the_last_ten_refusals_are_kept():
    assert [r.index for r in fold(*[refused(n, 1) for n in range(30)]).refused] == list(range(20, 30))


def test_heads_are_remembered_from_when_they_were_first_refused():
    state = advance(fold(trust()), stamp(refused(2, 1), NOW))
    later = NOW + timedelta(hours=1)
    for n in (2, 3, 2):
        state = advance(state, stamp(refused(n, 1), later))
    assert [(head.commit, head.time) for head in state.seen] == [(commit(2), NOW), (commit(3), later)]
    assert (state.first_seen(commit(2)), state.first_seen(commit(4))) == (NOW, None)
    assert advance(state, stamp(accepted(4, 1), later)).seen == ()
    assert advance(state, stamp(trust(), later)).seen == ()


def test_the_first_thousand_refused_heads_stay():
    state = fold(trust(), *[refused(n, 1) for n in range(2, 1100)])
    assert [head.commit for head in state.seen] == [commit(n) for n in range(2, 1002)]
    assert len(state.refused) == 10


def test_a_members_refusal_lasts_until_an_intent():
    before = [trust(), intent("a", 1, b"x"), outcome("a", 1), refused_member("a", 7), refused_member("b")]
    state = fold(*before)
    refusal = state.cluster("a").refused
    assert refusal and (refusal.index, refusal.commit, refusal.time, refusal.count) == (3, commit(7), NOW, 1)
    assert refusal.summary == "FW1601: the plan deletes 9 of 10 objects"
    assert state.cluster("a").applied and state.cluster("a").applied.index == 1
    state = advance(state, stamp(outcome("a", 1), NOW))
    assert state.cluster("a").refused == refusal
    state = advance(state, stamp(intent("a", 2, b"y"), NOW))
    assert (state.cluster("a").refused, state.cluster("b").refused.index) == (None, 4)


def test_the_trust_root_never_goes_back():
    third = replace(accepted(2, 1), root_version=3)
    state = fold(replace(trust(), root_version=2), third)
    assert state.root_version == 3
    older = replace(accepted(3, 2), root_version=2)
    assert "version is 3, and 2 is older" in problem(state, state.size, older)
    assert problem(state, state.size, replace(older, root_version=3)) == ""
    assert problem(state, state.size, replace(older, root_version=4)) == ""
    first = fold(replace(trust(), root_version=2))
    assert "is older" in problem(first, 1, accepted(2, 1))


def test_all_of_the_state_is_in_the_cache(tmp_path: Path):
    log = open_log(tmp_path / "log")
    log.append([replace(trust(), root_version=2), refused(5, 1), refused_member(), refused_member("b")])
    cache = tmp_path / "state.json"
    state = open_log(tmp_path / "log", state_cache=cache).state()
    assert (state.root_version, len(state.seen), len(state.clusters)) == (2, 1, 2)
    loaded = load(cache, ORIGIN)
    assert loaded and loaded.state == state


def test_a_log_refuses_what_does_not_follow_and_stays_usable(tmp_path: Path):
    log = open_log(tmp_path)
    with pytest.raises(EntryError, match="does not follow"):
        log.append([trust(), accepted(2, 1), accepted(4, 3)])
    assert (log.size, log.append([trust()])) == (0, range(1))


def test_the_cache_folds_only_what_is_new_and_can_be_deleted(tmp_path: Path):
    cache = tmp_path / "cache/state.json"
    fill(open_log(tmp_path / "log"), 600)
    first = open_log(tmp_path / "log", state_cache=cache).state()
    assert cache.exists()
    (tmp_path / "log/tile/entries/000").rename(tmp_path / "away")  # folding anew would need it
    again = open_log(tmp_path / "log", state_cache=cache)
    assert again.state() == first
    (tmp_path / "away").rename(tmp_path / "log/tile/entries/000")
    fill(again, 700)
    cached = open_log(tmp_path / "log", state_cache=cache).state()
    cache.unlink()
    assert open_log(tmp_path / "log", state_cache=cache).state() == cached == again.state()


@pytest.mark.parametrize("damage", [b"", b"x", b"\0" * 90, None])
def test_a_damaged_cache_is_no_cache(tmp_path: Path, damage: bytes | None):
    cache = tmp_path / "state.json"
    fill(open_log(tmp_path / "log"), 20)
    state = open_log(tmp_path / "log", state_cache=cache).state()
    data = cache.read_bytes()
    cache.write_bytes(data.replace(b"fleet.git", b"other.git") if damage is None else damage)
    assert open_log(tmp_path / "log", state_cache=cache).state() == state


def test_the_cache_of_a_longer_or_another_log_stops_the_run(tmp_path: Path):
    cache = tmp_path / "state.json"
    fill(open_log(tmp_path / "long"), 300)
    open_log(tmp_path / "long", state_cache=cache).state()
    fill(open_log(tmp_path / "short"), 200)
    with pytest.raises(LogBehindError, match="FW1810"):
        open_log(tmp_path / "short", state_cache=cache).state()
    fill(open_log(tmp_path / "other", clock=lambda: datetime(2030, 1, 1, tzinfo=UTC)), 400)
    with pytest.raises(LogForkedError, match="FW1811"):
        open_log(tmp_path / "other", state_cache=cache).append([drift()])


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path):
    fill(open_log(tmp_path / "log"), 5)
    (tmp_path / "file").write_text("in the way")
    assert open_log(tmp_path / "log", state_cache=tmp_path / "file/state.json").state().size == 5


def test_a_cache_of_another_origin_is_not_used(tmp_path: Path):
    cache = tmp_path / "state.json"
    fill(open_log(tmp_path / "log"), 30)
    open_log(tmp_path / "log", state_cache=cache).state()
    other = Log.open(
        DirectoryStore(tmp_path / "b"),
        KeySigner(),
        origin="b.example",
        clock=ticking_clock(),
        state_cache=cache,
    )
    assert other.state().size == 0
