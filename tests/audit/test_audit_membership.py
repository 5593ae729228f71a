"""Primary, tokens and joins in the log: what may follow what, once and for all."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from audit_helpers import (
    ORIGIN,
    TOKEN,
    UNHURRIED,
    demoted,
    join_refused,
    member_joined,
    member_kicked,
    member_left,
    memberships,
    open_log,
    promoted,
    token_created,
    token_revoked,
    token_used,
    trust,
)
from hypothesis import given
from hypothesis import strategies as st

from reconciler.audit.assumed import Past
from reconciler.audit.codes import EntryError, LogConflictError
from reconciler.audit.entry import Entry, stamp
from reconciler.audit.membership import ENTRIES, MAX_TOKENS, JoinToken, Membership, membership_problem
from reconciler.audit.state import LogState, advance, problem
from reconciler.audit.state_cache import load

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OTHER = "other-0123456789abcdef"


def fold(*entries: Entry, now: datetime = NOW) -> LogState:
    state = LogState()
    for entry in (trust(), *entries):
        assert problem(state, state.size, stamp(entry, now)) == ""
        state = advance(state, stamp(entry, now))
    return state


def refusal(state: LogState, entry: Entry, now: datetime = NOW) -> str:
    return problem(state, state.size, stamp(entry, now))


def test_a_join_from_promotion_to_registration():
    state = fold(*memberships()[:-1]).membership
    assert state.primary and (state.primary.index, state.primary.port) == (1, 11443)
    token = state.tokens[TOKEN]
    assert (token.used_by, token.used_uid, token.labels[0]) == ("member-a", "uid-member-a", "owner=shop")
    assert state.joined["member-a"].branch == "refs/heads/join/member-a"
    assert state.tokens[OTHER].revoked
    assert state.open_tokens(NOW) == {}
    assert fold(*memberships()).membership.tokens == {}, "the tokens of a primary end with it"


OPEN = [promoted(), token_created(cluster="member-a", expires=NOW + timedelta(hours=1))]


@pytest.mark.parametrize(
    ("before", "entry", "after", "reason"),
    [
        ([promoted()], promoted(), 0, "is primary already"),
        ([], demoted(), 0, "the primary is none"),
        ([promoted()], replace(demoted(), cluster_uid="another"), 0, "the primary is uid-primary"),
        ([], token_created(), 0, "no primary"),
        (OPEN, token_created(), 0, "a token of that id"),
        (OPEN, token_used(OTHER), 0, "knows no such token"),
        (OPEN, token_used(cluster="member-b"), 0, "is for cluster member-a"),
        (OPEN, token_used(), 3600, "has expired"),
        ([*OPEN, token_used()], token_used(), 0, "used already, by cluster member-a"),
        ([*OPEN, token_used()], token_used(claim=f"sha256:{'4' * 64}"), 0, "used already"),
        ([*OPEN, token_revoked()], token_used(), 0, "was revoked"),
        ([*OPEN, token_revoked()], token_revoked(), 0, "was revoked already"),
        ([*OPEN, token_used()], token_revoked(), 0, "was used already"),
        (OPEN, token_revoked(OTHER), 0, "knows no such token"),
        (OPEN, member_joined(), 0, "used no such token"),
        ([*OPEN, token_used()], member_joined(cluster="member-b"), 0, "used no such token"),
        ([*OPEN, token_used()], member_joined(OTHER), 0, "used no such token"),
        ([*OPEN, demoted()], token_used(), 0, "knows no such token"),
    ],
)
def test_what_cannot_follow(before: list[Entry], entry: Entry, after: int, reason: str):
    assert reason in refusal(fold(*before), entry, NOW + timedelta(seconds=after))


@pytest.mark.parametrize("entry", [promoted(), token_created(), join_refused()])
def test_nothing_before_the_trust(entry: Entry):
    assert "trust has not been initialized" in problem(LogState(), 0, stamp(entry, NOW))


def test_a_token_is_good_until_its_last_moment():
    last = NOW + timedelta(hours=1) - timedelta(milliseconds=1)
    assert refusal(fold(*OPEN), token_used(), last) == ""


def test_used_tokens_are_remembered_until_they_could_not_be_used_anyway():
    state = fold(*OPEN, token_used())
    soon, late = NOW + timedelta(hours=1, minutes=59), NOW + timedelta(hours=2)
    assert TOKEN in advance(state, stamp(token_created(OTHER), soon)).membership.tokens
    assert TOKEN not in advance(state, stamp(token_created(OTHER), late)).membership.tokens


def test_unused_tokens_are_bounded():
    token = JoinToken("", (), NOW, NOW + timedelta(hours=1))
    full = replace(fold(promoted()).membership, tokens={f"token-{n:016}": token for n in range(MAX_TOKENS)})
    assert "10000 unused tokens" in membership_problem(full, stamp(token_created(), NOW))
    assert membership_problem(full, stamp(token_created(), NOW + timedelta(hours=1))) == ""


def test_two_writers_one_use(tmp_path: Path):
    open_log(tmp_path).append([trust(), promoted(), token_created()])
    first, second = open_log(tmp_path), open_log(tmp_path)
    first.append([token_used()])
    with pytest.raises(LogConflictError):
        second.append([token_used(cluster="member-b")])
    with pytest.raises(EntryError, match="used already"):
        open_log(tmp_path).append([token_used(cluster="member-b")])


def test_membership_is_in_the_cache(tmp_path: Path):
    open_log(tmp_path / "log").append([trust(), *memberships()[:-1]])
    state = open_log(tmp_path / "log", state_cache=tmp_path / "state.json").state()
    cached = load(tmp_path / "state.json", ORIGIN)
    assert cached and cached.state == state
    assert len(state.membership.tokens) == 2


@pytest.mark.parametrize("start", range(8))
def test_a_window_that_begins_anywhere_is_judged_by_what_it_shows(start: int):
    past = Past(start + 1, lambda _index: None)
    state = LogState(size=start + 1)  # the trust came first
    for entry in [stamp(one, NOW) for one in memberships()[start:]]:
        state = past.assume(state, entry)
        assert problem(state, state.size, entry) == ""
        state = advance(state, entry)


def test_a_second_use_inside_a_window_is_seen():
    past, entry = Past(5, lambda _index: None), stamp(token_used(), NOW)
    state = advance(past.assume(LogState(), entry), entry)
    assert "used already" in problem(past.assume(state, entry), state.size, entry)


@UNHURRIED
@given(st.lists(st.sampled_from(memberships()), max_size=12))
def test_no_order_of_entries_uses_a_token_twice(entries: list[Entry]):
    state, uses = fold(), 0
    for entry in entries:
        assert isinstance(entry, ENTRIES)
        if not refusal(state, entry):
            uses += entry.kind == "token-used"
            uses = 0 if entry.kind == "demoted" else uses
            state = advance(state, stamp(entry, NOW))
        assert uses <= 1
    assert isinstance(state.membership, Membership)


def test_a_kick_holds_for_one_registration_until_the_name_joins_again():
    begun = [*OPEN, token_used(), member_joined(), member_kicked()]
    kicked = fold(*begun).membership.kicked["member-a"]
    assert (kicked.index, kicked.left, kicked.reason) == (5, None, "moved to another fleet")
    assert kicked.stands(kicked.registration)
    assert not kicked.stands("sha256:" + "4" * 64)
    assert not replace(kicked, registration="").stands(""), "what has no registration has nothing to stand"
    done = fold(*begun, member_left(5))
    assert done.membership.kicked["member-a"].left == 6
    assert "kick 5 of cluster member-a is not open" in refusal(done, member_left(5))
    again = [token_created(OTHER), token_used(OTHER), member_joined(OTHER)]
    assert fold(*begun, member_left(5), *again).membership.kicked == {}


def test_only_the_last_kick_of_a_cluster_can_end():
    state = fold(member_kicked(), member_kicked(registration="sha256:" + "4" * 64))
    assert "is not open" in refusal(state, member_left(1))
    assert refusal(state, member_left(2)) == ""
    assert "is not open" in refusal(state, member_left(2, "member-b"))


def test_a_window_of_the_log_may_begin_after_the_kick():
    past = Past(9, lambda _index: None)
    state = past.assume(LogState(), stamp(member_left(4), NOW))
    assert state.membership.kicked["member-a"].index == 4
