"""The Git ref store over real remotes: compare-and-swap, throw-away machines, hostile and hanging remotes."""

import os
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import pytest
from audit_helpers import ORIGIN, SIGNER, a_run, drift, fill, ticking_clock, trust

from reconciler.audit.codes import (
    LogConflictError,
    LogDamagedError,
    LogForkedError,
    LogStorageError,
    LogUncertainError,
)
from reconciler.audit.git_remote import safe_url, shown_url
from reconciler.audit.log import Log
from reconciler.audit.store_git import REF, GitStore


def git(repository: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(repository), *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    path = tmp_path / "remote.git"
    subprocess.run(["git", "init", "-q", "--bare", str(path)], check=True)
    return path


def open_git(remote: Path | str, scratch: Path, timeout: float = 60.0, **options: object) -> Log:
    url = f"file://{remote}" if isinstance(remote, Path) else remote
    store = GitStore(url, scratch=scratch, clock=ticking_clock(), timeout=timeout)
    return Log.open(store, SIGNER, origin=ORIGIN, clock=ticking_clock(), **options)  # type: ignore[arg-type]


def test_a_throw_away_machine_finds_the_log_again(remote: Path, tmp_path: Path):
    log = open_git(remote, tmp_path / "one")
    assert (log.size, log.checkpoint) == (0, b"")
    fill(log, 7)
    for machine in ("two", "three"):
        log = open_git(remote, tmp_path / machine)
        fill(log, log.size + 300)
    again = open_git(remote, tmp_path / "four")
    assert (again.size, again.root) == (607, log.root)
    assert again.verify().ok
    assert again.state().cluster("member-a").pending == ()
    assert git(remote, "rev-list", "--count", REF) == "4"  # one more for the empty tree's checkpoint
    assert git(remote, "fsck", "--strict") == ""
    assert "tile/entries/000.p" not in git(remote, "ls-tree", "-r", "--name-only", REF)


def test_the_tree_is_the_same_as_in_a_directory(remote: Path, tmp_path: Path):
    from audit_helpers import files_of, open_log

    fill(open_git(remote, tmp_path / "scratch"), 300, 100)
    fill(open_log(tmp_path / "directory"), 300, 100)
    names = git(remote, "ls-tree", "-r", "--name-only", REF).splitlines()
    stored = files_of(tmp_path / "directory")
    assert names == sorted(stored)
    archive = subprocess.run(
        ["git", "-C", str(remote), "archive", REF], check=True, capture_output=True
    ).stdout
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "-x", "-C", str(tmp_path / "out")], input=archive, check=True)
    assert files_of(tmp_path / "out") == stored


def test_the_second_of_two_writers_is_refused(remote: Path, tmp_path: Path):
    one, two = open_git(remote, tmp_path / "one"), open_git(remote, tmp_path / "two")
    one.append([trust()])
    with pytest.raises(LogConflictError, match="FW1804") as conflict:
        two.append([drift()])
    assert not isinstance(conflict.value, LogUncertainError)
    two = open_git(remote, tmp_path / "two")
    two.append([drift()])
    with pytest.raises(LogConflictError):
        one.append([drift()])
    kinds = [entry.kind for _, entry in open_git(remote, tmp_path / "three").entries()]
    assert kinds == ["trust-initialized", "drift"]


def test_a_scratch_that_another_process_shares_and_one_that_is_deleted(remote: Path, tmp_path: Path):
    one, two = open_git(remote, tmp_path / "s"), open_git(remote, tmp_path / "s")
    one.append([drift()])
    with pytest.raises(LogConflictError):
        two.append([drift()])
    subprocess.run(["rm", "-rf", str(tmp_path / "s")], check=True)
    assert open_git(remote, tmp_path / "s").append([drift()]) == range(1, 2)


def test_an_unchanged_ref_is_not_fetched_again_and_a_half_fetched_one_is(remote: Path, tmp_path: Path):
    fill(open_git(remote, tmp_path / "one"), 20)
    log = open_git(remote, tmp_path / "two")
    objects = sorted((tmp_path / "two/objects").rglob("*"))
    assert open_git(remote, tmp_path / "two").size == log.size
    assert sorted((tmp_path / "two/objects").rglob("*")) == objects
    # A fetch that was killed: the commit is there, its objects are not, and the ref was not moved yet.
    half = tmp_path / "three"
    subprocess.run(["git", "init", "-q", "--bare", str(half)], check=True)
    (tmp_path / "commit").write_bytes(f"{git(remote, 'cat-file', 'commit', REF)}\n".encode())
    tip = git(half, "hash-object", "-w", "-t", "commit", str(tmp_path / "commit"))
    assert tip == git(remote, "rev-parse", REF)
    assert open_git(remote, half).verify().ok


