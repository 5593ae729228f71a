"""Whatever bytes come in, the parsers answer with a value or one of our errors; and ranges are exact."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.repository.commits import parse_commit
from reconciler.repository.errors import (
    LocationError,
    MalformedObjectError,
    MissingObjectError,
    NotDescendantError,
)
from reconciler.repository.history import between
from reconciler.repository.locations import parse_location
from reconciler.repository.objects import git_id
from reconciler.repository.trees import bad_names, parse_tree

OID = "0" * 40
GOOD = (
    b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nparent 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"
    b"author A <a@x> 1 +0000\ncommitter A <a@x> 2 +0000\nencoding UTF-8\ngpgsig a\n b\n\nmessage\n"
)


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_commit_parser_on_anything(raw: bytes) -> None:
    try:
        parse_commit(OID, raw)
    except MalformedObjectError as error:
        assert str(error).isprintable()


@settings(deadline=None)
@given(st.integers(0, len(GOOD)), st.binary(max_size=6), st.integers(0, 12))
def test_commit_parser_on_almost_good(at: int, insert: bytes, cut: int) -> None:
    raw = GOOD[:at] + insert + GOOD[at + cut :]
    try:
        commit = parse_commit(OID, raw)
    except MalformedObjectError:
        return
    # Nothing is lost: payload and signature are the object, but for the header's name and folding.
    signed = b"" if commit.signature is None else b"gpgsig " + commit.signature.replace(b"\n", b"\n ") + b"\n"
    assert len(commit.payload) + len(signed) == len(raw)
    assert signed in raw
    assert commit.subject.isprintable()


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_tree_parser_on_anything(raw: bytes) -> None:
    try:
        entries = parse_tree(OID, raw)
    except MalformedObjectError as error:
        assert str(error).isprintable()
        return
    assert b"".join(b"%s %s\0%s" % entry for entry in entries) == raw


@settings(deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=8), max_size=6))
def test_names_judged_together_or_alone_are_judged_the_same(names: list[bytes]) -> None:
    assert bad_names(names) == [found for name in names for found in bad_names([name])]


@settings(deadline=None)
@given(
    st.text(max_size=60) | st.builds("{}://{}".format, st.sampled_from(["https", "ssh", "file"]), st.text())
)
def test_locations_on_anything(location: str) -> None:
    try:
        assert parse_location(location).shown.isprintable()
    except LocationError as error:
        assert str(error).isprintable()


class Memory:
    """An object store of commits in memory, with any dates."""

    def __init__(self) -> None:
        self.raw: dict[str, bytes] = {}

    def add(self, parents: list[str], date: int) -> str:
        lines = ["tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904", *(f"parent {p}" for p in parents)]
        who = f"A <a@x> {date} +0000"
        raw = "\n".join([*lines, f"author {who}", f"committer {who}", "", str(len(self.raw))]).encode()
        oid = git_id("commit", raw)
        self.raw[oid] = raw
        return oid

    def has(self, oid: str) -> bool:
        return oid in self.raw

    def fetch(self, oid: str, kind: str) -> bytes:
        assert kind == "commit"
        if oid not in self.raw:
            raise MissingObjectError("missing", where=oid)
        return self.raw[oid]


def ancestors(parents: dict[str, list[str]], start: str) -> set[str]:
    seen, todo = set(), [start]
    while todo:
        oid = todo.pop()
        if oid not in seen:
            seen.add(oid)
            todo += parents[oid]
    return seen


def range_of(store: Memory, old: str, new: str) -> list[str]:
    return list(between(store, old, new, shallow=False))  # type: ignore[arg-type]


def test_what_turns_out_to_be_old_later_is_left_out() -> None:
    """A forged date on the way from old hides for a while that the merged branch was accepted before."""
    store = Memory()
    base = store.add([store.add([], 10)], 1000)
    old = store.add([store.add([base], 1)], 500)
    new = store.add([old, base], 2000)
    assert range_of(store, old, new) == [new]


def test_history_that_ends_below_old_does_not_matter() -> None:
    """A shallow clone has nothing below old; it is looked for, since the side branch claims to be older."""
    store = Memory()
    old = store.add(["1" * 40], 1000)
    side = store.add([old], 5)
    new = store.add([old, side], 3000)
    assert range_of(store, old, new) == [side, new]


@settings(deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_a_range_against_the_plain_definition(seed: int, honest: bool) -> None:
    """Any graph: nothing of old..new is ever left out; with honest dates nothing is too many either."""
    rng = random.Random(seed)  # noqa: S311 - a graph, not a secret
    store, parents, order = Memory(), {}, []
    for number in range(rng.randint(2, 25)):
        chosen = rng.sample(order, min(len(order), rng.choice([0, 1, 1, 1, 2, 3])))
        date = 1000 + number if honest else rng.randint(0, 2000)
        oid = store.add(chosen, date)
        parents[oid] = chosen
        order.append(oid)
    old, new = rng.choice(order), order[-1]
    expected = ancestors(parents, new) - ancestors(parents, old)
    try:
        found = between(store, old, new, shallow=False)  # type: ignore[arg-type]
    except NotDescendantError:
        assert old not in ancestors(parents, new)
        return
    assert old in ancestors(parents, new)
    assert set(found) >= expected
    assert len(set(found)) == len(found)
    assert not honest or set(found) == expected
    places = {oid: place for place, oid in enumerate(found)}
    assert all(places[p] < places[c] for c in found for p in parents[c] if p in places)
