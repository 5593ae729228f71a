"""Children end with their sandbox, and only they."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.errors import SandboxError
from reconciler.sandbox import components, folder, processes, state
from reconciler.sandbox.processes import Supervisor, alive


def until(condition: Callable[[], bool], limit: float = 5.0) -> bool:
    deadline = time.monotonic() + limit
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_one_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    supervisor = Supervisor(keep=False)
    stubborn = ["/bin/sh", "-c", "trap '' TERM; echo ready; while :; do read _ < /dev/zero; done"]
    process = supervisor.start("stubborn", stubborn, tmp_path / "log")
    assert until(lambda: (tmp_path / "log").read_text() == "ready\n")
    supervisor.stop([process], grace=0.1)
    assert not alive(process)
    supervisor.close()


def test_a_pid_that_belongs_to_somebody_else_is_left_alone(tmp_path: Path) -> None:
    supervisor = Supervisor(keep=False)
    process = supervisor.start("sleeper", ["/bin/sleep", "60"], tmp_path / "log")
    other = dataclasses.replace(process, started="another boot/1")
    Supervisor(keep=True).stop([other, dataclasses.replace(process, started="")])
    assert alive(process)
    supervisor.stop([process])
    supervisor.close()


@pytest.mark.parametrize("keep", [False, True])
def test_children_of_a_killed_parent_die_unless_kept(tmp_path: Path, keep: bool) -> None:
    script = (
        "import os, sys, signal; from pathlib import Path; from reconciler.sandbox.processes import *\n"
        f"one = Supervisor(keep={keep}).start('s', ['/bin/sleep', '60'], Path(sys.argv[1]))\n"
        "print(one.pid, one.started, flush=True); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "log")], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    pid, started = done.stdout.split()
    child = processes.Process("s", int(pid), started, tmp_path / "log")
    if not keep:
        assert until(lambda: not alive(child))
        return
    assert alive(child)
    Supervisor(keep=True).stop([child])
    assert not alive(child)


def test_a_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="cannot start etcd"):
        Supervisor(keep=True).start("etcd", ["/nowhere/etcd"], tmp_path / "log")


def test_children_get_no_environment_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEETWARD_TOKEN", "hunter2")
    supervisor = Supervisor(keep=False)
    process = supervisor.start("env", ["/usr/bin/env"], tmp_path / "log")
    assert until(lambda: not alive(process))
    supervisor.close()
    assert "hunter2" not in (tmp_path / "log").read_text()


def test_ports_are_below_those_of_outgoing_connections() -> None:
    ports = [components.free_port() for _ in range(20)]
    assert all(20000 <= port < 30000 for port in ports)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "null", '{"version": 2}', "[" * 100_000,
     '{"version": 1, "processes": [{"role": "etcd", "pid": -1, "started": "x", "log": "l"}]}'],
)  # fmt: skip
def test_a_broken_state_file_is_an_error_and_ends_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / state.FILE).write_text(content)
    with pytest.raises(SandboxError, match="cannot read the sandbox's state"):
        state.load(tmp_path)


def test_state_comes_back_as_it_was(tmp_path: Path) -> None:
    process = processes.Process("etcd", os.getpid(), processes.started(os.getpid()) or "", tmp_path / "log")
    saved = state.State(True, True, 20001, {"a": 20002}, ("--v=2",), {"etcd": process})
    state.save(tmp_path, saved)
    assert state.load(tmp_path) == saved


def test_a_folder_with_other_things_in_it_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "clusters").mkdir()
    with pytest.raises(SandboxError, match=r"the folder holds something else.*'clusters'"):
        folder.clear(tmp_path)
    assert (tmp_path / "clusters").is_dir()


def test_a_running_sandbox_is_not_cleared(tmp_path: Path) -> None:
    me = processes.Process("etcd", os.getpid(), processes.started(os.getpid()) or "", tmp_path / "log")
    state.save(tmp_path, state.State(True, True, 20001, {}, (), {"etcd": me}))
    with pytest.raises(SandboxError, match="a sandbox runs here already"):
        folder.clear(tmp_path)


@pytest.mark.parametrize("names", [[], ["A"], ["a", "a"], ["../x"], ["a\n"], ["-a"], ["a" * 64], [""]])
def test_names_that_cannot_be_clusters(names: list[str]) -> None:
    with pytest.raises(SandboxError):
        folder.check_names(names)
