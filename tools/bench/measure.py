"""Times and ratios of things done in turn, A B A B, so that a machine's slow minute hits both."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the report; seconds unless ``unit`` says otherwise."""

    what: str
    value: float
    unit: str = "s"
    ratio: float | None = None
    against: str = ""
    goal: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Process:
    """What a finished process took: seconds, and MiB at its largest, children included."""

    seconds: float
    peak: float
    output: str
    code: int


def alternate(runs: int, *actions: Callable[[], float]) -> list[float]:
    """The median seconds of each action, run in turn ``runs`` times after one warm-up of each."""
    for action in actions:
        action()
    rounds = [[action() for action in actions] for _ in range(runs)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def timed(action: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def process(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Process:
    """Run a command to its end and account for it as the kernel does."""
    start = time.perf_counter()
    running = subprocess.Popen(
        command, cwd=folder, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert running.stdout is not None
    output = running.stdout.read().decode("utf-8", "replace")
    _, status, usage = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    return Process(time.perf_counter() - start, usage.ru_maxrss / 1024, output, running.returncode)


def peak_of(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> float:
    """MiB that a command takes at the most.

    Between fork and exec a process counts as large as its parent, so a small one starts it. Raises
    RuntimeError if the command fails.
    """
    starter = (sys.executable, "-I", "-S", "-c", _STARTER, *command)
    done = process(starter, environment, folder)
    if done.code != 0:
        raise RuntimeError(done.output[-2000:])
    return float(done.output) / 1024


_STARTER = """
import os, sys
null = os.open(os.devnull, os.O_RDWR)
to_null = [(os.POSIX_SPAWN_DUP2, null, stream) for stream in (0, 1, 2)]
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=to_null)
_, status, usage = os.wait4(child, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def table(figures: Sequence[Figure]) -> str:
    """Markdown."""
    lines = ["| what | measured | ratio | against | goal |", "|---|--:|--:|---|---|"]
    for figure in figures:
        ratio = f"{figure.ratio:.2f}x" if figure.ratio is not None else ""
        note = f" ({figure.note})" if figure.note else ""
        lines.append(
            f"| {figure.what}{note} | {_value(figure)} | {ratio} | {figure.against} | {figure.goal} |"
        )
    return "\n".join(lines) + "\n"


def _value(figure: Figure) -> str:
    digits = 3 if figure.unit == "s" and figure.value < 10 else 1
    return f"{figure.value:.{digits}f} {figure.unit}" if figure.unit else f"{figure.value:.0f}"
