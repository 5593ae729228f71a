"""Repositories made to deceive: each attack is refused with its own code, or changes nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from git_fixtures import FleetRepo

from reconciler.errors import RepositoryError
from reconciler.repository import (
    CorruptObjectError,
    LimitError,
    MalformedObjectError,
    MissingObjectError,
    OwnershipError,
    Repository,
    ShallowError,
    UnsafeTreeError,
)

WHO = "A <a@x> 1700000000 +0000"


@pytest.fixture
def fleet(tmp_path: Path) -> FleetRepo:
    return FleetRepo(tmp_path)


def opened(fleet: FleetRepo) -> Repository:
    return Repository.open(str(fleet.path), cache_dir=fleet.root / "cache")


def tree(fleet: FleetRepo, *entries: tuple[str, bytes, str]) -> str:
    """A tree with any entries (mode, name, id), sorted as git does."""
    ordered = sorted(entries, key=lambda e: e[1] + b"/" if e[0] == "40000" else e[1])
    raw = b"".join(f"{mode} ".encode() + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in ordered)
    return fleet.write_object("tree", raw)


def commit_tree(fleet: FleetRepo, oid: str, *parents: str) -> str:
    lines = [
        f"tree {oid}",
        *(f"parent {p}" for p in parents),
        f"author {WHO}",
        f"committer {WHO}",
        "",
        "m",
        "",
    ]
    return fleet.write_object("commit", "\n".join(lines).encode())


def codes_of(fleet: FleetRepo, commit: str) -> list[str]:
    with pytest.raises(UnsafeTreeError) as caught:
        opened(fleet).snapshot(commit)
    assert str(caught.value).isprintable()
    assert all(finding.message.isprintable() and finding.hint for finding in caught.value.findings)
    return [finding.code for finding in caught.value.findings]


def test_replace_refs_change_nothing(fleet: FleetRepo) -> None:
    good = fleet.commit({"federation.yaml": "good"})
    evil = fleet.commit({"federation.yaml": "evil"})
    fleet.git("replace", good, evil)
    assert fleet.git("show", f"{good}:federation.yaml") == "evil"  # git is deceived
    repo = opened(fleet)
    assert repo.snapshot(good).read("federation.yaml") == b"good"
    assert [c.id for c in repo.commits(good, evil)] == [evil]


def test_grafts_change_nothing(fleet: FleetRepo) -> None:
    ids = [fleet.commit({"a": str(number)}) for number in range(4)]
    (fleet.path / ".git/info").mkdir(exist_ok=True)
    (fleet.path / ".git/info/grafts").write_text(f"{ids[3]} {ids[0]}\n")
    assert fleet.git("rev-list", f"{ids[0]}..{ids[3]}").split() == [ids[3]]  # git is deceived
    assert [c.id for c in opened(fleet).commits(ids[0], ids[3])] == ids[1:]


def test_a_forged_shallow_boundary_changes_nothing(fleet: FleetRepo) -> None:
    ids = [fleet.commit({"a": str(number)}) for number in range(3)]
    (fleet.path / ".git/shallow").write_text(f"{ids[2]}\n")
    assert fleet.git("rev-list", ids[2]).split() == [ids[2]]  # git is deceived
    assert [c.id for c in opened(fleet).commits(ids[0], ids[2])] == ids[1:]


def test_a_shallow_clone_says_how_to_mend_it(fleet: FleetRepo) -> None:
    ids = [fleet.commit({"a": str(number)}) for number in range(5)]
    fleet.git("clone", "-q", "--depth=2", f"file://{fleet.path}", str(fleet.root / "clone"))
    repo = Repository.open(str(fleet.root / "clone"), cache_dir=fleet.root / "cache")
    assert [c.id for c in repo.commits(ids[3], ids[4])] == [ids[4]]
    with pytest.raises(ShallowError, match="git fetch --unshallow"):
        repo.commits(ids[0], ids[4])


def test_both_parents_of_a_merge_are_in_the_range(fleet: FleetRepo) -> None:
    old = fleet.commit({"a": "1"})
    fleet.git("checkout", "-qb", "side")
    hidden = fleet.commit({"b": "1"}, sign=False)
    fleet.git("checkout", "-q", "main")
    merge = fleet.merge("side")
    found = {c.id: c.signature for c in opened(fleet).commits(old, merge)}
    assert set(found) == {hidden, merge}
    assert found[hidden] is None


@pytest.mark.parametrize(
    "lines",
    [
        ["tree {t}", "tree {t}", "author {w}", "committer {w}"],
        ["tree {t}", "author {w}", "author {w}", "committer {w}"],
        ["tree {t}", "author {w}", "committer {w}", "committer {w}"],
        ["tree {t}", "author {w}", "committer {w}", "gpgsig a", "gpgsig b"],
        ["tree {t}", "author {w}", "committer {w}", "gpgsig a", "gpgsig-sha256 b"],
        ["tree {t}", "gpgsig a", "author {w}", "committer {w}"],
        ["author {w}", "tree {t}", "committer {w}"],
        ["tree {t}", "author {w}", "parent {t}", "committer {w}"],
        ["tree {t}", "author {w}", "committer {w}", "parent {t}"],
        ["tree {t}", "author {w}", "committer {w}", "tree {t}"],
        ["tree {t}", "author {w}"],
        ["tree {t} ", "author {w}", "committer {w}"],
        ["tree nothing", "author {w}", "committer {w}"],
        ["tree {t}", "author A a@x 1 +0000", "committer {w}"],
        ["tree {t}", "author {w}", "committer A <a@x> -5 +0000"],
        ["tree {t}", "author {w}", "committer A <a@x> 999999999999 +0000"],
        ["tree {t}", "author {w}", "committer {w}", "garbage"],
        ["tree {t}", "author {w}", "committer {w}\r"],
    ],
)
def test_commits_that_git_would_not_write(fleet: FleetRepo, lines: list[str]) -> None:
    empty = fleet.write_object("tree", b"")
    raw = "\n".join([*(line.format(t=empty, w=WHO) for line in lines), "", "message\n"]).encode()
    with pytest.raises(MalformedObjectError, match="FW1105"):
        opened(fleet).commit(fleet.write_object("commit", raw))


def test_a_nul_in_a_message_is_refused(fleet: FleetRepo) -> None:
    head = fleet.commit({"a": "1"}, sign=False)
    raw = fleet.git("cat-file", "commit", head).encode() + b"\0hidden from git log"
    with pytest.raises(MalformedObjectError, match="NUL"):
        opened(fleet).commit(fleet.write_object("commit", raw))


def test_symlinks_and_submodules_are_all_named(fleet: FleetRepo) -> None:
    fleet.commit({"federation.yaml": "1", "elsewhere/x": "1"})
    (fleet.path / "clusters").mkdir()
    (fleet.path / "clusters/evil.yaml").symlink_to("/etc/passwd")
    (fleet.path / "elsewhere/link").symlink_to("/etc/passwd")
    (fleet.path / "policies").symlink_to("elsewhere")
    fleet.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},schemas/sub")
    fleet.git("add", "clusters", "policies", "elsewhere")
    fleet.git("-c", "user.name=a", "-c", "user.email=a@x", "commit", "-qm", "x")
    with pytest.raises(UnsafeTreeError, match="FW1110") as caught:
        opened(fleet).snapshot(fleet.head())
    found = {(f.code, f.source.path if f.source else "", f.got) for f in caught.value.findings}
    assert found == {
        ("FW1120", "clusters/evil.yaml", "target /etc/passwd"),
        ("FW1120", "policies", "target elsewhere"),
        ("FW1121", "schemas/sub", f"commit {'1' * 40}"),
    }
    with pytest.raises(UnsafeTreeError) as on_disk:
        opened(fleet).worktree()
    assert {f.code for f in on_disk.value.findings} == {"FW1120", "FW1121"}


@pytest.mark.parametrize(
    "name",
    [
        b"..",
        b".",
        b".git",
        b".GIT",
        b".git.",
        b"GIT~1",
        b"...",
        b" ",
        b"a\nb.yaml",
        b"a\x1b[2Jb.yaml",
        b"a\x7f",
        b"a\xc2\x9bb",
        b"\xff\xfe.yaml",
        b"a\\..\\b",
        "abc\u202elmay.x".encode(),
        "a\u200bb.yaml".encode(),
        "a\u2028b".encode(),
        b".\xe2\x80\x8cgit",
    ],
)
def test_names_that_deceive(fleet: FleetRepo, name: bytes) -> None:
    blob = fleet.write_object("blob", b"x")
    for entry in [("100644", name, blob), ("40000", name, tree(fleet, ("100644", b"x.yaml", blob)))]:
        folder = tree(fleet, entry, ("100644", b"ok.yaml", blob))
        assert codes_of(fleet, commit_tree(fleet, tree(fleet, ("40000", b"policies", folder)))) == ["FW1122"]


def test_a_slash_in_a_name_is_refused(fleet: FleetRepo) -> None:
    blob = fleet.write_object("blob", b"x")
    folder = tree(fleet, ("100644", b"../../federation.yaml", blob))
    assert codes_of(fleet, commit_tree(fleet, tree(fleet, ("40000", b"clusters", folder)))) == ["FW1122"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"a.yaml", b"A.yaml"),
        ("stra\u00dfe".encode(), b"STRASSE"),
        ("caf\u00e9".encode(), "cafe\u0301".encode()),
    ],
)
def test_names_that_collide(fleet: FleetRepo, one: bytes, other: bytes) -> None:
    blob = fleet.write_object("blob", b"x")
    folder = tree(fleet, ("100644", one, blob), ("100644", other, blob))
    assert codes_of(fleet, commit_tree(fleet, tree(fleet, ("40000", b"clusters", folder)))) == ["FW1123"]


@pytest.mark.parametrize("name", [b"Clusters", b"FEDERATION.yaml"])
def test_a_fleet_folder_in_other_case_is_refused(fleet: FleetRepo, name: bytes) -> None:
    folder = tree(fleet, ("100644", b"x.yaml", fleet.write_object("blob", b"x")))
    assert codes_of(fleet, commit_tree(fleet, tree(fleet, ("40000", name, folder)))) == ["FW1123"]


def test_a_file_where_a_folder_belongs(fleet: FleetRepo) -> None:
    blob = fleet.write_object("blob", b"x")
    swapped = tree(fleet, ("100644", b"clusters", blob), ("40000", b"federation.yaml", tree(fleet)))
    assert codes_of(fleet, commit_tree(fleet, swapped)) == ["FW1124", "FW1124"]


@pytest.mark.parametrize(
    "raw",
    [
        b"100644 b\0" + bytes(20) + b"100644 a\0" + bytes(20),
        b"100644 a\0" + bytes(20) + b"100644 a\0" + bytes(20),
        b"100644 a\0" + bytes(19),
        b"100644 a\0" + bytes(20) + b"x",
        b"100600 a\0" + bytes(20),
        b"040000 a\0" + bytes(20),
        b"100644 \0" + bytes(20),
    ],
)
def test_trees_that_git_would_not_write(fleet: FleetRepo, raw: bytes) -> None:
    bad = fleet.write_object("tree", raw)
    for root in (bad, tree(fleet, ("40000", b"clusters", bad))):
        with pytest.raises(MalformedObjectError, match="FW1105"):
            opened(fleet).snapshot(commit_tree(fleet, root))


def test_bounds(fleet: FleetRepo) -> None:
    large = fleet.commit({"policies/large.yaml": "x" * ((1 << 20) + 1)})
    assert codes_of(fleet, large) == ["FW1125"]
    blob = fleet.write_object("blob", b"x")
    oid = tree(fleet, ("100644", b"x.yaml", blob))
    for _ in range(70):
        oid = tree(fleet, ("40000", b"d", oid))
    with pytest.raises(LimitError, match="64 levels"):
        opened(fleet).snapshot(commit_tree(fleet, tree(fleet, ("40000", b"policies", oid))))


def test_a_tree_bomb_ends_at_the_bound(fleet: FleetRepo) -> None:
    """Ten levels of one tree named ten times: 10 billion files from eleven objects."""
    oid = tree(fleet, *(("100644", f"f{n}".encode(), fleet.write_object("blob", b"x")) for n in range(10)))
    for _ in range(9):
        oid = tree(fleet, *(("40000", f"d{n}".encode(), oid) for n in range(10)))
    with pytest.raises(LimitError, match="too many files and folders"):
        opened(fleet).snapshot(commit_tree(fleet, tree(fleet, ("40000", b"policies", oid))))


def test_a_tree_bomb_without_files_ends_too(fleet: FleetRepo) -> None:
    oid = tree(fleet)
    for _ in range(10):
        oid = tree(fleet, *(("40000", f"d{n}".encode(), oid) for n in range(10)))
    with pytest.raises(LimitError, match="too many files and folders"):
        opened(fleet).snapshot(commit_tree(fleet, tree(fleet, ("40000", b"policies", oid))))


def object_file(fleet: FleetRepo, oid: str) -> Path:
    return fleet.path / ".git/objects" / oid[:2] / oid[2:]


def test_corrupt_and_missing_objects_are_found(fleet: FleetRepo) -> None:
    head = fleet.commit({"federation.yaml": "good", "clusters/a.yaml": "1"})
    evil = fleet.write_object("blob", b"evil")
    blob = fleet.head("HEAD:federation.yaml")
    place = object_file(fleet, blob)
    place.unlink()
    place.write_bytes(object_file(fleet, evil).read_bytes())  # well formed, under another name
    with pytest.raises(CorruptObjectError, match="FW1104"):
        opened(fleet).snapshot(head).read("federation.yaml")
    place.write_bytes(b"not zlib")
    with pytest.raises(CorruptObjectError, match="FW1104"):
        opened(fleet).snapshot(head).read("federation.yaml")
    object_file(fleet, fleet.head("HEAD:clusters")).unlink()
    with pytest.raises(MissingObjectError, match="FW1103"):
        opened(fleet).snapshot(head)


_UNCHECKED = """
import sys
from pathlib import Path
import pygit2
from reconciler.repository import Repository
pygit2.option(pygit2.enums.Option.ENABLE_STRICT_HASH_VERIFICATION, False)
pygit2.Repository(sys.argv[1])[sys.argv[2]].data  # libgit2 is content now
try:
    Repository.open(sys.argv[1], cache_dir=Path()).snapshot(sys.argv[3]).read("federation.yaml")
