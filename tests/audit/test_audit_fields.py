"""The bounds of texts and the one form of times, held against their plain definitions."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from audit_helpers import UNHURRIED
from hypothesis import given
from hypothesis import strategies as st

from reconciler.audit import fields as f

ALPHABETS = st.sampled_from(["😀", '"\\', '"aé€😀']).flatmap(lambda one: st.text(one, max_size=20))
TEXTS = ALPHABETS | st.text(st.characters(codec="utf-8"), max_size=20)
ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
# A zone must not lead out of the years that Python knows.
MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=ZONES)  # noqa: DTZ001


def size(text: str) -> int:
    return len(f.canonical(text)) - 2


@UNHURRIED
@given(TEXTS, st.integers(-3, 3))
def test_a_text_is_measured_in_bytes_of_json(text: str, room: int):
    accepted = None
    with suppress(ValueError):
        accepted = f.text(size(text) + room, empty=True).parse(text)
    assert accepted == (text if text.isprintable() and room >= 0 else None)


@UNHURRIED
@given(st.text(alphabet="a\ud800\n\x1b\u2028\u202e", min_size=1, max_size=20))
def test_a_text_that_does_not_print_is_refused(text: str):
    with suppress(ValueError):
        assert f.text(2048).parse(text) == "a" * len(text)


@UNHURRIED
@given(TEXTS, st.integers(3, 80))
def test_a_clipped_text_fits(text: str, limit: int):
    clipped = f.clip(text, limit)
    assert f.text(limit, empty=True).parse(clipped) == clipped
    if text.isprintable() and size(text) <= limit:
        assert clipped == text


@UNHURRIED
@given(MOMENTS)
def test_a_time_comes_back_in_utc_cut_to_milliseconds(moment: datetime):
    written = f.write_time(moment)
    read = f.TIME.parse(written)
    assert (len(written), read.tzinfo, f.write_time(read)) == (24, UTC, written)
    assert timedelta(0) <= moment - read < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05.12Z",
        "2026-01-02T03:04:05.123456Z",
        "2026-01-02T03:04:05.123+00:00",
        "2026-01-02 03:04:05.123Z",
        "2026-01-02T03:04:05,123Z",
        "2026-01-02T24:00:00.000Z",
        "2026-01-02T03:04:60.000Z",
        "2026-02-30T03:04:05.123Z",
        "0000-01-01T00:00:00.000Z",
        "२०२६-01-02T03:04:05.123Z",
        "2026-01-02T03:04:05.123z",
        "2026-01-02T03:04:05.123Z\n",
        "2026-W01-2T03:04:05.123Z",
        20260102,
        None,
    ],
)
def test_another_form_of_a_time_is_refused(value: object):
    with pytest.raises(ValueError):
        f.TIME.parse(value)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        f.write_time(value)  # type: ignore[arg-type]


def test_a_time_without_its_zone_is_refused():
    with pytest.raises(ValueError):
        f.write_time(datetime(2026, 1, 2))  # noqa: DTZ001
