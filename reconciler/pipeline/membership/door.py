"""The primary answers a request to join.

Steps: 1. the token, without any I/O; 2. the token in the log: known, not revoked, not used by another, for
this name; 3. the cluster is not known yet, and the name is free or waits for it (``ways``); 4. the primary's
own look at the cluster (``callback``); 5. 2 and 3 once more, then the token is used in the log; 6. the
credential is stored; 7. the registration is proposed as a signed commit on ``join/NAME``, committed, or there
already (``ways``); 8. the join is logged.

Rules:
- 5 to 8 are one join at a time here; between processes the log's compare-and-swap decides who used a token,
  and the repository's who made the branch.
- A join that broke off after 5 is finished by repeating it: the same token, from the same cluster (name and
  uid), with the same claim, goes on where nothing was done yet. The claim is a secret of 256 bits that the
  joining side made; the log has its SHA-256. The token has to be in its time for that; after it, a new one
  finishes the join: nothing of the old one stands in the way but its branch, where it was made.
- After a proposed registration was merged the name is taken, and no token changes anything about it.
- Whatever was wrong, a defect here too, has a code, an entry ``join-refused``, and an answer without secrets.
- The entry has the name that was asked for only if the log knew the token: what a stranger sends as a name
  is neither written nor counted by itself, else each would make an entry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from reconciler.audit.codes import LogConflictError
from reconciler.audit.entry import CredentialIssued, CredentialRole, Entry, MemberJoined, TokenUsed
from reconciler.audit.log import Log
from reconciler.audit.membership import JoinToken
from reconciler.errors import FleetwardError
from reconciler.member.addresses import Resolver
from reconciler.member.callback import Applicant, Applied, look_at
from reconciler.member.enrol import fingerprint
from reconciler.member.identity import Identity
from reconciler.model import Clock, Json, Signer
from reconciler.pipeline.membership.approving import Check
from reconciler.pipeline.membership.refusals import Refusals
from reconciler.pipeline.membership.refused import TokenNameError, TokenUnknownError, TokenUsedError
from reconciler.pipeline.membership.registration import registration
from reconciler.pipeline.membership.request import JoinRequest
from reconciler.pipeline.membership.tokens import require_name
from reconciler.pipeline.membership.ways import Course, Way, Ways
from reconciler.pipeline.ports import Report
from reconciler.repository import Repository
from reconciler.trust.jointoken import Claims, verify

TRIES = 5  # of an append that met another writer
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DoorPorts:
    """What the door needs. ``open_log`` gives the log as it is now, for writing; ``signer``
    the key, as it is now: it may be replaced while the door is open.

    ``store`` keeps a member's credential and its viewer's, and gives ``credentials`` and
    ``viewerCredentials`` of its registration's spec; it may be repeated. ``stored`` says whether a name has
    one. ``check`` says of a commit what reconcile would, after a base.
    ``loopback`` allows members on this very machine.
    """

    open_log: Callable[[], Log]
    repository: Repository
    issuer: str  # of tokens
    token_key: bytes  # SubjectPublicKeyInfo, DER
    signer: Callable[[], Signer]
    store: Callable[[str, str, str], Mapping[str, Json]]
    stored: Callable[[str], bool]
    check: Check
    clock: Clock
    actor: str
    report: Report
    loopback: bool = False
    resolver: Resolver | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """A cluster that joined; ``commit`` on ``branch`` has its registration."""

    cluster: str
    uid: str
    branch: str
    commit: str


@dataclass(slots=True)
class _Believed:
    """What a refusal says of who asked: "" until it is more than a stranger's text."""

    token: str = ""  # its id, once its signature was good
    name: str = ""  # once the log knew that token


