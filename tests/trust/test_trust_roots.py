"""Which root judges which commit, over histories of any shape."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.documents import TrustedSigner, TrustRoot
from reconciler.trust.errors import RootVersionError
from reconciler.trust.roots import MAX_CHANGES, Roots
from reconciler.trust.rules import FEDERATION
from reconciler.trust.verdicts import Candidate

SEEN = datetime(2026, 1, 1, tzinfo=UTC)
BASE = TrustRoot((TrustedSigner("base"),), version=1, digest="base")
# Of each commit: its parents among those before it, and the version of the root that it makes (0: none).
histories = st.lists(
    st.tuples(
        st.lists(st.integers(0, 9), max_size=3, unique=True), st.sampled_from((0, 0, 0, 1, 2, 2, 3, 3, 4))
    ),
    min_size=1,
    max_size=10,
)
Shape = list[tuple[list[int], int]]


def root(number: int, version: int) -> TrustRoot:
    return TrustRoot((TrustedSigner(f"of-{number}"),), version=version, digest=f"{number}")


def commits(shape: Shape) -> list[Candidate]:
    made = []
    for number, (above, version) in enumerate(shape):
        parents = tuple(str(one) for one in above if one < number)
        paths, own = ((FEDERATION,), root(number, version)) if version else ((), None)
        made.append(Candidate(str(number), parents, b"", None, paths, own, SEEN))
    return made


def reached(shape: Shape, start: int) -> set[int]:
    found, queue = set(), [start]
    while queue:
        if (at := queue.pop()) not in found:
            found.add(at)
            queue += [one for one in shape[at][0] if one < at]
    return found


@given(histories, st.randoms(use_true_random=False))
def test_the_order_of_parents_and_of_commits_says_nothing(shape: Shape, random: st.random_module) -> None:
    roots = Roots(BASE, commits(shape))
    turned = [(random.sample(above, len(above)), version) for above, version in shape]
    order = commits(turned)
    free, placed = order, []
    while free:  # another order with parents first
        ready = [one for one in free if not {other.id for other in free} & set(one.parents)]
        placed.append(random.choice(ready))
        free = [one for one in free if one.id != placed[-1].id]
    again = Roots(BASE, placed)
    for commit in order:
        assert set(again.of(commit.id)) == set(roots.of(commit.id))


@given(histories)
def test_no_root_judges_what_it_builds_on_and_none_is_older_than_what_is_below(shape: Shape) -> None:
    roots = Roots(BASE, commits(shape))
    for number in range(len(shape)):
        for one in roots.of(str(number)):
            if one != BASE:
                maker = int(one.signers[0].name.removeprefix("of-"))
                assert number not in reached(shape, maker)
    used = {one for number in range(len(shape)) for one in roots.of(str(number))} | {roots.last()}
    for one in used - {BASE}:
        maker = one.signers[0].name.removeprefix("of-")
        first = roots.of(maker)[0]
        assert first.version == one.version - 1, "judged first by a root of the version before"


def test_a_root_judges_beside_and_above_itself_and_not_below() -> None:
    #    0 --- 1 (change) --- 3 --- 4
    #     \\_____ 2 ___________/
    roots = Roots(BASE, commits([([], 0), ([0], 2), ([0], 0), ([2, 1], 0), ([3], 0)]))
    new = root(1, 2)
    assert [roots.of(str(number)) for number in range(5)] == [(BASE,), (BASE,), (new,), (new,), (new,)]
    assert roots.last() == new


def test_rivals_judge_each_other_and_what_builds_on_both() -> None:
    #    0 --- 1 (v2) --- 3 ---- 5 --- 6 (v3) --- 7
    #     \\_____ 2 (v2) --- 4 ---/
    shape: Shape = [([], 0), ([0], 2), ([0], 2), ([1], 0), ([2], 0), ([3, 4], 0), ([5], 3), ([6], 0)]
    roots = Roots(BASE, commits(shape))
    one, other, settled = root(1, 2), root(2, 2), root(6, 3)
    assert roots.of("0") == (BASE,)
    assert (roots.of("1"), roots.of("2")) == ((BASE, other), (BASE, one))
    assert (roots.of("3"), roots.of("4")) == ((one,), (other,))
    assert set(roots.of("5")) == set(roots.of("6")) == {one, other}
    assert roots.of("7") == (settled,)


def test_a_version_that_does_not_follow_counts_for_nothing() -> None:
    roots = Roots(BASE, commits([([], 3), ([0], 0), ([1], 1), ([2], 0)]))
    assert [roots.of(str(number)) for number in range(4)] == [(BASE,)] * 4


def test_too_many_changes_at_once_are_refused() -> None:
    line: Shape = [([number - 1] if number else [], number + 2) for number in range(MAX_CHANGES)]
    assert Roots(BASE, commits(line)).last().version == MAX_CHANGES + 1
    with pytest.raises(RootVersionError, match="FW1262"):
        Roots(BASE, commits([*line, ([MAX_CHANGES - 1], MAX_CHANGES + 2)]))
