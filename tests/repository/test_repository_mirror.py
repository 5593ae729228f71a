"""URLs: what may be fetched, what arrives, and that nothing outlives its time limit."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from git_fixtures import FleetRepo

from reconciler.repository import (
    FetchError,
    FetchTimeoutError,
    LocationError,
    Repository,
    RevisionError,
)
from reconciler.repository.locations import parse_location
from reconciler.repository.mirror import Mirror


@pytest.mark.parametrize(
    "location",
    [
        "--upload-pack=touch /tmp/x",
        "-oProxyCommand=x",
        "ext::sh -c touch% /tmp/x",
        "fd::17",
        "http://host/fleet.git",
        "git://host/fleet.git",
        "ftp://host/x",
        "ssh://-oProxyCommand=touch/fleet",
        "ssh://-l@host/fleet",
        "-oProxyCommand=x:fleet",
        "git@-oProxyCommand=x:fleet",
        "git@host:-x",
        "https://host",
        "https:///fleet",
        "file://host/fleet",
        "https://host/fleet?token=s3cret",
        "https://host/fleet#s3cret",
        "https://host:port/fleet",
        "https://[::1/fleet",
        "https://host/a\nb",
        "https://host/\x1b[2J",
        "",
        "x" * 3000,
    ],
)
def test_locations_that_are_refused(location: str, tmp_path: Path) -> None:
    with pytest.raises(LocationError, match="FW1101") as caught:
        Repository.open(location, cache_dir=tmp_path)
    assert "s3cret" not in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("location", "shown", "protocol"),
    [
        ("https://user:s3cret@host:8443/x.git", "https://host:8443/x.git", "https"),
        ("https://s3cret@host/x.git", "https://host/x.git", "https"),
        ("ssh://git:s3cret@host/x.git", "ssh://git@host/x.git", "ssh"),
        ("git@host:org/x.git", "git@host:org/x.git", "ssh"),
        ("host:x.git", "host:x.git", "ssh"),
        ("file:///srv/x.git", "file:///srv/x.git", "file"),
        ("/srv/x.git", "/srv/x.git", ""),
        ("./a:b", "./a:b", ""),
    ],
)
def test_locations_are_shown_without_secrets(location: str, shown: str, protocol: str) -> None:
    found = parse_location(location)
    assert (found.shown, found.protocol) == (shown, protocol)
    assert "s3cret" not in repr(found)


@pytest.fixture
def fleet(tmp_path: Path) -> FleetRepo:
    return FleetRepo(tmp_path)


def mirrored(fleet: FleetRepo, timeout: float = 30) -> Repository:
    return Repository.open(f"file://{fleet.path}", cache_dir=fleet.root / "cache", timeout=timeout)


@pytest.mark.real
def test_a_mirror_follows_its_remote(fleet: FleetRepo) -> None:
    first = fleet.commit({"federation.yaml": "1"})
    fleet.git("tag", "v1")
    fleet.git("branch", "old")
    repo = mirrored(fleet)
    with pytest.raises(RevisionError, match="fetch first"):
        repo.resolve("refs/heads/main")
    repo.fetch()
    assert repo.resolve("HEAD") == repo.resolve("refs/heads/main") == repo.resolve("v1") == first
    fleet.git("branch", "-D", "old")
    second = fleet.commit({"federation.yaml": "2"})
    repo.fetch()
    assert repo.resolve("main") == second
    assert repo.snapshot(second).read("federation.yaml") == b"2"
    with pytest.raises(RevisionError):
        repo.resolve("old")
    again = mirrored(fleet)
    assert again.resolve("main") == second


@pytest.mark.real
def test_a_remote_whose_head_dangles_can_be_fetched(fleet: FleetRepo) -> None:
    head = fleet.commit({"federation.yaml": "1"})
    fleet.git("symbolic-ref", "HEAD", "refs/heads/nothing")
    repo = mirrored(fleet)
    repo.fetch()
    assert repo.resolve("main") == head
    with pytest.raises(RevisionError):
        repo.resolve("HEAD")


@pytest.mark.real
def test_a_rewritten_remote_is_mirrored_as_it_is(fleet: FleetRepo) -> None:
    fleet.commit({"federation.yaml": "1"})
    second = fleet.commit({"federation.yaml": "2"})
    repo = mirrored(fleet)
    repo.fetch()
    fleet.git("reset", "-q", "--hard", "HEAD~1")
    third = fleet.commit({"federation.yaml": "3"})
    repo.fetch()
    assert repo.resolve("main") == third
    assert repo.commit(second).id == second


@pytest.mark.real
def test_malformed_objects_do_not_arrive(fleet: FleetRepo) -> None:
    head = fleet.commit({"federation.yaml": "1"}, sign=False)
    raw = fleet.git("cat-file", "commit", head)
    tree = raw.split("\n")[0]
    bad = fleet.write_object("commit", raw.replace(tree, f"{tree}\n{tree}").encode())
    fleet.git("update-ref", "refs/heads/main", bad)
    with pytest.raises(FetchError, match="FW1108"):
        mirrored(fleet).fetch()


@pytest.mark.real
def test_a_remote_cannot_fill_the_disk(fleet: FleetRepo) -> None:
    fleet.commit({"large": os.urandom(1 << 20)})
    location = parse_location(f"file://{fleet.path}")
    with pytest.raises(FetchError, match="FW1108"):
        Mirror(location, fleet.root / "c1", max_file=64 << 10).fetch(30)
    stored = [path.stat().st_size for path in (fleet.root / "c1").rglob("*") if path.is_file()]
    assert max(stored) <= 64 << 10
    Mirror(location, fleet.root / "c2", max_file=2 << 20).fetch(30)


@pytest.mark.real
def test_a_remote_that_is_not_there(tmp_path: Path) -> None:
    repo = Repository.open(f"file://{tmp_path}/nowhere", cache_dir=tmp_path / "cache")
    with pytest.raises(FetchError, match=r"FW1108: file://.*git ls-remote"):
        repo.fetch()


@pytest.mark.real
def test_repositories_hooks_do_not_run(fleet: FleetRepo) -> None:
    fleet.commit({"federation.yaml": "1"})
    repo = mirrored(fleet)
    repo.fetch()
    mirror = next(path for path in (fleet.root / "cache").iterdir() if path.is_dir())
    hook = mirror / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {fleet.root}/ran\n")
    hook.chmod(0o755)
    fleet.commit({"federation.yaml": "2"})
    repo.fetch()
    assert not (fleet.root / "ran").exists()


@pytest.fixture
def silent_server() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    kept = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            try:
                while True:
                    kept.append(server.accept()[0])
            except OSError:
                return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    for connection in kept:
        connection.close()


@pytest.mark.real
def test_a_remote_that_hangs_is_left(silent_server: int, tmp_path: Path) -> None:
    url = f"https://bot:s3cret@127.0.0.1:{silent_server}/fleet.git"
    repo = Repository.open(url, cache_dir=tmp_path, timeout=1)
    started = time.monotonic()
    with pytest.raises(FetchTimeoutError, match="FW1109") as caught:
        repo.fetch()
    assert time.monotonic() - started < 5
    assert "s3cret" not in str(caught.value)


_DRIVER = """
import sys, time
from pathlib import Path
from reconciler.repository import Repository
from reconciler.repository.errors import RepositoryError
repo = Repository.open(sys.argv[1], cache_dir=Path(sys.argv[2]), timeout=float(sys.argv[3]))
try:
    repo.fetch()
    print("fetched", repo.resolve("main"))
