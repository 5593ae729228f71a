"""``Member``: one cluster, from who answers to what was written.

    async with connect(cluster, federation, Path("credentials"), keys, signer=signer) as member:
        await member.identify()
        seen = await member.observe(desired)
        report = await member.apply(desired, authorization, log_index=7)

- ``observe`` comes before ``apply`` and ``refresh_record``: they work on what it saw.
- Every error says which member it is about.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from reconciler import documents
from reconciler.errors import MemberError
from reconciler.member import errors, estimates, keeping, profiles
from reconciler.member import observe as observing
from reconciler.member import probes as probing
from reconciler.member.apply import Applier
from reconciler.member.authorization import Authorization, verified
from reconciler.member.census import Census, census, fetch, require_unmoved
from reconciler.member.connection import Client
from reconciler.member.credentials import credential_source
from reconciler.member.discovery import Kinds
from reconciler.member.endpoints import EndpointHealth, Endpoints
from reconciler.member.health import Health
from reconciler.member.identity import Identity, identify, server_version
from reconciler.member.inspect import health_of
from reconciler.member.limits import Limits
from reconciler.member.login import CredentialSource, Host
from reconciler.member.parent import Parent, declare, write_record
from reconciler.member.published import Published
from reconciler.member.renewal import Announce, Held, Renewal, Standing, hold, renew
from reconciler.member.seal_keys import KeyFile
from reconciler.member.secret_slot import ApiSecrets
from reconciler.member.slots import OpenSecrets
from reconciler.member.token_request import Account, Issued, request_token
from reconciler.member.transport import Transport, utc_now
from reconciler.model import (
    Clock,
    Desired,
    DesiredObject,
    Json,
    ObjectOutcome,
    ObjectRef,
    Observation,
    Probe,
    Record,
    Signer,
)

if TYPE_CHECKING:  # only ``examine`` loads it
    from reconciler.member.diagnosis.member import Seen
    from reconciler.member.diagnosis.results import Bounds

_DEFAULTS = Limits()


@dataclass(frozen=True, slots=True)
class ApplyReport:
    """What became of a change set. ``health`` has what was written and is not current yet."""

    outcomes: tuple[ObjectOutcome, ...]
    record_written: bool
    requests: int
    error: str = ""  # "FW17xx: ..." when the run as a whole did not come to its end
    health: Mapping[ObjectRef, Health] = field(default_factory=dict)


def _forget(_known: tuple[EndpointHealth, ...]) -> None:
    """The default for ``EndpointMemory.keep``."""


@dataclass(frozen=True, slots=True)
class EndpointMemory:
    """What is known of the API servers from earlier runs, and ``keep``, which is told what is known now."""

    clock: Clock
    known: tuple[EndpointHealth, ...] = ()
    keep: Callable[[tuple[EndpointHealth, ...]], None] = _forget


class Member:
    """One cluster's client; use it as an async context manager, in one task at a time."""

    def __init__(
        self, cluster: documents.Cluster, credentials: CredentialSource, *, public_keys: Sequence[bytes],
        signer: Signer | None = None, limits: Limits = _DEFAULTS, report: Callable[[str], None] | None = None,
        memory: EndpointMemory | None = None,
    ) -> None:  # fmt: skip
        self._cluster = cluster
        self._limits = limits
        self._signer = signer
        self._report = report or _quiet
        self._source = credentials
        self._memory = memory or EndpointMemory(utc_now)
        self._endpoints = Endpoints(cluster.api_servers, self._memory.clock, self._memory.known)
        transport = self._open(credentials)
        self._client = Client(transport, Kinds(transport), tuple(public_keys))
        self._seen: tuple[Observation, Parent] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.transport.close()
        if self._endpoints.changed:
            self._memory.keep(self._endpoints.known)

    @property
    def requests(self) -> int:
        """HTTP requests sent so far, repeated ones included."""
        return self._client.transport.requests

    async def identify(self) -> Identity:
        """Who answers, and as whom it knows us. Raises IdentityError, MemberError."""
        async with self._operation():
            return await identify(self._client.transport, self._cluster.username)

    async def version(self) -> str:
        """The API server's version ("v1.36.3"), "" if it says none; one request. Raises MemberError."""
        async with self._operation():
            return await server_version(self._client.transport)

    async def renew(self, life: timedelta, now: datetime, announce: Announce) -> Standing:
        """Renew our own credential if it is time, for ``life``; ``announce`` logs it before it is used.

        What goes wrong with the member or the file is in the answer. Raises what ``announce`` raises.
        """
        work = Renewal(
            self._client.transport, self._source, self._open, now, life, 2 * self._limits.request_timeout,
            announce,
        )  # fmt: skip
        return await renew(work)

    async def held(self, now: datetime) -> Held:
        """How our own credential stands, without a request to the member. Raises MemberError."""
        return await hold(self._client.transport, self._source, now)

    async def issue(self, account: Account, life: timedelta) -> tuple[str, Issued]:
        """The cluster's uid, and a new token of ``account``. Raises IssueError, MemberError."""
        async with self._operation():
            uid = await observing.cluster_uid(self._client.transport)
            try:
                return uid, await request_token(self._client.transport, account, life)
            except (errors.ForbiddenError, errors.NotFoundError) as error:
                raise errors.IssueError(
                    f"the member issued no token: {error.code}: {error.message}",
                    expected=f"create on serviceaccounts/token {account.name!r} in {account.namespace}",
                    got=error.got,
                ) from error

    def _open(self, credentials: CredentialSource) -> Transport:
        cluster = self._cluster
        return Transport(
            cluster.api_servers, cluster.ca_bundle, cluster.tls_server_name, credentials, self._limits,
            self._endpoints,
        )  # fmt: skip

    async def observe(
        self, desired: Desired, *, deep: bool = False, adopt_check: bool = True,
        prober: observing.Prober | None = None,
    ) -> Observation:  # fmt: skip
        """What the member has of ``desired`` and of what we put there before.

        ``deep`` probes every object. Without ``adopt_check`` objects that exist without our label are not
        looked for. ``prober`` looks closer at what is in doubt, instead of our own dry runs: ``estimate``, or
        ``probe`` of a member with other credentials. Raises RecordError, WrongClusterError, MemberError.
        """
        async with self._operation():
            self._seen = await observing.observe(
                self._client, desired, deep=deep, adopt_check=adopt_check, prober=prober
            )
            return self._seen[0]

    async def probe(self, items: Sequence[DesiredObject], record: Record | None) -> Mapping[ObjectRef, Probe]:
        """What an apply would change, by dry runs. Raises MemberError."""
        async with self._operation():
            return await probing.probe(self._client, items, record)

    async def estimate(
        self, items: Sequence[DesiredObject], _record: Record | None
    ) -> Mapping[ObjectRef, Probe]:
        """What an apply would change, as far as reading tells. Raises MemberError."""
        async with self._operation():
            return await estimates.estimate(self._client, items)

    async def census(self, *, lists: bool = True) -> Census:
        """What carries our labels, and the record, by reads alone. Raises RecordError, MemberError."""
        async with self._operation():
            return await census(self._client, lists=lists)

    async def fetch(self, wanted: Mapping[ObjectRef, str]) -> Mapping[ObjectRef, Json]:
        """Whole objects (ref -> API version, "" for any) as far as they exist. Raises MemberError."""
        async with self._operation():
            return await fetch(self._client, wanted)

    async def require_unmoved(self, seen: Census) -> None:
        """No reconcile has written since the census. Raises MovedError, MemberError."""
        async with self._operation():
            await require_unmoved(self._client, seen)

    async def apply(self, desired: Desired, authorization: Authorization, *, log_index: int) -> ApplyReport:
        """Applies the change set to what the last ``observe`` saw, then writes the record.

        Raises when nothing was written: TrustError, NotAuthorizedError, MovedError, WrongClusterError,
        NotPreparedError, MemberError. Afterwards everything is in the report; its time limit is
        ``limits.apply_timeout``, and what was not done by then is reported as failed.
        """
        before = self.requests
        async with self._operation():
            signer = self._writer()
            seen, _ = self._observed()
            uid, parent = await observing.base(self._client)
            view = verified(authorization, desired, seen, uid, parent.sequence)
            kinds, namespaces = keeping.scope(desired)
            parent = await declare(self._client.transport, parent, kinds, namespaces)
        uids = {ref: meta.uid for ref, meta in seen.live.items()}
        applier = Applier(self._client, self._limits, desired, uids, self._report)
        await applier.run(view.changes)
        record = keeping.record_after(
            view, authorization.digest, log_index, desired, seen, parent.record, applier.outcomes
        )
        error = applier.error
        written = False
        try:
            async with self._operation():
                resources = await keeping.resources_of(self._client.kinds, record)
                unsure = keeping.unsure(applier.outcomes)
                await write_record(self._client.transport, parent, record, resources, signer, unsure)
                written = True
        except MemberError as failure:
            error = error or failure
        self._seen = None
        outcomes = tuple(applier.outcomes[change.ref] for change in view.changes)
        return ApplyReport(
            outcomes, written, self.requests - before, str(error) if error else "", applier.health
        )

    async def refresh_record(self, desired: Desired, seen: Observation) -> int:
        """Brings the record's resourceVersions up to date where a probe found nothing to change.

        Returns the number of requests: 0 when it is up to date. Raises MovedError, MemberError.
        """
        before = self.requests
        async with self._operation():
            signer = self._writer()
            record = keeping.refreshed(desired, seen)
            if record is None:
                return 0
            _, parent = self._observed()
            resources = await keeping.resources_of(self._client.kinds, record)
            await write_record(self._client.transport, parent, record, resources, signer)
            self._seen = None
        return self.requests - before

    async def occupants(self, namespaces: Collection[str], ours: Collection[ObjectRef]) -> dict[str, str]:
        """The namespaces that hold what is not ours -> what that is. Raises MemberError."""
        from reconciler.member.occupants import occupants

        async with self._operation():
            return await occupants(self._client, namespaces, ours)

    async def revoke(self, limit: float) -> tuple[str, ...]:
        """Take back our own access; what is left over. Raises MemberError."""
        from reconciler.member.revoking import revoke

        async with self._operation():
            return await revoke(self._client, self._cluster.username, limit=limit)

    async def health(self, desired: Desired) -> Mapping[ObjectRef, Health]:
        """The health of desired objects that have a status, one list a kind. Raises MemberError."""
        async with self._operation():
            return await health_of(self._client, desired)

    @asynccontextmanager
    async def secrets(self) -> AsyncIterator[ApiSecrets]:
        """The Secrets here, of a primary: other members' credentials. Raises MemberError."""
        async with self._operation():
            yield ApiSecrets(self._client.transport)

    async def require_profiles(self, namespace: str, *, wanted: bool) -> None:
        """ClusterProfiles can be made there; ``wanted``: the namespace comes with them.

        Raises UnpreparedError, MemberError.
        """
        async with self._operation():
            await profiles.require_served(self._client.transport)
            if not wanted:
                await profiles.require_namespace(self._client.transport, namespace)

    async def our_profiles(self, namespace: str) -> Sequence[profiles.Profile]:
        """Our ClusterProfiles of a namespace, as they are. Raises MemberError."""
        async with self._operation():
            return await profiles.our_profiles(self._client.transport, namespace)

    async def write_statuses(
        self, namespace: str, wanted: Sequence[tuple[profiles.Profile, Mapping[str, Json]]]
    ) -> Mapping[str, errors.ProfileStatusError]:
        """Apply statuses; what went wrong, by profile. Raises MemberError for what concerns all."""
        async with self._operation():
            return await profiles.write_statuses(self._client.transport, namespace, wanted)

    async def published(self) -> tuple[Published, ...]:
        """The ClusterProfiles of others. Raises UnpreparedError, PublishedError, MemberError."""
        async with self._operation():
            return await profiles.published(self._client.transport)

    async def examine(self, desired: Desired, seen: Seen, *, clock: Clock, bounds: Bounds) -> None:
        """What is wrong with the member and the way to it, into ``seen``; ``desired`` has the guard in it.

        Every URL is looked at by itself. What is the member's fault is a result, never raised; time is the
        caller's to bound.
        """
        from reconciler.member.diagnosis.member import examine
        from reconciler.member.diagnosis.servers import Way

        way = Way(self._cluster, self._source, self._limits, clock, bounds)
        await examine(way, desired, self._client.public_keys, seen)

    async def examine_viewer(self, desired: Desired, seen: Seen, *, clock: Clock, bounds: Bounds) -> None:
        """As ``examine``, and after it: what is wrong with this identity, the one that only reads."""
        from reconciler.member.diagnosis.servers import Way
        from reconciler.member.diagnosis.viewer import examine_viewer

        way = Way(self._cluster, self._source, self._limits, clock, bounds)
        credentials = self._cluster.viewer_credentials or self._cluster.credentials
        await examine_viewer(way, credentials, desired, seen)

    def _observed(self) -> tuple[Observation, Parent]:
        if self._seen is None:
            raise errors.NotAuthorizedError("nothing was observed", hint="call observe first")
        return self._seen

    def _writer(self) -> Signer:
        if self._signer is None:
            raise errors.NotAuthorizedError("no key to sign the record with", hint="connect with a signer")
        return self._signer

    @asynccontextmanager
    async def _operation(self) -> AsyncIterator[None]:
        try:
            await self._client.transport.refresh()
            yield
        except MemberError as error:
            if not error.where.startswith(f"{self._cluster.name}"):
                error.where = f"{self._cluster.name} {error.where}".rstrip()
            raise


