"""The member's part of a kick: a reconcile of that one member to nothing, and its access taken back.

The deletions and releases are a change set like any other: judged by the gate, signed, in the log before and
after. Only the limits on deletions and on an emptied member do not hold: a person named the cluster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from reconciler.audit.membership import Kicked
from reconciler.audit.state import LogState
from reconciler.documents import Cluster
from reconciler.errors import MemberError
from reconciler.member import errors
from reconciler.member.client import Member
from reconciler.member.leaving import guard_names
from reconciler.model import ObjectRef, Observation
from reconciler.pipeline.applying import carry_out
from reconciler.pipeline.check import Checked
from reconciler.pipeline.deploy import settle
from reconciler.pipeline.journal import Journal
from reconciler.pipeline.looking import Looks
from reconciler.pipeline.membership.refused import KickRefusedError, NotEmptyError, NotGoneError
from reconciler.pipeline.ports import MemberPorts, WritePorts
from reconciler.pipeline.proving import require_proven
from reconciler.pipeline.run import Deployment, MemberState
from reconciler.plan import Action, Allowances, Plan, leaving_plan, nothing

REVOKE_LIMIT = 60.0  # seconds that the member may take to refuse the credential
_ALLOWED = Allowances(empty=True, deletions=True)
_REFUSED_US = (errors.UnauthorizedError, errors.CredentialError)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a kick is about to do on the member; ``plan`` None: nothing, it is done or not asked for."""

    cluster: str
    uid: str
    plan: Plan | None = None
    occupied: Mapping[str, str] = field(default_factory=dict)  # namespaces that stay -> what is in them


@dataclass(slots=True)
class Emptying:
    """One kick's contact with its member."""

    cluster: Cluster
    checked: Checked
    members: MemberPorts
    writes: WritePorts
    keep: bool
    uid: str  # of the cluster as the log knows it, "" for not at all

    async def run(
        self, agree: Callable[[Outlook], Awaitable[Kicked]], before: Kicked | None
    ) -> tuple[Outlook, tuple[str, ...]]:
        """Empty or release, then revoke; what was done, and what is left over there.

        ``agree`` asks and logs the kick; ``before`` is an earlier one of this registration. Raises
        NotGoneError, which says what was done, NotEmptyError, MemberError, AuditError.
        """
        async with self.members.connect(self.cluster, self.checked.read_fleet) as member:
            if before and emptied(self.writes.log.state(), self.cluster.name, before):
                outlook = Outlook(self.cluster.name, before.cluster_uid)
                await agree(outlook)
            else:
                outlook = await self._empty(member, agree)
            return outlook, await self._revoke(member)

    async def _empty(self, member: Member, agree: Callable[[Outlook], Awaitable[Kicked]]) -> Outlook:
        seen, outlook = await self._look(member)
        assert outlook.plan is not None  # noqa: S101  a look makes one
        if seen.record:
            require_proven(self.writes.log, self.cluster.name, seen.record)
        kicked = await agree(outlook)
        run = self._deployment()
        await settle(run, self.cluster, seen.record)
        if not outlook.plan.changes and emptied(self.writes.log.state(), self.cluster.name, kicked):
            return outlook  # an earlier try was killed between its record and its outcome
        desired = nothing(self.cluster.name)
        result = await carry_out(run, self.cluster, member, desired, outlook.plan, seen, ())
        if result.state is not MemberState.APPLIED:
            said = [str(o.error) for o in result.outcomes if o.error] or [f.message for f in result.findings]
            raise NotEmptyError(
                "the cluster could not be emptied; it is kicked, and its credentials still work",
                got="; ".join([result.error, *said])[:600], where=self.cluster.name,
                hint="mend that, and run the same command again",
            )  # fmt: skip
        return outlook

    async def _look(self, member: Member) -> tuple[Observation, Outlook]:
        limit = self.checked.federation.limits.apply_timeout
        name = self.cluster.name
        try:
            async with asyncio.timeout(limit.total_seconds()):
                identity = await member.identify()
                self._require_ours(identity.uid)
                seen = await member.observe(nothing(name), adopt_check=False)
                spaces = () if self.keep else [ref.name for ref in seen.live if _is_namespace(ref)]
                occupied = await member.occupants(spaces, seen.live.keys()) if spaces else {}
        except TimeoutError as error:
            raise not_gone(name, f"no answer within spec.limits.applyTimeout ({limit})") from error
        except (KickRefusedError, NotGoneError):
            raise
        except MemberError as error:
            raise not_gone(name, f"{error.code}: {error.message}") from error
        plan = leaving_plan(name, seen, guard=guard_names(), keep=self.keep, occupied=occupied)
        return seen, Outlook(name, seen.cluster_uid, plan, occupied)

    def _require_ours(self, uid: str) -> None:
        if self.uid not in ("", uid):
            raise not_gone(self.cluster.name, f"another cluster answers: {uid}, and not {self.uid}")
        primary = self.writes.log.state().membership.primary
        if primary and primary.cluster_uid == uid:
            raise is_primary(self.cluster.name)

    async def _revoke(self, member: Member) -> tuple[str, ...]:
        self.members.report(f"{self.cluster.name}: taking its credentials back")
        try:
            return await member.revoke(REVOKE_LIMIT)
        except _REFUSED_US:
            return ()  # an earlier try got that far
        except MemberError as error:
            raise not_gone(self.cluster.name, f"{error.code}: {error.message}", begun=True) from error

    def _deployment(self) -> Deployment:
        looks = Looks((), _accepted)
        state, journal = self.writes.log.state(), Journal(self.writes.log)
        return Deployment(
            self.checked, self.members, self.writes, journal, state, looks, deep=False, allow=_ALLOWED
        )


def emptied(state: LogState, name: str, kicked: Kicked) -> bool:
    """Whether the log says that this kick's change set was applied whole."""
    member = state.cluster(name)
    applied = member.applied is not None and member.applied.index > kicked.index
    return kicked.contacted and applied and not member.pending


def removed(plan: Plan) -> tuple[int, int]:
    """How many objects a plan deletes and releases."""
    return plan.count(Action.DELETE), plan.count(Action.RELEASE)


def is_primary(name: str) -> KickRefusedError:
    """The error for the primary itself."""
    return KickRefusedError("the cluster is the primary", where=name, hint="`fleetward demote` comes first")


def not_gone(name: str, got: str, *, begun: bool = False) -> NotGoneError:
    """The error for a member that is not there, or does not do what it is asked."""
    done = "it is kicked and emptied, and its credentials still work" if begun else "nothing was done"
    return NotGoneError(
        f"the cluster cannot be asked to leave; {done}", where=name, got=got[:600],
        hint="mend that, and run the same command again; if the cluster is gone for good, or left by itself:"
        f" fleetward kick {name} --gone",
    )  # fmt: skip


def _is_namespace(ref: ObjectRef) -> bool:
    return (ref.group, ref.kind) == ("", "Namespace")


async def _accepted() -> None:
    """The commit was accepted long before."""
