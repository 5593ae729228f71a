"""Starts and ends child processes, and never ends one that it did not start.

- A process is known by its pid *and* the time it started: a pid that was given to somebody else is left
  alone, which is what lets ``sandbox down`` end processes that an earlier command recorded.
- Without ``keep``, all children share a process group with a *guardian*, a shell that waits for the end of
  a pipe held by us. If we die by whatever means, the pipe closes and the guardian ends that group. (Linux'
  PR_SET_PDEATHSIG would fire when the *thread* that started the child ends, and needs code after fork.)
- Children get no environment of ours: what is secret there is not theirs.

>>> import tempfile
>>> supervisor = Supervisor(keep=False)
>>> process = supervisor.start("sleeper", ["/bin/sleep", "60"], Path(tempfile.mkdtemp()) / "log")
>>> alive(process)
True
>>> supervisor.stop([process]); supervisor.close(); alive(process)
False
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import SandboxError

POLL_SECONDS = 0.02
GRACE_SECONDS = 5.0
_GUARDIAN = ("/bin/sh", "-c", "read _; kill -KILL 0")


@dataclass(frozen=True, slots=True)
class Process:
    """A child by role, with what tells it from any other process that gets its pid."""

    role: str
    pid: int
    started: str
    log: Path


class Supervisor:
    """The children of one sandbox."""

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._guardian: subprocess.Popen[bytes] | None = None
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, role: str, command: Sequence[str], log: Path) -> Process:
        """Run ``command`` with its output appended to ``log``."""
        # A session of its own outlives our terminal; a group of the guardian's dies with us.
        group = None if self._keep else self._watched_group()
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as output:
                child = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=log.parent,
                    env={"PATH": os.defpath}, start_new_session=self._keep, process_group=group,
                )  # fmt: skip
        except OSError as error:
            raise SandboxError(f"cannot start {role}", got=str(error)) from error
        self._children[child.pid] = child
        return Process(role, child.pid, started(child.pid) or "", log)

    def stop(self, processes: Iterable[Process], grace: float = GRACE_SECONDS) -> None:
        """End these: SIGTERM to all, then SIGKILL to those still there after ``grace`` seconds."""
        left = self._signal(processes, signal.SIGTERM)
        left = self._wait(left, grace)
        left = self._wait(self._signal(left, signal.SIGKILL), GRACE_SECONDS)
        if left:
            raise SandboxError("processes do not end", got=", ".join(f"{p.role} (pid {p.pid})" for p in left))

    def close(self) -> None:
        """End the guardian; the children must have ended before."""
        if self._guardian:
            self._guardian.kill()
            self._guardian.communicate()
            self._guardian = None

    def _watched_group(self) -> int:
        if self._guardian is None:
            self._guardian = subprocess.Popen(_GUARDIAN, stdin=subprocess.PIPE, process_group=0)
        return self._guardian.pid

    def _signal(self, processes: Iterable[Process], number: signal.Signals) -> list[Process]:
        reached = [process for process in processes if alive(process)]
        for process in reached:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)
        return reached

    def _wait(self, processes: list[Process], limit: float) -> list[Process]:
        deadline = time.monotonic() + limit
        while (left := [process for process in processes if alive(process)]) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        for process in processes:
            if process not in left and (child := self._children.pop(process.pid, None)):
                child.wait()
        return left


def alive(process: Process) -> bool:
    """Whether this very process still runs; one that ended and waits for its parent does not."""
    return bool(process.started) and started(process.pid) == process.started


def started(pid: int) -> str | None:
    """When ``pid`` started, in a form to compare only; None if no such process runs."""
    return _from_proc(pid) if sys.platform == "linux" else _from_ps(pid)


def _from_proc(pid: int) -> str | None:
    try:
        # The name in brackets may hold anything, spaces and brackets too: count from its end.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    # Ticks since boot say nothing without the boot they count from.
    return None if fields[0] in "ZX" else f"{boot}/{fields[19]}"


def _from_ps(pid: int) -> str | None:
    done = subprocess.run(
        ["/bin/ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, since = done.stdout.strip().partition(" ")
    return None if not since or state.startswith("Z") else since.strip()
