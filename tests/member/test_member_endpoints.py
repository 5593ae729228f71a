"""Health of API server URLs: which is tried first, for how long, and what a run remembers of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from reconciler.member.endpoints import (
    FIRST,
    LONGEST,
    EndpointHealth,
    Endpoints,
    after_answer,
    after_failure,
    held_off,
    in_order,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
A, B, C = URLS = ("https://a", "https://b", "https://c")


@dataclass
class Watch:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


moments = st.datetimes(
    datetime(2025, 12, 30), datetime(2026, 1, 3), timezones=st.just(UTC)  # noqa: DTZ001  the zone is given
)  # fmt: skip
healths = st.dictionaries(
    st.sampled_from(URLS),
    st.builds(
        EndpointHealth, st.sampled_from(URLS), st.none() | moments, st.none() | moments, st.none() | moments,
        st.integers(0, 2000), st.text(max_size=5),
    ),
)  # fmt: skip


@given(healths, moments)
def test_every_url_is_in_the_order_once_and_equals_as_registered(
    known: dict[str, EndpointHealth], now: datetime
) -> None:
    found = in_order(URLS, known, now)
    assert sorted(found) == sorted(URLS)
    late = [url for url in URLS if url in known and held_off(known[url], now)]
    assert found == (*(url for url in URLS if url not in late), *late)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4000)), max_size=30))
def test_whatever_happened_a_url_is_held_off_for_a_bounded_time(events: list[tuple[bool, int]]) -> None:
    health, now = EndpointHealth(A), NOON
    for good, seconds in events:
        now += timedelta(seconds=seconds)
        health = after_answer(health, now) if good else after_failure(health, now, "FW1702")
        assert health.healthy is good
        assert health.since is not None
        assert health.since <= now
        assert not held_off(health, now + LONGEST)
        assert not held_off(health, now - timedelta(days=9)), "a clock that was set back"


def test_failures_that_come_together_are_one_and_later_ones_hold_off_longer() -> None:
    health = EndpointHealth(A)
    for _ in range(16):
        health = after_failure(health, NOON, "FW1702")
    assert (health.failures, health.since) == (1, NOON)
    later = NOON + FIRST
    assert not held_off(health, later)
    health = after_failure(health, later, "FW1701")
    assert (health.failures, health.since, health.code) == (2, NOON, "FW1701")
    assert held_off(health, later + FIRST)
    assert not held_off(health, later + 2 * FIRST)


def test_a_url_that_came_back_is_used_again_and_one_request_finds_out() -> None:
    watch = Watch()
    ends = Endpoints((A, B), watch)
    assert ends.order() == (A, B)
    ends.failed(A, "FW1702")
    assert [ends.order() for _ in range(3)] == [(B, A)] * 3
    watch.now += FIRST
    assert ends.order() == (A, B), "one request tries it again"
    assert ends.order() == (B, A), "the others do not wait for it"
    ends.answered(A)
    assert [ends.order() for _ in range(3)] == [(A, B)] * 3
    assert ends.known[0].since == watch.now


def test_what_is_known_begins_a_run_and_strangers_are_dropped() -> None:
    before = (EndpointHealth(A, None, NOON, NOON, 1, "FW1702"), EndpointHealth("https://old", NOON))
    ends = Endpoints((A, f"{B}/"), Watch(NOON + timedelta(minutes=1)), before)
    assert ends.order() == (B, A)
    assert not ends.changed
    ends.answered(B)
    assert ends.changed
    assert [one.url for one in ends.known] == [A, B]


def test_answers_alone_are_not_worth_a_write_each_time() -> None:
    watch = Watch()
    ends = Endpoints((A,), watch, (EndpointHealth(A, NOON, None, NOON),))
    watch.now += timedelta(seconds=30)
    ends.answered(A)
    assert not ends.changed
    watch.now += timedelta(minutes=2)
    ends.answered(A)
    assert ends.changed
