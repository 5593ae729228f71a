"""The state machine of members: one state for all facts, in the documented order, and a page that agrees."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.pipeline.states import (
    NEEDS_NOBODY,
    SEEN,
    TRANSITIONS,
    Departed,
    Facts,
    Look,
    MemberState,
    Proposed,
    Remembered,
    Standing,
    standing,
    version_problem,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PAGE = Path(__file__).parents[2] / "docs" / "states.md"
S = MemberState

times = st.datetimes(
    datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)  # noqa: DTZ001  the zone is given
)  # fmt: skip
versions = st.one_of(
    st.text(max_size=8), st.from_regex(r"v?[0-9]{1,3}\.[0-9]{1,3}(\.[0-9])?", fullmatch=True)
)
looks = st.builds(
    Look, st.none() | st.integers(0, 3), st.integers(0, 3), st.booleans(), versions, st.text(max_size=2000)
)
facts = st.builds(
    Facts,
    now=times,
    registered=st.booleans(),
    wanted_version=versions,
    observes=st.booleans(),
    suspended=st.booleans(),
    suspend_reason=st.text(),
    proposed=st.none() | st.builds(Proposed, st.just("a"), st.text(), st.text(), st.none() | times),
    joined=st.none() | times,
    intended=st.none() | times,
    knows_log=st.booleans(),
    departed=st.none() | st.builds(Departed, st.sampled_from([S.KICKED, S.LEFT]), times, st.text()),
    look=st.none() | looks,
    remembered=st.none() | st.builds(Remembered, st.sampled_from(S), st.none() | times, st.text()),
)


def member(**known: object) -> Facts:
    """A member that was applied to and looked at: in sync."""
    given = {
        "registered": True,
        "intended": NOON,
        "wanted_version": "1.36",
        "look": Look(0, version="v1.36.3"),
    }
    return Facts(NOON, **{**given, **known})  # type: ignore[arg-type]


def state_of(**known: object) -> MemberState | None:
    found = standing(member(**known))
    return found.state if found else None


def expected(known: Facts) -> MemberState | None:
    """The page's order, said once more."""
    gone, look, last = known.departed, known.look, known.remembered
    if gone and not (known.joined and known.joined > gone.since):
        return gone.state
    if not known.registered:
        return S.PENDING if known.proposed else None
    if known.suspended:
        return S.SUSPENDED
    if look is None and last and last.state in SEEN:
        return last.state
    if look and look.changes is None:
        return S.FAILING if look.reached else S.UNREACHABLE
    if look and version_problem(look.version, known.wanted_version):
        return S.VERSION_MISMATCH
    if known.knows_log and known.intended is None and not known.observes:
        return S.JOINED
    if look is None:
        return None
    return S.OUT_OF_SYNC if look.changes else S.SYNCED


@given(facts)
def test_for_all_facts_there_is_one_state_in_the_documented_order(known: Facts) -> None:
    found = standing(known)
    assert (found.state if found else None) is expected(known)
    if found:
        assert found.since is None or found.since.tzinfo is not None
        assert len(found.reason) <= 600
        assert "\n" not in found.reason
        assert re.fullmatch(r"(FW\d{4})?", found.code)


@given(facts, looks)
def test_the_same_state_seen_again_keeps_its_age(known: Facts, look: Look) -> None:
    known = replace(known, look=look, registered=True, departed=None)
    first = standing(known)
    assert first
    later = replace(
        known, now=known.now + timedelta(hours=1), remembered=Remembered(first.state, first.since)
    )
    again = standing(later)
    assert again
    assert (again.state, again.since) == (first.state, first.since)


@given(facts, facts)
def test_every_change_of_state_is_in_the_table(before: Facts, after: Facts) -> None:
    """From one set of facts to any other: what is no member, or forgotten, begins anew."""
    old, new = standing(before), standing(after)
    impossible = {S.JOINED, S.PENDING}  # for a member: the log forgets neither joins nor change sets
    # Nor does it turn a departure that came to its end, or a proposal, into another.
    ended = {(S.LEFT, S.KICKED), (S.PENDING, S.KICKED), (S.PENDING, S.LEFT)}
    if old and new and old.state is not new.state and new.state not in impossible:
        assert (old.state, new.state) in ended or new.state in TRANSITIONS[old.state]


@pytest.mark.parametrize("state", [S.KICKED, S.LEFT])
def test_a_departure_ends_with_a_join_after_it(state: MemberState) -> None:
    gone = Departed(state, NOON, "the rack was sold")
    before, after = NOON - timedelta(1), NOON + timedelta(1)
    assert state_of(departed=gone, joined=before, intended=before) is state
    assert state_of(departed=gone, joined=after, intended=before) is S.SYNCED
    assert state_of(departed=gone, joined=before, intended=after) is state, "a kick has an intent of its own"
    found = standing(member(departed=gone, intended=before))
    assert found == Standing(state, NOON, "the rack was sold; its registration is still there: remove it")
    assert standing(Facts(NOON, departed=gone)) == Standing(state, NOON, "the rack was sold")