def test_a_ref_moved_back_is_seen_by_the_state_cache(remote: Path, tmp_path: Path):
    cache = tmp_path / "state.json"
    fill(open_git(remote, tmp_path / "one"), 5)
    old = git(remote, "rev-parse", REF)
    fill(open_git(remote, tmp_path / "one"), 9)
    open_git(remote, tmp_path / "one", state_cache=cache).state()
    git(remote, "update-ref", REF, old)
    with pytest.raises(Exception, match="FW1810"):
        open_git(remote, tmp_path / "one", state_cache=cache).state()
    git(remote, "update-ref", "-d", REF)
    with pytest.raises(Exception, match="FW1810"):
        open_git(remote, tmp_path / "one", state_cache=cache).append([drift()])
    branch = open_git(remote, tmp_path / "two")
    branch.append([drift(n) for n in range(12)])
    with pytest.raises(LogForkedError):
        open_git(remote, tmp_path / "one", state_cache=cache).state()


def test_a_foreign_commit_on_the_ref_is_damage(remote: Path, tmp_path: Path):
    (tmp_path / "x").write_text("x")
    blob = git(remote, "hash-object", "-w", str(tmp_path / "x"))
    inner = _mktree(remote, f"100644 blob {blob}\t000\n")
    tree = _mktree(remote, f"040000 tree {inner}\ttile\n120000 blob {blob}\tcheckpoint\n")
    who = ["-c", "user.name=x", "-c", "user.email=x"]
    git(remote, "update-ref", REF, git(remote, *who, "commit-tree", tree, "-m", "x"))
    with pytest.raises(LogDamagedError, match="no checkpoint"):
        open_git(remote, tmp_path / "s")


def _mktree(repository: Path, rows: str) -> str:
    command = ["git", "-C", str(repository), "mktree", "--missing"]
    return subprocess.run(command, input=rows, capture_output=True, text=True, check=True).stdout.strip()


def test_a_remote_that_refuses_the_push_publishes_nothing(remote: Path, tmp_path: Path):
    log = open_git(remote, tmp_path / "s")
    fill(log, 3)
    hook = remote / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho not allowed here >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(LogStorageError, match="not allowed here"):
        log.append([drift()])
    assert open_git(remote, tmp_path / "t").size == 3
    hook.unlink()
    assert log.append([drift()]) == range(3, 4)


@pytest.mark.real
def test_an_answer_that_never_comes_is_a_success_if_the_remote_has_it(remote: Path, tmp_path: Path):
    log = open_git(remote, tmp_path / "s", timeout=6.0)
    fill(log, 3)
    hook = remote / "hooks/post-update"  # runs when the ref has been moved
    hook.write_text("#!/bin/sh\nexec sleep 60\n")
    hook.chmod(0o755)
    started = time.monotonic()
    assert log.append([drift()]) == range(3, 4)
    assert time.monotonic() - started < 30
    hook.unlink()
    assert open_git(remote, tmp_path / "t").size == 4
    assert log.append([drift()]) == range(4, 5)


@pytest.mark.real
def test_a_push_that_hangs_before_the_ref_moves_is_uncertain(remote: Path, tmp_path: Path):
    log = open_git(remote, tmp_path / "s", timeout=6.0)
    fill(log, 3)
    hook = remote / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\nexec sleep 60\n")
    hook.chmod(0o755)
    with pytest.raises(LogUncertainError, match="FW1805"):
        log.append([drift()])
    with pytest.raises(LogConflictError):
        log.append([drift()])
    hook.unlink()
    assert open_git(remote, tmp_path / "s").append([drift()]) == range(3, 4)


@pytest.mark.real
def test_a_remote_that_hangs_ends_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GIT_SSH_COMMAND", "sh -c 'sleep 60 & sleep 60'")
    started = time.monotonic()
    with pytest.raises(LogStorageError, match="no answer within 1 s"):
        open_git("ssh://git@forge.example/fleet.git", tmp_path / "s", timeout=1.0)
    assert time.monotonic() - started < 20


