"""OPA as a process: a private folder with the modules, memory and time limits, and no way to outlive us.

Rules kept here
- Modules are written as they are, rules and tests apart, below a folder that only we can read.
- OPA gets no environment but a PATH and a HOME of its own: ``opa.runtime`` would have nothing to tell.
- ``GUARD`` limits OPA's memory. ``KEEPER`` also waits for our end of a pipe: when we die, however hard,
  the pipe closes and OPA goes with us, folder and all.

>>> sorted(path.name for path in Workspace(Path("/tmp/x")).folders)
['rules', 'tests']
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from reconciler.gate.errors import GateDiedError, GateTimeoutError
from reconciler.gate.source import GateSource, Module

MEMORY = 2 << 30  # bytes of data one OPA may have
MAX_OUTPUT = 4 << 20  # bytes of a tool's output that we read
_LIMIT = f"ulimit -d {MEMORY >> 10} 2>/dev/null"  # a system without this limit still has the time limit
GUARD = f'{_LIMIT}; exec "$@"'
# The folder goes first: once OPA is dead the shell ends its keeper, whatever that is doing.
# fd 3 is the pipe: a background command of a non-interactive shell would otherwise read /dev/null.
KEEPER = f"""
{_LIMIT}; home=$1; shift; exec 3<&0 </dev/null
"$@" 3<&- & opa=$!
(read -r _ <&3; rm -rf "$home"; kill -KILL $opa) & keeper=$!
wait $opa; code=$?
kill -KILL $keeper 2>/dev/null
exit $code
"""


class Workspace:
    """A folder, mode 0700, with ``rules/`` and ``tests/``; removed on exit."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folders = (root / "rules", root / "tests")

    @classmethod
    def create(cls, source: GateSource) -> Self:
        """Write the modules of ``source`` into a new folder. Raises GateDiedError when the disk refuses."""
        root: str | None = None
        try:
            root = tempfile.mkdtemp(prefix="fwgate-")  # mkdtemp gives 0700
            workspace = cls(Path(root))
            workspace._write(source.modules)
        except OSError as error:
            if root:
                shutil.rmtree(root, ignore_errors=True)
            raise GateDiedError(
                "the gate's modules cannot be written",
                got=str(error),
                hint="free space in the temporary directory, or set TMPDIR",
            ) from error
        return workspace

    def _write(self, modules: Sequence[Module]) -> None:
        rules, tests = self.folders
        for folder in self.folders:
            folder.mkdir()
        for module in modules:
            path = (tests if module.is_test else rules) / module.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(module.text, encoding="utf-8", newline="")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def remove(self) -> None:
        """Delete the folder; again is harmless."""
        shutil.rmtree(self.root, ignore_errors=True)

    def strip(self, text: str) -> str:
        """OPA's text with our folders taken out of paths, so that they are the repository's."""
        for folder in self.folders:
            text = text.replace(f"{folder}/", "").replace(f"{folder.name}/policies/", "policies/")
        return text


def environment(home: Path) -> dict[str, str]:
    """All that OPA may know of ours."""
    return {"HOME": str(home), "PATH": os.defpath}


def run(workspace: Workspace, command: Sequence[str], timeout: float) -> tuple[int, str, str]:
    """Run an OPA tool to its end: exit code, stdout and stderr, each cut at ``MAX_OUTPUT``.

    Raises GateTimeoutError after ``timeout`` seconds and GateDiedError when it cannot be started.
    """
    outputs = [workspace.root / "stdout", workspace.root / "stderr"]
    try:
        with outputs[0].open("wb") as out, outputs[1].open("wb") as err:
            done = subprocess.run(
                ["/bin/sh", "-c", GUARD, "sh", *command],
                cwd=workspace.root,
                env=environment(workspace.root),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                timeout=timeout,
                check=False,
            )
    except subprocess.TimeoutExpired as error:
        raise GateTimeoutError(
            f"`opa {command[1]}` did not end",
            expected=f"an end within {timeout:g} s",
            hint="simplify the rule or test that takes so long",
        ) from error
    except OSError as error:
        raise GateDiedError("OPA cannot be started", got=str(error)) from error
    out_text, err_text = (workspace.strip(head(path, MAX_OUTPUT)) for path in outputs)
    return done.returncode, out_text, err_text


def head(path: Path, size: int) -> str:
    """The first ``size`` bytes of a file as text; "" when there is none."""
    with suppress(OSError), path.open("rb") as file:
        return file.read(size).decode("utf-8", "replace")
    return ""


def fingerprint(opa: Path) -> str:
    """Names a binary without running it, for keys of the local cache."""
    try:
        stat = opa.stat()
    except OSError as error:
        raise GateDiedError(
            "there is no OPA",
            where=str(opa),
            got=error.strerror or "",
            hint="install opa 1.22.0, or let fleetward build it",
        ) from error
    return f"{stat.st_size}-{stat.st_mtime_ns}"
