"""What a commit authors, over merges made by real git and merges that lie."""

from __future__ import annotations

from pathlib import Path

import pytest
from git_fixtures import FleetRepo

from reconciler.repository import Repository


@pytest.fixture
def fleet(tmp_path: Path) -> FleetRepo:
    made = FleetRepo(tmp_path)
    lines = "".join(f"line {n}\n" for n in range(20))
    made.commit({"a": "1\n", "folder/b": lines, "folder/c": "1\n"})
    return made


def authored(fleet: FleetRepo, commit: str) -> tuple[str, ...]:
    repo = Repository.open(str(fleet.path), cache_dir=fleet.root / "cache")
    return repo.authored(repo.commit(commit))


def branch(fleet: FleetRepo, here: dict[str, str | None], there: dict[str, str | None]) -> None:
    """main gets ``here``, the branch side ``there``."""
    fleet.git("checkout", "-qb", "side")
    fleet.commit(there)
    fleet.git("checkout", "-q", "main")
    fleet.commit(here)


def merged_as(fleet: FleetRepo, files: dict[str, str | None]) -> str:
    """A merge of side that carries ``files`` besides."""
    fleet.git(
        "-c",
        "user.name=x",
        "-c",
        "user.email=x@x",
        "merge",
        "-q",
        "--no-ff",
        "--no-commit",
        "-s",
        "ours",
        "side",
    )
    return fleet.commit(files)


def test_the_first_commit_and_a_plain_one(fleet: FleetRepo) -> None:
    assert authored(fleet, fleet.head()) == ("a", "folder/b", "folder/c")
    commit = fleet.commit({"a": None, "new/x": "1", "folder/c": "2\n"})
    assert authored(fleet, commit) == ("a", "folder/c", "new/x")
    fleet.git("mv", "new/x", "new/y")
    assert authored(fleet, fleet.commit({})) == ("new/x", "new/y")
    (fleet.path / "new/y").chmod(0o755)
    assert authored(fleet, fleet.commit({})) == ("new/y",)


def test_a_clean_merge_authors_nothing(fleet: FleetRepo) -> None:
    branch(fleet, {"a": "2\n", "new": "x"}, {"folder/c": "2\n", "folder/d": "y", "same": "z"})
    assert authored(fleet, fleet.merge("side")) == ()


def test_both_sides_make_the_same_change(fleet: FleetRepo) -> None:
    branch(fleet, {"a": "2\n"}, {"a": "2\n", "x": "1"})
    assert authored(fleet, fleet.merge("side")) == ()


def test_one_file_merged_line_by_line_authors_nothing(fleet: FleetRepo) -> None:
    text = (fleet.path / "folder/b").read_text()
    branch(
        fleet,
        {"folder/b": text.replace("line 1\n", "first\n")},
        {"folder/b": text.replace("line 18\n", "last\n")},
    )
    assert authored(fleet, fleet.merge("side")) == ()


def test_a_rename_under_an_edit_is_authored_by_who_merges_it(fleet: FleetRepo) -> None:
    """Git lets the edit follow the file; who agreed to it agreed to it at the old path."""
    text = (fleet.path / "folder/b").read_text()
    branch(fleet, {"folder/b": None, "folder/moved": text}, {"folder/b": text.replace("line 18", "last")})
    merge = fleet.merge("side")
    assert "last" in fleet.git("show", f"{merge}:folder/moved")
    assert authored(fleet, merge) == ("folder/b", "folder/moved")


def test_a_merge_that_slips_something_in(fleet: FleetRepo) -> None:
    branch(fleet, {"a": "2\n"}, {"folder/c": "2\n"})
    assert authored(fleet, merged_as(fleet, {"folder/c": "2\n", "evil": "1"})) == ("evil",)


def test_a_merge_that_drops_what_one_side_brought(fleet: FleetRepo) -> None:
    branch(fleet, {"a": "2\n"}, {"folder/c": "2\n"})
    assert authored(fleet, merged_as(fleet, {})) == ("folder/c",)


def test_a_merge_that_undoes_the_first_side(fleet: FleetRepo) -> None:
    branch(fleet, {"a": "2\n"}, {"folder/c": "2\n"})
    assert authored(fleet, merged_as(fleet, {"a": "1\n", "folder/c": "2\n"})) == ("a",)


def test_a_conflict_is_authored_by_who_settles_it(fleet: FleetRepo) -> None:
    branch(fleet, {"a": "2\n"}, {"a": "3\n"})
    assert authored(fleet, merged_as(fleet, {"a": "2\n"})) == ("a",)
    branch_text = "deleted here, edited there"
    fleet.git("branch", "-D", "side")
    branch(fleet, {"folder/c": None}, {"folder/c": branch_text})
    assert authored(fleet, merged_as(fleet, {})) == ("folder/c",)


def test_a_line_slipped_into_a_merged_file(fleet: FleetRepo) -> None:
    text = (fleet.path / "folder/b").read_text()
    one, other = text.replace("line 1\n", "first\n"), text.replace("line 18\n", "last\n")
    branch(fleet, {"folder/b": one}, {"folder/b": other})
    both = one.replace("line 18\n", "last\n")
    assert authored(fleet, merged_as(fleet, {"folder/b": both.replace("line 9\n", "evil\n")})) == (
        "folder/b",
    )


def test_a_file_where_the_other_side_has_a_folder(fleet: FleetRepo) -> None:
    branch(fleet, {"x": "file"}, {"x/y": "in a folder"})
    assert "x" in authored(fleet, merged_as(fleet, {"x": "file"}))


def test_an_octopus_is_held_against_all_its_parents(fleet: FleetRepo) -> None:
    base = fleet.head()
    for name in ("one", "two"):
        fleet.git("checkout", "-qb", name, base)
        fleet.commit({name: "1"})
    fleet.git("checkout", "-q", "main")
    fleet.commit({"a": "2\n"})
    assert authored(fleet, fleet.merge("one", "two")) == ("a", "one", "two")


def test_histories_without_a_common_start(fleet: FleetRepo) -> None:
    fleet.git("checkout", "-q", "--orphan", "side")
    fleet.git("rm", "-rfq", ".")
    fleet.commit({"other": "1"})
    fleet.git("checkout", "-q", "main")
    who = ("-c", "user.name=x", "-c", "user.email=x@x")
    fleet.git(*who, "merge", "-q", "--no-ff", "--no-commit", "--allow-unrelated-histories", "side")
    assert authored(fleet, fleet.commit({})) == ()


def test_a_criss_cross_merge_authors_nothing(fleet: FleetRepo) -> None:
    branch(fleet, {"a": "2\n"}, {"folder/c": "2\n"})
    main, side = fleet.head(), fleet.head("side")
    fleet.merge("side")
    fleet.git("checkout", "-q", "side")
    fleet.merge(main)
    fleet.commit({"x": "1"})
    fleet.git("checkout", "-q", "main")
    fleet.commit({"y": "1"})
    assert side
    assert authored(fleet, fleet.merge("side")) == ()