def test_a_remote_that_is_not_there(tmp_path: Path):
    with pytest.raises(LogStorageError, match=r"FW1806: file:///.*ls-remote failed"):
        open_git(tmp_path / "nothing.git", tmp_path / "s")


OPTION_LIKE = [
    "--upload-pack=touch x",
    "-oProxyCommand=x",
    "ssh://-oProxyCommand=x/y",
    "ssh://a@-oX=x/y",
    "-h:x",
]
HELPERS = ["ext::sh -c x", "fd::7", "host::x", "transport::https://x"]
OTHERS = ["http://forge.example/x", "git://forge.example/x", "relative/path", "a\nb:c", "", "file:///a\n"]


@pytest.mark.parametrize("url", [*OPTION_LIKE, *HELPERS, *OTHERS])
def test_urls_that_git_is_never_given(tmp_path: Path, url: str):
    with pytest.raises(LogStorageError, match="must not be kept"):
        GitStore(url, scratch=tmp_path, clock=ticking_clock())


@pytest.mark.parametrize(
    "url",
    ["https://forge.example/x.git", "ssh://git@forge.example:22/x", "git@forge.example:t/x", "/srv/x.git"],
)
def test_urls_that_are_taken(url: str):
    assert safe_url(url) == url


@pytest.mark.parametrize("ref", ["main", "refs/heads/a b", "refs/x:y", "refs/x^", "--all", "refs/\n"])
def test_refs_that_git_is_never_given(tmp_path: Path, ref: str):
    with pytest.raises(LogStorageError, match="full ref name"):
        GitStore("/srv/x", scratch=tmp_path, clock=ticking_clock(), ref=ref)


def test_tokens_in_urls_are_never_shown(tmp_path: Path):
    url = "https://user:sekret@localhost:1/x.git"
    assert (
        shown_url(f"fatal: unable to access '{url}'") == "fatal: unable to access 'https://localhost:1/x.git'"
    )
    with pytest.raises(LogStorageError) as error:
        open_git(url, tmp_path / "s", timeout=10.0)
    assert "sekret" not in str(error.value)
    assert "sekret" not in str(GitStore(url, scratch=tmp_path, clock=ticking_clock()))


def test_a_surrounding_git_and_the_users_hooks_do_not_interfere(
    remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    hooks, home = tmp_path / "hooks", tmp_path / "home"
    hooks.mkdir()
    home.mkdir()
    for hook in ("pre-push", "reference-transaction"):
        (hooks / hook).write_text("#!/bin/sh\nexit 1\n")
        (hooks / hook).chmod(0o755)
    (home / ".gitconfig").write_text(f"[core]\nhooksPath = {hooks}\n[push]\ngpgSign = true\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", "/nowhere/objects")
    # The remote's own hooks are its own business: only our side must not run the user's.
    subprocess.run(["git", "config", "-f", str(remote / "config"), "core.hooksPath", "none"], check=True)
    log = open_git(remote, tmp_path / "s")
    assert log.append([entry for entry, _ in islice(a_run(), 2)]) == range(2)
    assert open_git(remote, tmp_path / "t").size == 2


WRITER = """
import sys
from pathlib import Path
from dataclasses import replace
from test_audit_git import open_git
from audit_helpers import drift
from reconciler.audit.codes import LogConflictError
done = 0
while done < 6:
    log = open_git(Path(sys.argv[1]), Path(sys.argv[2]))
    try:
        log.append([replace(drift(), objects=(f"{sys.argv[3]}-{done}",))])
        done += 1
    except LogConflictError:
        pass
"""


def test_two_processes_that_write_at_once_lose_and_double_nothing(remote: Path, tmp_path: Path):
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{here}{os.pathsep}{here.parent}"}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(remote), str(tmp_path / name), name], env=environment
        )
        for name in ("one", "two")
    ]
    assert [writer.wait(120) for writer in writers] == [0, 0]
    log = open_git(remote, tmp_path / "three")
    names = [entry.objects[0] for _, entry in log.entries()]  # type: ignore[attr-defined]
    assert sorted(names) == [f"{name}-{n}" for name in ("one", "two") for n in range(6)]
    assert log.verify().ok
