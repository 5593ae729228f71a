"""What a sandbox leaves on disk so that another process can end it, use it or bring a member back.

``sandbox.json`` is written after every start and stop, whole or not at all: at any moment it names each
process that may run. It holds no secrets, only where they are.

>>> import tempfile; folder = Path(tempfile.mkdtemp())
>>> save(folder, State(controllers=True, keep=False, etcd_port=20001, ports={"a": 20002}))
>>> load(folder).ports
{'a': 20002}
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from reconciler.errors import SandboxError
from reconciler.sandbox import files
from reconciler.sandbox.components import Layout
from reconciler.sandbox.processes import Process

FILE = "sandbox.json"
VERSION = 1


@dataclass(frozen=True, slots=True)
class State:
    """Ports by member name, processes by role (``etcd``, ``<member>/<component>``)."""

    controllers: bool
    keep: bool
    etcd_port: int
    ports: Mapping[str, int] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    processes: Mapping[str, Process] = field(default_factory=dict)


def save(directory: Path, state: State) -> None:
    """Write ``state``, with the kubeconfigs named for people and scripts that read the file."""
    document = {
        "version": VERSION,
        "kubeconfigs": {name: str(Layout(directory, name).kubeconfig) for name in state.ports},
        "controllers": state.controllers,
        "keep": state.keep,
        "etcdPort": state.etcd_port,
        "ports": dict(state.ports),
        "flags": list(state.flags),
        "processes": [{**asdict(process), "log": str(process.log)} for process in state.processes.values()],
    }
    files.write(directory / FILE, (json.dumps(document, indent=2) + "\n").encode())


def load(directory: Path) -> State:
    """The state that ``save`` left in ``directory``."""
    path = directory / FILE
    try:
        return _parse(json.loads(path.read_bytes()))
    except FileNotFoundError:
        raise SandboxError(
            "no sandbox here", expected=FILE, where=str(directory), hint="start one: `fleetward sandbox up`"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SandboxError(
            "cannot read the sandbox's state", got=f"{type(error).__name__}: {error}", where=str(path),
            hint="end its processes by hand and delete the folder",
        ) from error  # fmt: skip


def _parse(document: dict[str, Any]) -> State:
    if document["version"] != VERSION:
        raise ValueError(f"version {document['version']!r} instead of {VERSION}")
    processes = [_process(entry) for entry in document["processes"]]
    return State(
        controllers=bool(document["controllers"]),
        keep=bool(document["keep"]),
        etcd_port=int(document["etcdPort"]),
        ports={str(name): int(port) for name, port in document["ports"].items()},
        flags=tuple(str(flag) for flag in document["flags"]),
        processes={process.role: process for process in processes},
    )


def _process(entry: dict[str, Any]) -> Process:
    pid = int(entry["pid"])
    if pid <= 1:  # 0 and negative numbers mean groups to kill(2), 1 is not ours
        raise ValueError(f"pid {pid}")
    return Process(str(entry["role"]), pid, str(entry["started"]), Path(str(entry["log"])))