@dataclass(slots=True)
class Door:
    """One join endpoint; safe for concurrent requests of one event loop."""

    ports: DoorPorts
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _refusals: Refusals = field(default_factory=Refusals)

    async def admit(self, request: JoinRequest, address: str) -> Admission:
        """Let a cluster join. Raises MemberError, TokenError and others of ``codes``, AuditError,
        RepositoryError; each is in the log before it is raised."""
        believed = _Believed()
        try:
            return await self._admit(request, believed)
        except Exception as error:
            code = error.code if isinstance(error, FleetwardError) else FleetwardError.code
            await self.refuse(code, address, believed.name, believed.token)
            raise

    async def _admit(self, request: JoinRequest, believed: _Believed) -> Admission:
        # 1. The token.
        now = self.ports.clock()
        claims = verify(request.token, self.ports.token_key, self.ports.issuer, now=now)
        believed.token = claims.id
        # 2. The token in the log. 3. Name and cluster.
        require_name(request.name)
        await self._locked(lambda: self._look_up(request, claims, believed))
        # 4. The cluster itself.
        applicant = Applicant(
            request.uid, request.servers, request.ca_bundle, request.server_name, request.credential
        )
        seen = await look_at(
            applicant, clock=self.ports.clock, loopback=self.ports.loopback, resolver=self.ports.resolver
        )
        # 5. to 8.
        return await self._locked(lambda: self._settle(request, claims, seen))

    async def _locked(self, work: Callable[[], T]) -> T:
        """``work`` in a thread, alone. It is not given up when its request is: a join ends as a whole."""
        return await asyncio.shield(asyncio.ensure_future(self._alone(work)))

    async def _alone(self, work: Callable[[], T]) -> T:
        async with self._turn:
            return await asyncio.to_thread(work)

    def _look_up(self, request: JoinRequest, claims: Claims, believed: _Believed) -> None:
        log = self.ports.open_log()
        require_known(log.state().membership.tokens.get(claims.id), claims)
        believed.name = request.name
        self._standing(request, claims, log)

    def _standing(self, request: JoinRequest, claims: Claims, log: Log) -> Course:
        """How this join goes on. Raises what steps 2 and 3 do."""
        state = log.state()
        token = require_known(state.membership.tokens.get(claims.id), claims)
        ours = require_usable(token, claims, request)
        return self._ways.course(request, claims.id, token, state, ours=ours)

    @property
    def _ways(self) -> Ways:
        ports = self.ports
        return Ways(ports.repository, ports.signer(), ports.clock, ports.stored, ports.check)

    def _settle(self, request: JoinRequest, claims: Claims, seen: Applied) -> Admission:
        # 5. The token is used.
        identity = seen.identity
        course = self._use(request, claims, identity)
        # 6. The credentials.
        self._append_viewer(request.name, seen)
        logins = self.ports.store(request.name, request.credential, seen.viewer.token)
        # 7. The registration.
        labels = dict(label.split("=", 1) for label in course.token.labels)
        content = registration(request, labels, identity.version, logins)
        commit, branch = self._ways.register(course, request.name, content)
        # 8. The join.
        entry = MemberJoined(
            actor=self.ports.actor, token=claims.id, cluster=request.name, cluster_uid=identity.uid,
            commit=commit, branch=branch,
        )  # fmt: skip
        entry = self._append_joined(entry, course)
        self.ports.report(f"{request.name}: joined, {course.way.value}: {entry.commit[:12]} on {branch}")
        return Admission(request.name, identity.uid, branch, entry.commit)

    def _use(self, request: JoinRequest, claims: Claims, identity: Identity) -> Course:
        entry = TokenUsed(
            actor=self.ports.actor, token=claims.id, cluster=request.name, cluster_uid=identity.uid,
            claim=fingerprint(request.claim),
        )  # fmt: skip
        for attempt in range(TRIES):
            log = self.ports.open_log()
            course = self._standing(request, claims, log)
            if course.ours:
                return course
            try:
                log.append([entry])
            except LogConflictError:
                if attempt + 1 == TRIES:
                    raise
            else:
                return course
        raise AssertionError("unreachable")

    def _append_viewer(self, name: str, seen: Applied) -> None:
        """A token of the viewer's account was asked for with the member's own credential."""
        issued = CredentialIssued(
            actor=self.ports.actor, cluster=name, cluster_uid=seen.identity.uid, role=CredentialRole.VIEWER,
            expires=seen.viewer.expires, audit_id=seen.viewer.audit_id,
        )  # fmt: skip
        self._append([issued])

    def _append_joined(self, entry: MemberJoined, course: Course) -> MemberJoined:
        """Log the join, once; the entry that counts: the ref may have moved on since the first."""
        for attempt in range(TRIES):
            log = self.ports.open_log()
            before = log.state().membership.joined.get(entry.cluster)
            same = before and (before.token, before.branch) == (entry.token, entry.branch)
            if before and same and (before.commit == entry.commit or course.way is not Way.PROPOSED):
                return replace(entry, commit=before.commit)
            try:
                log.append([entry])
            except LogConflictError:
                if attempt + 1 == TRIES:
                    raise
            else:
                return entry
        raise AssertionError("unreachable")

    async def refuse(self, code: str, address: str, cluster: str = "", token: str = "") -> None:
        """Count a refusal, and log it if it is the first of its kind. A log that fails is only reported."""
        if self._refusals.note(code, cluster, token, address, self.ports.clock()):
            await self.flush()

    async def flush(self, *, everything: bool = False) -> None:
        """Log the refusals that are due: once a window, and with ``everything`` at the end."""
        entries = self._refusals.take(self.ports.actor, self.ports.clock(), everything=everything)
        if not entries:
            return
        try:
            await self._locked(lambda: self._append(entries))
        except FleetwardError as error:
            self.ports.report(f"refusals could not be logged: {error.code} {error.message}")

    def _append(self, entries: Sequence[Entry]) -> None:
        for attempt in range(TRIES):
            try:
                self.ports.open_log().append(entries)
            except LogConflictError:
                if attempt + 1 == TRIES:
                    raise
            else:
                return


def require_known(token: JoinToken | None, claims: Claims) -> JoinToken:
    """The token as the log has it. Raises TokenUnknownError."""
    if token is None or token.revoked:
        raise TokenUnknownError(
            "the token was revoked" if token else "the log does not know the token", where=claims.id,
            hint="make a new one: `fleetward token create`",
        )  # fmt: skip
    return token


def require_usable(token: JoinToken, claims: Claims, request: JoinRequest) -> bool:
    """Whether the token was used by this very join before; False: it is unused.

    Raises TokenUsedError, TokenNameError.
    """
    if token.cluster not in ("", request.name):
        raise TokenNameError(
            "the token is for another name", expected=token.cluster, got=request.name[:80], where=claims.id
        )
    if not token.used_by:
        return False
    used = (token.used_by, token.used_uid, token.claim)
    if used == (request.name, request.uid, fingerprint(request.claim)):
        return True
    raise TokenUsedError(
        f"the token was used already, by cluster {token.used_by}", where=claims.id,
        hint="each token is good for one join: make a new one",
    )  # fmt: skip
