"""The folder of a sandbox: what may be put there, and what may be cleared away.

- Only what a sandbox made is ever deleted, and only where its ``sandbox.json`` says that it was one.
- A sandbox that still runs is never cleared.

>>> check_names(["primary", "Member_A"])
Traceback (most recent call last):
...
reconciler.errors.SandboxError: FW1900: not a cluster name: expected a DNS label, got 'Member_A'
"""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from reconciler.errors import SandboxError
from reconciler.sandbox import processes, state

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_OURS = ("etcd", "clusters", "logs")


def check_names(names: Sequence[str]) -> None:
    """Names become host names, folders and etcd prefixes: DNS labels, each once."""
    if not names:
        raise SandboxError("no clusters to start", expected="one name or more")
    for name in names:
        if not _LABEL.fullmatch(name):
            raise SandboxError("not a cluster name", expected="a DNS label", got=repr(name))
    if len(set(names)) != len(names):
        raise SandboxError("a cluster is named twice", got=", ".join(names))


def clear(directory: Path) -> None:
    """Make ``directory`` ready for a new sandbox."""
    if (directory / state.FILE).is_file():
        _refuse_running(directory)
        for name in _OURS:
            shutil.rmtree(directory / name, ignore_errors=True)
        return
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = sorted(entry.name for entry in directory.iterdir())
    except OSError as error:
        raise SandboxError("cannot use the folder", got=str(error), where=str(directory)) from error
    if found:
        raise SandboxError(
            "the folder holds something else", expected="an empty folder or an earlier sandbox",
            got=", ".join(repr(name) for name in found[:5]), where=str(directory), hint="name another folder",
        )  # fmt: skip


def _refuse_running(directory: Path) -> None:
    running = [one for one in state.load(directory).processes.values() if processes.alive(one)]
    if running:
        raise SandboxError(
            "a sandbox runs here already", got=", ".join(f"{one.role} (pid {one.pid})" for one in running),
            where=str(directory), hint=f"end it: `fleetward sandbox down --directory {directory}`",
        )  # fmt: skip