except RepositoryError as error:
    print(error)
"""


def run_driver(url: str, cache: Path, timeout: float, env: dict[str, str]) -> str:
    """Fetch in another process, since ssh is configured by the environment."""
    done = subprocess.run(
        [sys.executable, "-c", _DRIVER, url, str(cache), str(timeout)],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.real
def test_ssh_is_the_users_own_and_its_children_die_in_time(fleet: FleetRepo) -> None:
    """GIT_SSH_COMMAND is honoured; a transport that sleeps is killed with everything it started."""
    head = fleet.commit({"federation.yaml": "1"})
    served = fleet.root / "ssh"
    served.write_text(f'#!/bin/sh\nshift $(($# - 1))\nexec git-upload-pack "{fleet.path}"\n')
    asleep = fleet.root / "asleep"
    asleep.write_text(f"#!/bin/sh\nsleep 300 & echo $! > {fleet.root}/pid; wait\n")
    for script in (served, asleep):
        script.chmod(0o755)
    env = {"GIT_SSH_COMMAND": str(served), "GIT_SSH_VARIANT": "ssh"}
    assert run_driver("git@host.example:fleet.git", fleet.root / "c1", 30, env) == f"fetched {head}\n"
    said = run_driver("git@host.example:fleet.git", fleet.root / "c2", 1.5, {"GIT_SSH_COMMAND": str(asleep)})
    assert said.startswith("FW1109")
    child = int((fleet.root / "pid").read_text())
    stat = Path(f"/proc/{child}/stat")
    assert not stat.exists() or stat.read_text().split(") ")[1].startswith("Z")


@pytest.mark.real
def test_what_a_transport_says_is_shown_without_secrets(tmp_path: Path) -> None:
    loud = tmp_path / "loud"
    loud.write_text("#!/bin/sh\nprintf '%s \\033[31m p@ss\\n' \"$*\" >&2\nexit 1\n")
    loud.chmod(0o755)
    env = {"GIT_SSH_COMMAND": str(loud), "GIT_SSH_VARIANT": "ssh"}
    said = run_driver("ssh://git:p%40ss@host.example/fleet.git", tmp_path / "cache", 20, env)
    assert "git:***@host.example" in said
    assert "p@ss" not in said and "p%40ss" not in said
    assert said.strip().isprintable()


@pytest.mark.real
def test_the_environment_cannot_widen_what_is_allowed(fleet: FleetRepo) -> None:
    """Neither a rewritten URL nor variables that point git elsewhere get past the limits."""
    fleet.commit({"federation.yaml": "1"})
    env = {
        "GIT_ALLOW_PROTOCOL": "ext:https:ssh:file",
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": f"url.ext::touch {fleet.root}/ran .insteadOf",
        "GIT_CONFIG_VALUE_0": "https://host.example/",
        "GIT_CONFIG_KEY_1": "protocol.ext.allow",
        "GIT_CONFIG_VALUE_1": "always",
        "GIT_DIR": str(fleet.path / ".git"),
        "GIT_TRACE": f"{fleet.root}/trace",
    }
    for user in ("", "bot:s3cret@"):
        said = run_driver(f"https://{user}host.example/fleet.git", fleet.root / "cache", 20, env)
        assert said.startswith("FW1108")
        assert "s3cret" not in said
    assert not (fleet.root / "ran").exists()
    assert not (fleet.root / "trace").exists()
