"""What is said of a member in its ClusterProfile's status, and when it is said again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.pipeline.profile_status import CLUSTER_UID, REFRESH, Facts, due, status_of

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
GOOD = Facts(
    ("https://a:6443", "https://b:6443"), "PEM", "kube", suspended=False, mode="enforce", uid="u-1",
    version="v1.36.3", seen=NOW,
)  # fmt: skip
SECRET = "FW1710: member-a: Bearer abc.def.ghi"  # what a message must not carry into a profile


def conditions(facts: Facts, live: dict[str, Any] | None = None) -> dict[str, tuple[str, str]]:
    made = status_of(facts, live or {}, NOW)["conditions"]
    return {one["type"]: (one["status"], one["reason"]) for one in made}


@pytest.mark.parametrize(
    ("change", "healthy", "joined"),
    [
        ({}, ("True", "APIServerAnswers"), ("True", "Managed")),
        ({"mode": "observe"}, ("True", "APIServerAnswers"), ("True", "Observed")),
        ({"suspended": True}, ("Unknown", "Suspended"), ("False", "Suspended")),
        ({"error": SECRET}, ("Unknown", "NoGoodAnswer"), ("True", "Managed")),
        ({"seen": None}, ("Unknown", "NeverSeen"), ("False", "Pending")),
        ({"seen": None, "error": "x"}, ("Unknown", "NoGoodAnswer"), ("False", "Pending")),
    ],
)
def test_conditions(change: dict[str, Any], healthy: tuple[str, str], joined: tuple[str, str]) -> None:
    made = conditions(replace(GOOD, **change))
    assert made == {"ControlPlaneHealthy": healthy, "Joined": joined}


def test_an_error_gives_its_code_and_meaning_only() -> None:
    text = str(status_of(replace(GOOD, error=SECRET), {}, NOW))
    assert "FW1710: the API server does not accept the credentials" in text
    assert "abc.def" not in text


def test_what_was_written_is_not_due_until_it_changes_or_is_old() -> None:
    live = status_of(GOOD, {}, NOW)
    later = replace(GOOD, seen=NOW + timedelta(minutes=5))
    assert not due(status_of(later, live, NOW + timedelta(minutes=5)), live)
    old = replace(GOOD, seen=NOW + REFRESH)
    assert due(status_of(old, live, NOW + REFRESH), live)
    for change in ({"version": "v1.36.4"}, {"uid": "u-2"}, {"error": "x"}, {"servers": ("https://c",)}):
        assert due(status_of(replace(GOOD, **change), live, NOW), live), change


def test_a_condition_keeps_its_time_while_its_status_does() -> None:
    live = status_of(GOOD, {}, NOW)
    after = NOW + timedelta(hours=2)
    observed = status_of(replace(GOOD, mode="observe"), live, after)["conditions"]
    assert [one["lastTransitionTime"] for one in observed] == ["2026-01-01T12:00:00Z"] * 2
    failing = status_of(replace(GOOD, error="x"), live, after)["conditions"]
    assert failing[0]["lastTransitionTime"] == "2026-01-01T14:00:00Z"


def test_what_was_known_once_holds_until_something_else_is_known() -> None:
    live = status_of(GOOD, {}, NOW)
    forgotten = status_of(replace(GOOD, uid="", version="", seen=None), live, NOW)
    assert forgotten["version"] == {"kubernetes": "v1.36.3"}
    (known,) = forgotten["properties"]
    assert (known["name"], known["value"]) == (CLUSTER_UID, "u-1")


def test_what_others_added_is_no_reason_to_write() -> None:
    live = status_of(GOOD, {}, NOW)
    live["properties"].append({"name": "location", "value": "apac"})
    live["conditions"].append({"type": "Other", "status": "True"})
    live["accessProviders"].append({"name": "aws", "cluster": {"server": "https://x"}})
    assert not due(status_of(GOOD, live, NOW), live)


KEYS = ["type", "name", "status", "kubernetes", "value"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "name", "status", "kubernetes", "value"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)
FIELDS = ("conditions", "properties", "accessProviders", "version")


@given(st.fixed_dictionaries(dict.fromkeys(FIELDS, JSON)))
def test_any_live_status(live: dict[str, Any]) -> None:
    status = status_of(GOOD, live, NOW)
    assert due(status, live)
    assert not due(status_of(GOOD, status, NOW), status)
