"""Puts the rooms together from settings: the only place that makes them.

Heavy rooms are imported where they are made, so that a command loads only what it uses.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import SettingsError
from reconciler.model import Signer
from reconciler.surfaces import signing
from reconciler.surfaces.settings import GIT_LOG, S3_LOG, Settings, fleet_id
from reconciler.surfaces.signing import ORIGIN

if TYPE_CHECKING:
    from reconciler.audit.log import Log
    from reconciler.audit.store import Store
    from reconciler.audit.view import LogView
    from reconciler.documents import Cluster, Fleet, GateSettings
    from reconciler.gate import Gates, GateSource
    from reconciler.member.client import EndpointMemory, Member
    from reconciler.member.endpoints import EndpointHealth
    from reconciler.member.secret_slot import ApiSecrets
    from reconciler.pipeline.ports import CheckPorts, MemberPorts, WritePorts
    from reconciler.repository import Repository
    from reconciler.surfaces.cache import FileCache
    from reconciler.surfaces.contacts import FileContacts

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
    _key: Signer | None = field(default=None, init=False, repr=False)
    _contacts: FileContacts | None = field(default=None, init=False, repr=False)
    _opened: LogView | None = field(default=None, init=False, repr=False)  # the log as it was opened last

    def checks(self) -> CheckPorts:
        """Repository, gates and cache."""
        from reconciler.pipeline.ports import CheckPorts
        from reconciler.surfaces.cache import FileCache

        repository = self.repository()
        cache = self.stack.enter_context(FileCache(self.settings.cache))
        return CheckPorts(repository, partial(self._open_gates, cache), cache, clock, self.report)

    def repository(self) -> Repository:
        """The fleet's repository."""
        from reconciler.repository import Repository

        return Repository.open(
            self.settings.repo, cache_dir=self.settings.cache / "repositories", timeout=FETCH_TIMEOUT
        )

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

        self.public_keys()  # without one no member's record can be believed: said once, not once a member
        return MemberPorts(
            self._connect, partial(self._connect, viewer=True), self.contacts(), clock, self.report
        )

    def contacts(self) -> FileContacts:
        """What was last seen of the members from here."""
        from reconciler.surfaces.contacts import FileContacts

        if self._contacts is None:
            self._contacts = FileContacts(self.settings.state / "contacts.json")
        return self._contacts

    def _endpoints(self, cluster: Cluster) -> EndpointMemory:
        from reconciler.member.client import EndpointMemory

        contacts = self.contacts()

        def keep(known: tuple[EndpointHealth, ...]) -> None:
            contacts.update(cluster.name, lambda contact: replace(contact, endpoints=known))

        return EndpointMemory(clock, contacts.get(cluster.name).endpoints, keep)

    def writes(self) -> WritePorts:
        """The log, for writing, and the key."""
        from reconciler.pipeline.ports import WritePorts

        key = self.key()
        log = self.log(key)
        signing.require_in_force(log.state(), key.public_key)
        return WritePorts(log, key, actor())

    def key(self) -> Signer:
        """The reconciler's private key, which only writing needs. Raises SettingsError, TrustError."""
        if self._key is None:
            self._key = signing.private_key(self.settings)
            if not self.settings.signing_key or not self.settings.public_file.exists():
                signing.write_public_key(self.settings, self._key.public_key)
        return self._key

    def fresh_key(self) -> Signer:
        """As ``key``, but a key file is read again: a rotation replaces it while this process goes on."""
        if not self.settings.signing_key:
            self._key = signing.private_key(self.settings)
        return self.key()

    def new_key(self) -> Signer:
        """The reconciler's key, made now if there is none."""
        if not signing.whereabouts(self.settings):
            self._key = signing.make_key(self.settings)
        return self.key()

    def public_keys(self) -> tuple[bytes, ...]:
        """The keys that the log is opened from. Raises SettingsError, PublicKeyError."""
        return signing.public_keys(self.settings)

    def believed_keys(self) -> tuple[bytes, ...]:
        """The keys whose records on members are believed: the log's own, replaced ones too unless stolen."""
        view = self._opened or self.log_view()
        return view.state().believed_keys() or self.public_keys()

    def log(self, signer: Signer, public_keys: Sequence[bytes] = ()) -> Log:
        """The log, for writing; it may be signed by one of ``public_keys`` so far."""
        from reconciler.audit.follow import following
        from reconciler.audit.log import Log

        store, cache = self._store(), self._state_cache
        keys = (signer.public_key, *public_keys)

        def opened(keys: Sequence[bytes]) -> Log:
            return Log.open(store, signer, origin=ORIGIN, clock=clock, public_keys=keys, state_cache=cache)

        log = following(store, ORIGIN, keys, opened)
        self._opened = log
        return log

    def log_view(self) -> LogView:
        """The log, for reading: a public key is enough, and the log's own rotations lead from there."""
        from reconciler.audit.follow import following
        from reconciler.audit.view import LogView

        store, cache = self._store(), self._state_cache

        def opened(keys: Sequence[bytes]) -> LogView:
            return LogView(store, origin=ORIGIN, public_keys=keys, state_cache=cache)

        self._opened = view = following(store, ORIGIN, self.public_keys(), opened)
        return view

    def written_log(self) -> LogView:
        """``log_view`` of a log that has entries: whoever audits one has to hear that it is gone.

        Raises NotLoggedError.
        """
        from reconciler.audit.codes import NotLoggedError

        view = self.log_view()
        if not view.size:
            raise NotLoggedError(
                "there is no log", where=self.settings.log, expected="a log with entries", got="none",
                hint="check --log (FLEETWARD_LOG) and restore a log that was lost; a new one begins with"
                " `fleetward trust init`",
            )  # fmt: skip
        return view

    @property
    def _state_cache(self) -> Path:
        return self.settings.state / "log-state.json"

    def _store(self) -> Store:
        if self.settings.log == GIT_LOG:
            from reconciler.audit.store_git import GitStore

            # Two fleets of one machine have a ref of the same name.
            scratch = self.settings.cache / "log" / fleet_id(self.settings.repo)
            return GitStore(self.settings.repo, scratch=scratch, clock=clock)
        if self.settings.log.startswith(S3_LOG):
            from reconciler.audit.store_s3 import S3Store

            return S3Store(self.settings.log, self.settings.aws)
        from reconciler.audit.store_directory import DirectoryStore

        return DirectoryStore(Path(self.settings.log))

    def accepted_fleet(self) -> Fleet:
        """The accepted commit's fleet, as far as it loads. Raises UninitializedError, SettingsError."""
        from reconciler.documents import load
        from reconciler.pipeline.accepting import require_initialized
        from reconciler.surfaces.cache import FileCache

        repository = self.repository()
        commit = require_initialized(self.log_view().state(), repository)
        with FileCache(self.settings.cache) as cache:
            fleet = load(repository.snapshot(commit), cache=cache).fleet
        if fleet is None:
            raise SettingsError("the accepted commit has no usable federation.yaml", where=f"commit {commit}")
        return fleet

    def _connect(self, cluster: Cluster, fleet: Fleet, *, viewer: bool = False) -> Member:
        from reconciler.member.client import connect

        return connect(
            cluster,
            fleet.federation,
            self.settings.credentials,
            self.believed_keys(),
            signer=self._key,  # there once ``writes`` asked for it
            open_secrets=partial(self.open_secrets, fleet),
            seal_keys=self.settings.seal_keys,
            environment={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            clock=clock,
            report=lambda line: self.report(f"{cluster.name}: {line}"),
            viewer=viewer,
            memory=self._endpoints(cluster),
        )

    @asynccontextmanager
    async def open_secrets(self, fleet: Fleet) -> AsyncIterator[ApiSecrets]:
        """The Secrets of the primary, which has to have credentials of another kind itself."""
        primary = next((c for c in fleet.clusters if c.name == fleet.federation.primary), None)
        if primary is None or primary.credentials.method == "secretRef":
            raise SettingsError(
                "a credential is in a Secret, but there is no primary that has it",
                expected="spec.primary names a registered cluster with credentials of another kind",
                got=f"{primary.name} with a secretRef" if primary else fleet.federation.primary or "none",
                hint="set spec.primary in federation.yaml to such a cluster",
            )
        async with self._connect(primary, fleet) as member, member.secrets() as secrets:
            yield secrets


@contextmanager
def wired(settings: Settings, report: Report) -> Iterator[Wiring]:
    """A Wiring whose children, files and connections end with the block."""
    with ExitStack() as stack:
        yield Wiring(settings, report, stack)