except Exception as error:
    print(error)
"""


def test_hashes_are_checked_here_and_not_only_by_libgit2(fleet: FleetRepo) -> None:
    head = fleet.commit({"federation.yaml": "good"})
    blob = fleet.head("HEAD:federation.yaml")
    place = object_file(fleet, blob)
    place.unlink()
    place.write_bytes(object_file(fleet, fleet.write_object("blob", b"evil")).read_bytes())
    command = [sys.executable, "-c", _UNCHECKED, str(fleet.path), blob, head]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("FW1104")


def test_a_tree_where_a_blob_belongs(fleet: FleetRepo) -> None:
    wrong = tree(fleet, ("100644", b"federation.yaml", tree(fleet)))
    with pytest.raises(RepositoryError, match="FW1104"):
        opened(fleet).snapshot(commit_tree(fleet, wrong))


def test_special_files_in_the_worktree(fleet: FleetRepo) -> None:
    fleet.commit({"federation.yaml": "1", "clusters/a.yaml": "1"})
    os.mkfifo(fleet.path / "clusters/pipe.yaml")
    (fleet.path / "clusters/A.yaml").write_text("2")
    (fleet.path / "policies/nested/.git").mkdir(parents=True)
    (fleet.path / "policies/nested/x.yaml").write_text("x")
    Path(os.fsdecode(os.fsencode(str(fleet.path)) + b"/clusters/\xff.yaml")).write_text("x")
    with pytest.raises(UnsafeTreeError) as caught:
        opened(fleet).worktree()
    assert {f.code for f in caught.value.findings} == {"FW1121", "FW1122", "FW1123", "FW1124"}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a repository away")
def test_a_strangers_repository_is_refused(fleet: FleetRepo) -> None:
    fleet.commit({"federation.yaml": "1"})
    for place in (fleet.path, fleet.path / ".git"):
        os.chown(place, 12345, 12345)
    with pytest.raises(OwnershipError, match=r"safe\.directory"):
        opened(fleet)
