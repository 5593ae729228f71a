"""Where two histories meet, beside ``git merge-base --all``, over histories of any shape and any dates."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pygit2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.repository import history
from reconciler.repository.errors import LimitError, MissingObjectError
from reconciler.repository.objects import Objects

# Of each commit: its date, and its parents among the commits before it.
histories = st.lists(
    st.tuples(st.integers(1, 2_000_000_000), st.sets(st.integers(0, 11), max_size=3)), min_size=2, max_size=12
)


def made(folder: Path, shape: list[tuple[int, set[int]]]) -> tuple[pygit2.Repository, list[str]]:
    repo = pygit2.init_repository(str(folder), bare=True)
    tree, commits = repo.TreeBuilder().write(), []
    for number, (date, above) in enumerate(shape):
        who = pygit2.Signature("x", "x@x", date, 0)
        parents = [commits[one] for one in sorted(above) if one < number]
        commits.append(str(repo.create_commit(None, who, who, f"{number}", tree, parents)))
    return repo, commits


def of_git(folder: Path, one: str, other: str) -> tuple[str, ...]:
    done = subprocess.run(
        ["git", "-C", str(folder), "merge-base", "--all", one, other], capture_output=True, text=True
    )
    assert done.returncode in (0, 1), done.stderr
    return tuple(sorted(done.stdout.split()))


@settings(deadline=None)
@given(histories, st.data())
def test_all_best_common_ancestors_whatever_the_dates(shape: list[tuple[int, set[int]]], data: st.DataObject):
    with tempfile.TemporaryDirectory() as name:
        repo, commits = made(Path(name), shape)
        one, other = data.draw(st.sampled_from(commits)), data.draw(st.sampled_from(commits))
        found = history.bases(Objects(repo), one, other, shallow=False)
        assert found == history.bases(Objects(repo), other, one, shallow=False)
        assert found == of_git(Path(name), one, other)


@pytest.mark.parametrize("date", [1, 9])
def test_an_ancestor_of_a_better_one_is_none(tmp_path: Path, date: int) -> None:
    """Both sides merged the older one too."""
    repo, commits = made(tmp_path, [(date, set()), (5, {0}), (6, {0, 1}), (7, {0, 1})])
    assert history.bases(Objects(repo), commits[2], commits[3], shallow=False) == (commits[1],)
    assert of_git(tmp_path, commits[2], commits[3]) == (commits[1],)


def test_a_merge_with_too_many_is_refused(tmp_path: Path) -> None:
    count = history.MAX_BASES + 1
    roots: list[tuple[int, set[int]]] = [(1, set()) for _ in range(count)]
    repo, commits = made(tmp_path, [*roots, (2, set(range(count))), (2, set(range(1, count))), (3, {0})])
    some = history.bases(Objects(repo), commits[count], commits[count + 1], shallow=False)
    assert len(some) == history.MAX_BASES
    both, _ = made(tmp_path, [])
    who = pygit2.Signature("x", "x@x", 4, 0)
    tree = both.TreeBuilder().write()
    ends = [str(both.create_commit(None, who, who, text, tree, commits[:count])) for text in "ab"]
    with pytest.raises(LimitError, match="FW11"):
        history.bases(Objects(both), *ends, shallow=False)


def test_history_that_ends_is_an_error_and_no_base(tmp_path: Path) -> None:
    repo, commits = made(tmp_path, [(1, set()), (2, {0}), (2, {0})])
    (tmp_path / "objects" / commits[0][:2] / commits[0][2:]).unlink()
    with pytest.raises(MissingObjectError):
        history.bases(Objects(repo), commits[1], commits[2], shallow=False)
