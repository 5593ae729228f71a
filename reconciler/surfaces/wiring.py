"""Puts the rooms together from settings: the only place that makes them.

Heavy rooms are imported where they are made, so that a command loads only what it uses.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import SettingsError
from reconciler.model import Signer
from reconciler.surfaces.settings import GIT_LOG, Settings, fleet_id

if TYPE_CHECKING:
    from reconciler.audit.log import Log
    from reconciler.audit.store import Store
    from reconciler.audit.view import LogView
    from reconciler.documents import Cluster, Fleet, GateSettings
    from reconciler.gate import Gates, GateSource
    from reconciler.member.client import Member
    from reconciler.pipeline.ports import CheckPorts, MemberPorts, WritePorts
    from reconciler.surfaces.cache import FileCache
    from reconciler.trust import ReconcilerKey

Report = Callable[[str], None]
FETCH_TIMEOUT = 60.0  # seconds


def clock() -> datetime:
    """Now, UTC."""
    return datetime.now(UTC)


def actor() -> str:
    """Who runs this, as the log says it: user@host."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # no entry for this uid, as in many containers
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


@dataclass(slots=True)
class Wiring:
    """Makes ports for one command; ``close`` ends what they started."""

    settings: Settings
    report: Report
    stack: ExitStack

    def checks(self) -> CheckPorts:
        """Repository, gates and cache."""
        from reconciler.pipeline.ports import CheckPorts
        from reconciler.repository import Repository
        from reconciler.surfaces.cache import FileCache

        repository = Repository.open(
            self.settings.repo, cache_dir=self.settings.cache / "repositories", timeout=FETCH_TIMEOUT
        )
        cache = self.stack.enter_context(FileCache(self.settings.cache))
        return CheckPorts(repository, partial(self._open_gates, cache), cache, clock, self.report)

    def _open_gates(self, cache: FileCache, sources: Sequence[GateSource], settings: GateSettings) -> Gates:
        """Gates that stay open until the command ends. OPA is built here when the machine has none."""
        from reconciler.gate import open_gates
        from reconciler.gate.central import RemoteOpa
        from reconciler.sandbox import binaries

        timeout = settings.timeout.total_seconds()
        url = settings.url
        gates = open_gates(
            sources,
            opa=binaries.ensure(["opa"], self.report)["opa"],
            cache=cache,
            timeout=timeout,
            central=(lambda source: RemoteOpa(url, source, timeout=timeout)) if url else None,
        )
        return self.stack.enter_context(gates)

    def members(self) -> MemberPorts:
        """How members are reached."""
        from reconciler.pipeline.ports import MemberPorts
        from reconciler.surfaces.contacts import FileContacts

        self.key()  # without one no member's record can be believed: said once, not once a member
        contacts = FileContacts(self.settings.state / "contacts.json")
        return MemberPorts(self._connect, contacts, clock, self.report)

    def writes(self) -> WritePorts:
        """The log, for writing, and the key."""
        from reconciler.pipeline.ports import WritePorts

        key = self.key()
        return WritePorts(self.log(key), key, actor())

    def key(self) -> ReconcilerKey:
        """The reconciler's key. Raises SettingsError when there is none."""
        from reconciler.trust import load, load_text

        if self.settings.signing_key:
            return load_text(self.settings.signing_key)
        if not self.settings.key_file.exists():
            raise SettingsError(
                "the reconciler has no key",
                where=str(self.settings.key_file),
                hint="`fleetward trust init` makes one; on throw-away machines set FLEETWARD_SIGNING_KEY",
            )
        return load(self.settings.key_file)

    def new_key(self) -> ReconcilerKey:
        """The reconciler's key, made now if there is none."""
        from reconciler.trust import generate

        if self.settings.signing_key or self.settings.key_file.exists():
            return self.key()
        self.settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        return generate(self.settings.key_file)

    def public_keys(self) -> tuple[bytes, ...]:
        """The keys whose records and checkpoints are believed."""
        return (self.key().public_key,)

    def log(self, signer: Signer) -> Log:
        """The log, for writing."""
        from reconciler.audit.log import Log

        return Log.open(self._store(), signer, origin=ORIGIN, clock=clock, state_cache=self._state_cache)

    def log_view(self) -> LogView:
        """The log, for reading: the public key is enough."""
        from reconciler.audit.view import LogView

        keys = self.public_keys()
        return LogView(self._store(), origin=ORIGIN, public_keys=keys, state_cache=self._state_cache)

    @property
    def _state_cache(self) -> Path:
        return self.settings.state / "log-state.json"

    def _store(self) -> Store:
        if self.settings.log == GIT_LOG:
            from reconciler.audit.store_git import GitStore

            # Two fleets of one machine have a ref of the same name.
            scratch = self.settings.cache / "log" / fleet_id(self.settings.repo)
            return GitStore(self.settings.repo, scratch=scratch, clock=clock)
        from reconciler.audit.store_directory import DirectoryStore

        return DirectoryStore(Path(self.settings.log))

    def _connect(self, cluster: Cluster, fleet: Fleet) -> Member:
        from reconciler.member.client import connect

        key = self.key()
        return connect(
            cluster,
            fleet.federation,
            self.settings.credentials,
            (key.public_key,),
            signer=key,
            read_secret=partial(self._read_secret, fleet),
            environment={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            clock=clock,
            report=lambda line: self.report(f"{cluster.name}: {line}"),
        )

    async def _read_secret(self, fleet: Fleet, namespace: str, name: str) -> Mapping[str, bytes]:
        """A Secret on the primary, which has to have credentials of another kind itself."""
        primary = next((c for c in fleet.clusters if c.name == fleet.federation.primary), None)
        if primary is None or primary.credentials.method == "secretRef":
            raise SettingsError(
                "a credential is in a Secret, but there is no primary to read it from",
                where=f"Secret {namespace}/{name}",
                hint="set spec.primary in federation.yaml to a cluster with credentials of another kind",
            )
        async with self._connect(primary, fleet) as member:
            return await member.secret(namespace, name)


ORIGIN = "fleetward.io/log"


@contextmanager
def wired(settings: Settings, report: Report) -> Iterator[Wiring]:
    """A Wiring whose children, files and connections end with the block."""
    with ExitStack() as stack:
        yield Wiring(settings, report, stack)
