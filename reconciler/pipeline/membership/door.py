"""The primary answers a request to join.

Steps: 1. the token, without any I/O; 2. the token in the log: known, not revoked, not used by another, for
this name; 3. the name and the cluster are free; 4. the primary's own look at the cluster (``callback``);
5. 2 and 3 once more, then the token is used in the log; 6. the credential is stored; 7. the registration is
proposed as a signed commit on ``join/NAME``; 8. the join is logged.

Rules:
- 5 to 8 are one join at a time here; between processes the log's compare-and-swap decides who used a token,
  and the repository's who made the branch.
- A join that broke off after 5 is finished by repeating it: the same token, from the same cluster (name and
  uid), with the same claim, goes on where nothing was done yet. The claim is a secret of 256 bits that the
  joining side made; the log has its SHA-256. The token has to be in its time for that; after it, a new one
  finishes the join: nothing of the old one stands in the way but its branch, where it was made.
- After the registration was merged the name is taken, and no token changes anything about it.
- Whatever was wrong has a code, an entry ``join-refused``, and an answer without secrets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from reconciler.audit.codes import LogConflictError
from reconciler.audit.entry import Entry, MemberJoined, TokenUsed
from reconciler.audit.log import Log
from reconciler.audit.membership import JoinToken
from reconciler.errors import FleetwardError
from reconciler.member.addresses import Resolver
from reconciler.member.callback import Applicant, look_at
from reconciler.member.enrol import fingerprint
from reconciler.member.identity import Identity
from reconciler.model import Clock, Json, Signer
from reconciler.pipeline.membership import registration as registering
from reconciler.pipeline.membership.refusals import Refusals
from reconciler.pipeline.membership.refused import (
    NameTakenError,
    TokenNameError,
    TokenUnknownError,
    TokenUsedError,
)
from reconciler.pipeline.membership.request import JoinRequest
from reconciler.pipeline.membership.tokens import require_name
from reconciler.pipeline.ports import Report
from reconciler.repository import Repository
from reconciler.repository.proposing import Proposal
from reconciler.trust.jointoken import Claims, verify
from reconciler.trust.sshsig import sign

TRIES = 5  # of an append that met another writer
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DoorPorts:
    """What the door needs. ``open_log`` gives the log as it is now, for writing.

    ``store`` keeps a member's credential and gives ``spec.credentials`` of its registration; it may be
    repeated.
    ``loopback`` allows members on this very machine.
    """

    open_log: Callable[[], Log]
    repository: Repository
    issuer: str  # of tokens
    token_key: bytes  # SubjectPublicKeyInfo, DER
    signer: Signer
    store: Callable[[str, str], Mapping[str, Json]]
    clock: Clock
    actor: str
    report: Report
    loopback: bool = False
    resolver: Resolver | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """A cluster whose registration is proposed as ``commit`` on ``branch``."""

    cluster: str
    uid: str
    branch: str
    commit: str


@dataclass(slots=True)
class Door:
    """One join endpoint; safe for concurrent requests of one event loop."""

    ports: DoorPorts
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _refusals: Refusals = field(default_factory=Refusals)

    async def admit(self, request: JoinRequest, address: str) -> Admission:
        """Let a cluster join. Raises MemberError, TokenError and others of ``codes``, AuditError,
        RepositoryError; each is in the log before it is raised."""
        known: list[str] = []  # the token's id, once its signature was believed
        try:
            return await self._admit(request, known)
        except FleetwardError as error:
            await self.refuse(error.code, address, request.name, *known)
            raise

    async def _admit(self, request: JoinRequest, known: list[str]) -> Admission:
        # 1. The token.
        now = self.ports.clock()
        claims = verify(request.token, self.ports.token_key, self.ports.issuer, now=now)
        known.append(claims.id)
        # 2. The token in the log. 3. Name and cluster.
        require_name(request.name)
        await self._locked(lambda: self._standing(request, claims))
        # 4. The cluster itself.
        applicant = Applicant(
            request.uid, request.servers, request.ca_bundle, request.server_name, request.credential
        )
        identity = await look_at(
            applicant, clock=self.ports.clock, loopback=self.ports.loopback, resolver=self.ports.resolver
        )
        # 5. to 8.
        return await self._locked(lambda: self._settle(request, claims, identity))

    async def _locked(self, work: Callable[[], T]) -> T:
        """``work`` in a thread, alone. It is not given up when its request is: a join ends as a whole."""
        return await asyncio.shield(asyncio.ensure_future(self._alone(work)))

    async def _alone(self, work: Callable[[], T]) -> T:
        async with self._turn:
            return await asyncio.to_thread(work)

    def _standing(
        self, request: JoinRequest, claims: Claims, log: Log | None = None
    ) -> tuple[JoinToken, registering.Standing, bool]:
        """The token, the repository, and whether this join has begun before. Raises what steps 2 and 3 do."""
        state = (log or self.ports.open_log()).state()
        token = state.membership.tokens.get(claims.id)
        ours = require_usable(token, claims, request)
        assert token is not None  # noqa: S101  require_usable has looked
        now = registering.standing(self.ports.repository, state.ref, request.name)
        registering.require_free(request, state, now, self.ports.repository, ours=ours)
        return token, now, ours

    def _settle(self, request: JoinRequest, claims: Claims, identity: Identity) -> Admission:
        # 5. The token is used.
        token, now = self._use(request, claims, identity)
        # 6. The credential.
        credentials = self.ports.store(request.name, request.credential)
        # 7. The proposal.
        labels = dict(label.split("=", 1) for label in token.labels)
        content = registering.registration(request, labels, identity.version, credentials)
        branch = registering.branch_of(request.name)
        commit = self._propose(request.name, content, now)
        # 8. The join.
        entry = MemberJoined(
            actor=self.ports.actor, token=claims.id, cluster=request.name, cluster_uid=identity.uid,
            commit=commit, branch=branch,
        )  # fmt: skip
        self._append_joined(entry)
        self.ports.report(f"{request.name}: joined, proposed as {commit[:12]} on {branch}")
        return Admission(request.name, identity.uid, branch, commit)

    def _use(
        self, request: JoinRequest, claims: Claims, identity: Identity
    ) -> tuple[JoinToken, registering.Standing]:
        entry = TokenUsed(
            actor=self.ports.actor, token=claims.id, cluster=request.name, cluster_uid=identity.uid,
            claim=fingerprint(request.claim),
        )  # fmt: skip
        for attempt in range(TRIES):
            log = self.ports.open_log()
            token, now, ours = self._standing(request, claims, log)
            if ours:
                return token, now
            try:
                log.append([entry])
            except LogConflictError:
                if attempt + 1 == TRIES:
                    raise
            else:
                return token, now
        raise AssertionError("unreachable")

    def _propose(self, name: str, content: bytes, now: registering.Standing) -> str:
        repository, path = self.ports.repository, registering.path_of(name)
        if now.proposed:
            snapshot = repository.snapshot(now.proposed)
            if path in snapshot.files and snapshot.read(path) == content:
                return now.proposed
            raise NameTakenError(
                "the branch of an earlier try has something else on it", where=registering.branch_of(name)
            )
        proposal = Proposal(
            now.tip, path, content, registering.branch_of(name), f"Register cluster {name}",
            "fleetward", "fleetward@localhost", self.ports.clock(),
        )  # fmt: skip
        return repository.propose(proposal, lambda raw: sign(self.ports.signer, raw, namespace="git"))

    def _append_joined(self, entry: MemberJoined) -> None:
        for attempt in range(TRIES):
            log = self.ports.open_log()
            before = log.state().membership.joined.get(entry.cluster)
            if before and (before.token, before.commit) == (entry.token, entry.commit):
                return
            try:
                log.append([entry])
            except LogConflictError:
                if attempt + 1 == TRIES:
                    raise
            else:
                return

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
            await self._locked(lambda: self._append_refusals(entries))
        except FleetwardError as error:
            self.ports.report(f"refusals could not be logged: {error.code} {error.message}")

    def _append_refusals(self, entries: Sequence[Entry]) -> None:
        for attempt in range(TRIES):
            try:
                self.ports.open_log().append(entries)
            except LogConflictError:
                if attempt + 1 == TRIES:
                    raise
            else:
                return


def require_usable(token: JoinToken | None, claims: Claims, request: JoinRequest) -> bool:
    """Whether the token was used by this very join before; False: it is unused.

    Raises TokenUnknownError, TokenUsedError, TokenNameError.
    """
    if token is None or token.revoked:
        raise TokenUnknownError(
            "the token was revoked" if token else "the log does not know the token", where=claims.id,
            hint="make a new one: `fleetward token create`",
        )  # fmt: skip
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
