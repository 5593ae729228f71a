"""The three ways in which a join becomes a registration, and which of them a request takes.

- ``PROPOSED``: a signed commit on ``join/NAME``, for review. Nothing else is asked for by default.
- ``COMMITTED``: a token that was made with --auto-approve; see ``approving``.
- ``PREPARED``: the name is registered and waits for its cluster; see ``prepared``.

Rule: asked before anything is done, and again before the token is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from reconciler.audit.membership import JoinToken
from reconciler.audit.state import LogState
from reconciler.model import Clock, Signer
from reconciler.pipeline.membership import registration as registering
from reconciler.pipeline.membership.approving import Check, Enrolment, enroll, require_allowed
from reconciler.pipeline.membership.prepared import require_prepared
from reconciler.pipeline.membership.refused import NameTakenError
from reconciler.pipeline.membership.request import JoinRequest
from reconciler.repository import Repository
from reconciler.repository.proposing import Proposal
from reconciler.trust.sshsig import sign


class Way(Enum):
    """How a registration comes to be."""

    PROPOSED = "proposed"
    COMMITTED = "committed"
    PREPARED = "prepared"


@dataclass(frozen=True, slots=True)
class Course:
    """How one request goes on; ``ours``: this very join has begun before."""

    token: JoinToken
    now: registering.Standing
    ref: str
    accepted: str
    way: Way
    ours: bool


@dataclass(frozen=True, slots=True)
class Ways:
    """What deciding and registering need; ``stored`` says whether a name has a credential."""

    repository: Repository
    signer: Signer
    clock: Clock
    stored: Callable[[str], bool]
    check: Check

    def course(
        self, request: JoinRequest, token_id: str, token: JoinToken, state: LogState, *, ours: bool
    ) -> Course:
        """Which way. Raises NameTakenError, ClusterKnownError, and what the ways raise."""
        now = registering.standing(self.repository, state.ref, request.name)
        registering.require_unknown(request, state, now, self.repository)
        way = self._way(request, token_id, token, state, now, ours)
        accepted = state.accepted.commit if state.accepted else now.tip
        return Course(token, now, state.ref, accepted, way, ours)

    def _way(
        self, request: JoinRequest, token_id: str, token: JoinToken, state: LogState,
        now: registering.Standing, ours: bool,
    ) -> Way:  # fmt: skip
        name = request.name
        if name in now.servers:
            joined = state.membership.joined.get(name)
            # Of this join, unless the log says that it came in by a proposal, or by another token.
            again = ours and (joined is None or (joined.token, joined.branch) == (token_id, state.ref))
            if again and token.auto_approve and not self._is_accepted(state, name):
                return Way.COMMITTED
            require_prepared(
                request, token, state, now, self.repository, stored=self.stored(name), again=again
            )
            return Way.PREPARED
        if now.proposed and (token.auto_approve or not ours):
            raise NameTakenError(f"a cluster {name} is proposed already", where=registering.branch_of(name))
        if token.auto_approve:
            require_allowed(self.repository, state, self.signer.public_key)
            return Way.COMMITTED
        return Way.PROPOSED

    def _is_accepted(self, state: LogState, name: str) -> bool:
        if state.accepted is None:
            return False
        return registering.path_of(name) in self.repository.snapshot(state.accepted.commit).files

    def register(self, course: Course, name: str, content: bytes) -> tuple[str, str]:
        """Commit and branch of the registration. Raises RepositoryError and what the ways raise."""
        match course.way:
            case Way.PREPARED:
                return course.accepted, course.ref
            case Way.COMMITTED:
                proposal = self._proposal(name, content, course.now.tip, course.ref)
                done = enroll(Enrolment(proposal, course.accepted), self.repository, self.signer, self.check)
                return done, course.ref
            case Way.PROPOSED:
                return self._propose(name, content, course.now), registering.branch_of(name)

    def _propose(self, name: str, content: bytes, now: registering.Standing) -> str:
        repository, path = self.repository, registering.path_of(name)
        if now.proposed:
            snapshot = repository.snapshot(now.proposed)
            if path in snapshot.files and snapshot.read(path) == content:
                return now.proposed
            raise NameTakenError(
                "the branch of an earlier try has something else on it", where=registering.branch_of(name)
            )
        proposal = self._proposal(name, content, now.tip, registering.branch_of(name))
        return repository.propose(proposal, lambda raw: sign(self.signer, raw, namespace="git"))

    def _proposal(self, name: str, content: bytes, tip: str, branch: str) -> Proposal:
        return Proposal(
            tip, registering.path_of(name), content, branch, f"Register cluster {name}",
            "fleetward", "fleetward@localhost", self.clock(),
        )  # fmt: skip