def connect(
    cluster: documents.Cluster, federation: documents.Federation, credentials: Path,
    public_keys: Sequence[bytes], *, signer: Signer | None = None, open_secrets: OpenSecrets | None = None,
    seal_keys: KeyFile | None = None, environment: Mapping[str, str] | None = None,
    clock: Clock | None = None, report: Callable[[str], None] | None = None, viewer: bool = False,
    memory: EndpointMemory | None = None,
) -> Member:  # fmt: skip
    """The member of a registration, with the federation's limits; connects when it is first used.

    ``credentials`` is the host's credentials directory; ``signer`` is needed to apply, ``open_secrets`` for
    a ``secretRef``, ``seal_keys`` for sealed token files, ``environment`` is what exec commands get.
    ``viewer``: with the viewer's credentials, if there are any. ``memory``: of its API servers' health.
    Raises ExecRefusedError.
    """
    host = Host(
        credentials, clock or utc_now, tuple(federation.exec_commands), dict(environment or {}), open_secrets,
        seal_keys,
    )  # fmt: skip
    limits = Limits(
        request_timeout=federation.limits.request_timeout, apply_timeout=federation.limits.apply_timeout
    )
    chosen = cluster.viewer_credentials if viewer else None
    source = credential_source(chosen or cluster.credentials, host)
    return Member(
        cluster, source, public_keys=public_keys, signer=signer, limits=limits, report=report, memory=memory
    )


def _quiet(_line: str) -> None:
    """The default for ``report``."""