def test_a_proposal_is_pending_until_it_is_registered() -> None:
    proposed = Proposed("a", "uid-1", "refs/heads/join/a", NOON)
    found = standing(Facts(NOON, proposed=proposed))
    assert found == Standing(S.PENDING, NOON, "proposed on join/a: review and merge it")
    begun = standing(Facts(NOON, proposed=replace(proposed, branch="", since=None)))
    assert begun == Standing(S.PENDING, None, "its join has begun and not ended")
    assert state_of(proposed=proposed) is S.SYNCED
    assert standing(Facts(NOON)) is None


def test_joined_is_as_old_as_the_join_and_ends_with_the_first_change_set() -> None:
    day_ago = NOON - timedelta(1)
    found = standing(member(intended=None, joined=day_ago, look=Look(3)))
    assert found
    assert (found.state, found.since) == (S.JOINED, day_ago)
    assert state_of(intended=None, observes=True, look=Look(3)) is S.OUT_OF_SYNC
    assert state_of(intended=None, look=None) is S.JOINED
    assert state_of(intended=None, look=None, knows_log=False) is None


@pytest.mark.parametrize(
    ("version", "state"),
    [("v1.36.9", S.OUT_OF_SYNC), ("v1.35.1", S.VERSION_MISMATCH), ("v1.37.0", S.VERSION_MISMATCH),
     ("v2.36.0", S.VERSION_MISMATCH), ("", S.OUT_OF_SYNC), ("nonsense", S.OUT_OF_SYNC)],
)  # fmt: skip
def test_another_minor_version_outranks_what_is_to_be_changed(version: str, state: MemberState) -> None:
    assert state_of(look=Look(2, version=version)) is state


def test_a_version_that_is_not_supported_is_a_mismatch_even_if_registered() -> None:
    found = standing(member(wanted_version="1.29", look=Look(0, version="v1.29.4")))
    assert found
    assert (found.state, found.code) == (S.VERSION_MISMATCH, "FW1731")


def test_a_reason_has_its_code_and_is_one_line() -> None:
    found = standing(member(look=Look(reached=False, error="FW1701: no\nconnection" + " x" * 9000)))
    assert found
    assert (found.state, found.code) == (S.UNREACHABLE, "FW1701")
    assert found.reason.startswith("FW1701: no connection x")
    assert len(found.reason) == 600


def test_without_a_look_the_last_one_holds_and_a_clock_set_back_makes_no_future() -> None:
    seen = Remembered(S.UNREACHABLE, NOON + timedelta(hours=1), "FW1701: no connection")
    found = standing(member(look=None, remembered=seen))
    assert found == Standing(S.UNREACHABLE, NOON, "FW1701: no connection", "FW1701")
    assert state_of(look=None, remembered=replace(seen, state=S.SUSPENDED)) is None


def rows() -> dict[str, list[str]]:
    """The page's table: state -> its cells."""
    cells = [
        line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `")
    ]
    return {row[0].strip("`"): row[1:] for row in cells}


def test_the_page_has_every_state_in_the_order_of_precedence() -> None:
    table = rows()
    assert set(table) == {state.value for state in S}
    assert all(len(cells) == 4 and all(cells) for cells in table.values())
    order = re.search(r"first that holds: (.*?)\.", PAGE.read_text(), re.DOTALL)
    assert order
    assert re.findall(r"`([a-z-]+)`", order[1]) == [
        "kicked", "left", "pending", "suspended", "unreachable", "failing", "version-mismatch", "joined",
        "out-of-sync", "synced",
    ]  # fmt: skip
    good = re.search(r"needs nobody: (.*?)\.", PAGE.read_text(), re.DOTALL)
    assert good
    assert set(re.findall(r"`([a-z-]+)`", good[1])) == {state.value for state in NEEDS_NOBODY}


def test_the_diagram_has_the_transitions_and_no_other() -> None:
    text = PAGE.read_text()
    drawn = text[text.index("stateDiagram-v2") : text.index("```", text.index("stateDiagram-v2"))]
    alias = {state.value.replace("-", "_"): state for state in S}
    looked = {alias[name] for name in re.findall(r"^        (\w+)$", drawn, re.MULTILINE)}
    assert looked == set(SEEN)
    arrows = set(re.findall(r"^    (\w+|\[\*\]) --> (\w+|\[\*\])", drawn, re.MULTILINE))

    def names(state: MemberState) -> set[str]:
        return {state.value.replace("-", "_")} | ({"member"} if state in SEEN else set())

    for before, after in TRANSITIONS.items():
        for state in after:
            both = before in SEEN and state in SEEN
            assert both or any((a, b) in arrows for a in names(before) for b in names(state)), (before, state)
    for a, b in arrows - {arrow for arrow in arrows if "[*]" in arrow}:
        befores = SEEN if a == "member" else (alias[a],)
        afters = SEEN if b == "member" else (alias[b],)
        assert all(y in TRANSITIONS[x] for x in befores for y in afters if x is not y), (a, b)
