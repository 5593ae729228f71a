"""Repository against real git: what it reads is what git has."""

from pathlib import Path

import pytest
from git_fixtures import FleetRepo

from reconciler.repository import (
    LocationError,
    MissingPathError,
    NotDescendantError,
    Repository,
    RevisionError,
    WorktreeError,
)


@pytest.fixture
def fleet(tmp_path: Path) -> FleetRepo:
    return FleetRepo(tmp_path)


def opened(fleet: FleetRepo) -> Repository:
    return Repository.open(str(fleet.path), cache_dir=fleet.root / "cache")


def between_by_git(fleet: FleetRepo, old: str, new: str) -> set[str]:
    return set(fleet.git("rev-list", f"{old}..{new}").split())


def test_a_commit_is_read_as_git_shows_it(fleet: FleetRepo) -> None:
    head = fleet.commit({"federation.yaml": "a"}, message="Subject line\n\nBody")
    commit = opened(fleet).commit(head)
    shown = fleet.git("log", "-1", "--format=%T|%an|%ae|%ct|%s").strip().split("|")
    person = commit.author
    assert shown == [
        commit.tree,
        person.name,
        person.email,
        str(int(commit.committer.time.timestamp())),
        commit.subject,
    ]
    raw = fleet.git("cat-file", "commit", head)
    assert commit.signature is not None
    header = "gpgsig " + commit.signature.decode().replace("\n", "\n ") + "\n"
    assert raw.replace(header, "", 1).encode() == commit.payload


def test_a_snapshot_has_the_fleets_files_and_no_others(fleet: FleetRepo) -> None:
    files = {
        "federation.yaml": "f",
        "clusters/a.yaml": "a",
        "policies/rbac/deep/x.yaml": "x",
        "schemas/v1/K.json": "{}",
        "README.md": "not the fleet's",
        "policies.txt": "nor this",
    }
    head = fleet.commit(files)
    snapshot = opened(fleet).snapshot(head)
    wanted = sorted(name for name in files if name not in ("README.md", "policies.txt"))
    assert list(snapshot.files) == wanted
    assert {path: snapshot.read(path).decode() for path in wanted} == {path: files[path] for path in wanted}
    assert all(fleet.head(f"{head}:{path}") == blob for path, blob in snapshot.files.items())
    assert snapshot.tree == fleet.head("HEAD^{tree}")
    with pytest.raises(MissingPathError, match="FW1114"):
        snapshot.read("clusters/b.yaml")


def test_attributes_and_filters_change_nothing(fleet: FleetRepo) -> None:
    head = fleet.commit({".gitattributes": "* text eol=crlf ident\n", "federation.yaml": "$Id$\nline\n"})
    assert opened(fleet).snapshot(head).read("federation.yaml") == b"$Id$\nline\n"


@pytest.mark.parametrize(
    ("rev", "same_as"),
    [
        ("HEAD", "HEAD"),
        ("@", "HEAD"),
        ("main", "main"),
        ("refs/heads/main", "main"),
        ("main~1", "main~1"),
        ("main~2", "main~2"),
        ("main^", "main^"),
        ("HEAD^2", "HEAD^2"),
        ("HEAD^2~1", "HEAD^2~1"),
        ("HEAD^0", "HEAD"),
        ("v1", "v1^{commit}"),
        ("refs/tags/v1", "v1^{commit}"),
        ("side", "side"),
    ],
)
def test_revisions_mean_what_git_means(fleet: FleetRepo, rev: str, same_as: str) -> None:
    fleet.commit({"a": "1"})
    fleet.git("checkout", "-qb", "side")
    fleet.commit({"b": "1"})
    fleet.git("-c", "user.name=a", "-c", "user.email=a@x", "tag", "-a", "-m", "v1", "v1")
    fleet.git("checkout", "-q", "main")
    fleet.commit({"c": "1"})
    fleet.merge("side")
    assert opened(fleet).resolve(rev) == fleet.head(same_as)


def test_full_and_abbreviated_ids(fleet: FleetRepo) -> None:
    head = fleet.commit({"a": "1"})
    repo = opened(fleet)
    assert repo.resolve(head) == repo.resolve(head[:10]) == head


@pytest.mark.parametrize(
    "rev",
    [
        "--upload-pack=touch /tmp/x",
        "-x",
        "",
        "nope",
        "refs/heads/nope",
        "0" * 40,
        "abcdef0",
        "main..side",
        "main@{yesterday}",
        ":/change",
        "main:federation.yaml",
        "main^{tree}",
        "main~99999",
        "main^7",
        "main\n",
        "ma in",
        "\x1b[2J",
    ],
)
def test_odd_revisions_are_refused(fleet: FleetRepo, rev: str) -> None:
    fleet.commit({"federation.yaml": "1"})
    with pytest.raises(RevisionError, match="FW1102") as caught:
        opened(fleet).resolve(rev)
    assert str(caught.value).isprintable()


def test_a_name_that_is_tag_and_branch_is_refused(fleet: FleetRepo) -> None:
    fleet.commit({"a": "1"})
    fleet.git("tag", "main")
    fleet.commit({"a": "2"})
    with pytest.raises(RevisionError, match="ambiguous"):
        opened(fleet).resolve("main")
    assert opened(fleet).resolve("refs/heads/main") == fleet.head("refs/heads/main")


