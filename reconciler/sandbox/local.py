"""``Sandbox``: one etcd and any number of real API servers, each a cluster of its own.

- Everything lies in one folder and starts from nothing: ``up`` clears what an earlier sandbox left there,
  and refuses a folder with anything else in it.
- ``up`` returns when every member is ready, or raises and leaves no process behind.
- ``stop`` and ``start`` take one member away and bring it back on the same port with the same objects.
- Without ``keep`` the processes die with this one; with it they stay until ``down``, from any process.

    with Sandbox(folder, report=print) as sandbox:
        members = sandbox.up(["primary", "member-a"])
        sandbox.stop("member-a")        # connection refused from here on
        sandbox.start("member-a")       # and back, its objects unchanged
"""

import dataclasses
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from reconciler.errors import SandboxError
from reconciler.sandbox import binaries, components, files, folder, pki, processes, readiness, state
from reconciler.sandbox.components import Layout
from reconciler.sandbox.members import Member, client_of, make_credentials, member_of
from reconciler.sandbox.pki import Credential
from reconciler.sandbox.processes import Process, Supervisor
from reconciler.sandbox.state import State

LIMIT_SECONDS = 120.0


def quiet(_line: str) -> None:
    """The default for ``report``."""


class Sandbox:
    """The clusters of one folder. Not for use from two threads at once."""

    def __init__(
        self, directory: Path, *, controllers: bool = True, keep: bool = False,
        api_server_flags: Sequence[str] = (), report: Callable[[str], None] = quiet,
    ) -> None:  # fmt: skip
        self.directory = directory.absolute()
        self._report = report
        self._supervisor = Supervisor(keep=keep)
        self._programs: dict[str, Path] = {}
        self._state = State(controllers, keep, etcd_port=0, flags=tuple(api_server_flags))

    @classmethod
    def attach(cls, directory: Path, report: Callable[[str], None] = quiet) -> Self:
        """The sandbox that another process started in ``directory`` and kept."""
        found = state.load(directory.absolute())
        sandbox = cls(directory, keep=found.keep, report=report)
        sandbox._state = found
        return sandbox

    @property
    def members(self) -> dict[str, Member]:
        """All members by name, running or stopped."""
        return {name: self._member(name) for name in self._state.ports}

    def running(self, name: str) -> bool:
        """Whether the member's API server runs."""
        self._layout(name)
        process = self._state.processes.get(f"{name}/kube-apiserver")
        return process is not None and processes.alive(process)

    def up(self, names: Sequence[str]) -> dict[str, Member]:
        """Start one cluster per name and wait until all are ready."""
        folder.check_names(names)
        with files.locked(binaries.folder_lock(self.directory), self._waiting):
            folder.clear(self.directory)
            self._find_programs()
            try:
                self._start_all(names)
            except BaseException:
                self.down()
                raise
        return self.members

    def stop(self, name: str) -> None:
        """End one member's processes; its objects stay in etcd."""
        self._layout(name)
        self._end([role for role in self._state.processes if role.startswith(f"{name}/")])

    def start(self, name: str, extra_flags: Sequence[str] = ()) -> Member:
        """Bring a stopped member back, on the same port; returns when it is ready."""
        self._layout(name)
        if not self.running(name):
            self._find_programs()
            self.stop(name)  # a controller manager may have outlived a server that crashed
            try:
                self._start_members([name], extra_flags)
            except BaseException:
                self.stop(name)
                raise
        return self._member(name)

    def down(self) -> None:
        """End everything this sandbox started. Logs stay for reading; calling twice is fine."""
        self._end([role for role in self._state.processes if role.endswith("/kube-controller-manager")])
        self._end([role for role in self._state.processes if role != "etcd"])
        self._end(list(self._state.processes))
        self._supervisor.close()

    def issue(
        self, name: str, *, common_name: str, organizations: Sequence[str] = (), days: float = 365,
        not_after: datetime | None = None, sans: Sequence[str] = (),
    ) -> Credential:  # fmt: skip
        """A certificate by the member's own CA, for client or server; ``not_after`` may be past."""
        end = not_after or datetime.now(UTC) + timedelta(days=days)
        authority = pki.load(self._layout(name).pki)
        used = len(list(authority.directory.glob("issued-*.crt")))
        return authority.issue(
            f"issued-{used + 1}", common_name=common_name, organizations=organizations,
            not_after=end, sans=sans,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def _waiting(self) -> None:
        self._report(f"waiting: another process is starting a sandbox in {self.directory}")

    def _find_programs(self) -> None:
        names = ["etcd", "kube-apiserver", *(["kube-controller-manager"] if self._state.controllers else [])]
        self._programs = binaries.ensure(names, self._report)

    def _start_all(self, names: Sequence[str]) -> None:
        self._reserve_ports(names)
        for name in names:
            make_credentials(self._layout(name), self._state.ports[name])
        port = self._state.etcd_port
        etcd = self._run("etcd", components.etcd(self._programs["etcd"], self.directory, port))
        readiness.wait({etcd: readiness.etcd_ready(port)}, LIMIT_SECONDS)
        self._report(f"starting {len(names)} API servers: {', '.join(names)}")
        self._start_members(names, ())

    def _reserve_ports(self, names: Sequence[str]) -> None:
        taken: list[int] = []
        for _ in range(len(names) + 1):
            taken.append(components.free_port(taken))
        self._change(etcd_port=taken[0], ports=dict(zip(names, taken[1:], strict=True)))

    def _start_members(self, names: Sequence[str], extra: Sequence[str]) -> None:
        clients = {name: client_of(self._layout(name), self._state.ports[name]) for name in names}
        servers = {self._start_server(name, extra): clients[name].ready for name in names}
        readiness.wait(servers, LIMIT_SECONDS)
        if self._state.controllers:
            managers = {self._start_manager(name): clients[name].controlled for name in names}
            readiness.wait(managers, LIMIT_SECONDS)

    def _start_server(self, name: str, extra: Sequence[str]) -> Process:
        command = components.api_server(
            self._programs["kube-apiserver"], self._layout(name), self._state.ports[name],
            self._state.etcd_port, controllers=self._state.controllers, extra=[*self._state.flags, *extra],
        )  # fmt: skip
        return self._run(f"{name}/kube-apiserver", command)

    def _start_manager(self, name: str) -> Process:
        program = self._programs["kube-controller-manager"]
        return self._run(
            f"{name}/kube-controller-manager", components.controller_manager(program, self._layout(name))
        )

    def _run(self, role: str, command: list[str]) -> Process:
        log = self.directory / "logs" / f"{role.replace('/', '.')}.log"
        process = self._supervisor.start(role, command, log)
        self._change(processes={**self._state.processes, role: process})
        return process

    def _end(self, roles: Sequence[str]) -> None:
        if roles:
            self._supervisor.stop([self._state.processes[role] for role in roles])
            left = {role: one for role, one in self._state.processes.items() if role not in roles}
            self._change(processes=left)

    def _change(self, **fields: object) -> None:
        self._state = dataclasses.replace(self._state, **fields)  # type: ignore[arg-type]
        state.save(self.directory, self._state)

    def _layout(self, name: str) -> Layout:
        if name not in self._state.ports:
            known = ", ".join(self._state.ports) or "`up` first"
            raise SandboxError("no such member", expected=known, got=name)
        return Layout(self.directory, name)

    def _member(self, name: str) -> Member:
        return member_of(self._layout(name), self._state.ports[name])
