"""The contact memory: damaged bytes cost what is damaged, and two processes lose nothing of each other's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.member.endpoints import EndpointHealth
from reconciler.model import ClusterName
from reconciler.pipeline.contact import MOST_ENDPOINTS, Contact
from reconciler.surfaces.contacts import FileContacts

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NAME, OTHER = ClusterName("a"), ClusterName("b")
FULL = Contact(
    NOON, "FW1701: no", 3, NOON, "v1.36.3", 9, 1, NOON, "x", NOON, "y", "synced", NOON, "why",
    (EndpointHealth("https://a:1", NOON, NOON, NOON, 2, "FW1702"), EndpointHealth("https://b:1", NOON)),
)  # fmt: skip
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["seen", "failures", "state", "since", "endpoints", "url", "code", "x"]), inner
        )
    ),
    max_leaves=12,
)


def test_everything_comes_back(tmp_path: Path) -> None:
    FileContacts(tmp_path / "c.json").put(NAME, FULL)
    assert FileContacts(tmp_path / "c.json").get(NAME) == FULL


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values)
def test_no_json_breaks_it_and_a_good_neighbour_stays(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "c.json"
    path.unlink(missing_ok=True)
    FileContacts(path).put(OTHER, FULL)
    path.write_bytes(orjson.dumps({**orjson.loads(path.read_bytes()), "a": value}))
    contacts = FileContacts(path)
    assert isinstance(contacts.get(NAME), Contact)
    assert contacts.get(OTHER) == FULL
    contacts.put(NAME, contacts.get(NAME))
    path.write_bytes(orjson.dumps(value))
    assert isinstance(FileContacts(path).get(NAME), Contact)


def test_one_bad_field_costs_that_field(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    FileContacts(path).put(NAME, FULL)
    raw = orjson.loads(path.read_bytes())
    raw["a"] |= {"failures": "many", "seen": "yesterday", "endpoints": [3, {"url": 4}, {"url": "https://z"}]}
    path.write_bytes(orjson.dumps(raw))
    wanted = replace(FULL, failures=0, seen=None, endpoints=(EndpointHealth("https://z"),))
    assert FileContacts(path).get(NAME) == wanted


def test_sizes_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    many = [{"url": f"https://{n}", "code": "x" * 10_000} for n in range(1000)]
    path.write_bytes(orjson.dumps({"a": {"endpoints": many, "error": "e" * 100_000}}))
    found = FileContacts(path).get(NAME)
    assert (len(found.endpoints), len(found.error)) == (MOST_ENDPOINTS, 4096)
    assert len(found.endpoints[0].code) == 4096


def test_two_writers_keep_each_others_changes(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    one, other = FileContacts(path), FileContacts(path)
    one.put(NAME, Contact(failures=4))
    other.update(NAME, lambda contact: replace(contact, state="synced"))
    other.put(OTHER, Contact(objects=1))
    one.update(NAME, lambda contact: replace(contact, version="v1"))
    found = FileContacts(path)
    assert found.get(NAME) == Contact(failures=4, state="synced", version="v1")
    assert found.get(OTHER).objects == 1