def test_a_tree_is_no_commit(fleet: FleetRepo) -> None:
    fleet.commit({"a": "1"})
    with pytest.raises(RevisionError, match="a tree"):
        opened(fleet).resolve(fleet.head("HEAD^{tree}"))


def test_a_range_over_merges_is_gits_range(fleet: FleetRepo) -> None:
    base = fleet.commit({"a": "1"})
    fleet.git("checkout", "-qb", "side")
    fleet.commit({"b": "1"})
    fleet.git("checkout", "-q", "main")
    old = fleet.commit({"a": "2"})
    fleet.git("checkout", "-q", "side")
    fleet.commit({"b": "2"})
    fleet.git("checkout", "-q", "main")
    fleet.commit({"a": "3"})
    new = fleet.merge("side")
    repo = opened(fleet)
    found = [commit.id for commit in repo.commits(old, new)]
    assert set(found) == between_by_git(fleet, old, new)
    assert len(found) == 4
    assert base not in found
    places = {oid: place for place, oid in enumerate(found)}
    for commit in repo.commits(old, new):
        assert all(places[p] < places[commit.id] for p in commit.parents if p in places)
    assert repo.commits(new, new) == ()
    assert len(repo.commits(None, new)) == 6


def test_forged_dates_hide_no_commit(fleet: FleetRepo) -> None:
    """Dates only choose the order of looking; whatever they claim, old..new is complete."""
    tree = fleet.write_object("tree", b"")

    def commit(date: int, *parents: str) -> str:
        lines = [f"tree {tree}", *(f"parent {p}" for p in parents), f"author A <a@x> {date} +0000"]
        return fleet.write_object(
            "commit", "\n".join([*lines, f"committer A <a@x> {date} +0000", "", "x"]).encode()
        )

    root = commit(5000)
    old = commit(10, commit(9_000_000_000, root))
    side = commit(1, commit(9_999_999_999, root))
    new = commit(0, commit(3, old), side)
    found = {c.id for c in opened(fleet).commits(old, new)}
    assert found >= between_by_git(fleet, old, new)
    assert old not in found


def test_a_ref_that_moves_back_is_refused(fleet: FleetRepo) -> None:
    first = fleet.commit({"a": "1"})
    second = fleet.commit({"a": "2"})
    fleet.git("checkout", "-q", "--orphan", "other")
    other = fleet.commit({"a": "3"})
    repo = opened(fleet)
    for old, new in [(second, first), (second, other), ("1" * 40, second)]:
        with pytest.raises(NotDescendantError, match="FW1107"):
            repo.commits(old, new)


def test_ids_must_be_full(fleet: FleetRepo) -> None:
    head = fleet.commit({"a": "1"})
    for bad in ("HEAD", head[:12], head.upper() if head.upper() != head else "x", ""):
        with pytest.raises(RevisionError):
            opened(fleet).commit(bad)


def test_worktree_is_what_git_add_all_would_commit(fleet: FleetRepo) -> None:
    fleet.commit(
        {
            ".gitignore": "*.tmp\nclusters/private/\n",
            "federation.yaml": "1",
            "clusters/a.yaml": "a",
            "policies/gone.yaml": "x",
        }
    )
    fleet.git("config", "core.fsmonitor", f"touch {fleet.root}/ran;")
    (fleet.path / "federation.yaml").write_text("changed")
    (fleet.path / "policies/gone.yaml").unlink()
    for name in ("clusters/new.yaml", "clusters/x.tmp", "clusters/private/s.yaml", "elsewhere.yaml"):
        (fleet.path / name).parent.mkdir(exist_ok=True)
        (fleet.path / name).write_text(name)
    snapshot = opened(fleet).worktree()
    assert sorted(snapshot.files) == ["clusters/a.yaml", "clusters/new.yaml", "federation.yaml"]
    assert not (fleet.root / "ran").exists()
    assert snapshot.commit == ""
    assert snapshot.read("federation.yaml") == b"changed"
    head = fleet.commit({})
    assert opened(fleet).snapshot(head).files == snapshot.files


def test_a_file_that_changes_meanwhile_is_noticed(fleet: FleetRepo) -> None:
    fleet.commit({"federation.yaml": "1"})
    snapshot = opened(fleet).worktree()
    (fleet.path / "federation.yaml").write_text("2")
    with pytest.raises(WorktreeError, match="changed"):
        snapshot.read("federation.yaml")


def test_a_bare_repository_has_no_worktree(tmp_path: Path) -> None:
    fleet = FleetRepo(tmp_path, bare=True)
    with pytest.raises(WorktreeError, match="FW1112"):
        opened(fleet).worktree()


def test_what_is_no_repository(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in ("nowhere", "file"):
        with pytest.raises(LocationError, match="FW1101"):
            Repository.open(str(tmp_path / name), cache_dir=tmp_path)


def test_sha256_repositories_say_so(tmp_path: Path) -> None:
    fleet = FleetRepo(tmp_path)
    fleet.git("init", "-q", "--object-format=sha256", "other", cwd=tmp_path)
    with pytest.raises(LocationError, match="SHA-256"):
        Repository.open(str(tmp_path / "other"), cache_dir=tmp_path)
