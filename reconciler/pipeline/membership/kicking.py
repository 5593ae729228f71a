"""A cluster is made to leave, on the primary: ordered by name, logged before and after, repeatable.

Steps (a kick that was killed after any of them is finished by the same command):
1. the order is judged: a registration that is accepted as it stands, and not the primary's
2. the member is looked at, unless it is said to be gone, and a person says yes
3. ``member-kicked`` is logged; from here on the registration is left alone
4. the member is emptied or released by a signed change set, and takes our access back (``emptying``)
5. its stored credentials are removed
6. the removal of the registration is proposed on ``leave/NAME``
7. ``member-left`` is logged
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from reconciler.audit.entry import MemberKicked, MemberLeft
from reconciler.audit.entry_membership import MAX_REASON
from reconciler.audit.fields import clip
from reconciler.audit.membership import Kicked
from reconciler.audit.state import LogState
from reconciler.documents import Cluster, Fleet
from reconciler.documents.joined import is_joined
from reconciler.model import Snapshot
from reconciler.pipeline.accepting import require_initialized
from reconciler.pipeline.check import Checked, check
from reconciler.pipeline.journal import Journal
from reconciler.pipeline.membership.emptying import Emptying, Outlook, is_primary
from reconciler.pipeline.membership.leaving import unconfirmed
from reconciler.pipeline.membership.refused import KickRefusedError, NameTakenError
from reconciler.pipeline.membership.registration import leaving_branch_of, path_of
from reconciler.pipeline.membership.standing import (
    digest_at,
    other_registrations,
    stored_credentials,
)
from reconciler.pipeline.ports import CheckPorts, MemberPorts, WritePorts
from reconciler.repository.proposing import Proposal
from reconciler.trust.sshsig import sign

Forgotten = tuple[tuple[str, ...], tuple[str, ...]]  # what was removed; why others stay
Forget = Callable[[Sequence[str]], Awaitable[Forgotten]]


@dataclass(frozen=True, slots=True)
class Order:
    """What the person says; ``gone``: the member is not asked."""

    name: str
    keep_objects: bool = False
    gone: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class KickPorts:
    """What a kick needs. ``forget`` removes files below the credentials folder, those that are there.

    ``confirm`` is asked once, before anything is done.
    """

    checks: CheckPorts
    members: MemberPorts
    writes: WritePorts
    forget: Forget
    confirm: Callable[[Outlook], bool]


@dataclass(frozen=True, slots=True)
class Done:
    """What became of it. ``left_over`` are sentences: what a person has to do yet."""

    outlook: Outlook
    contacted: bool
    left_over: tuple[str, ...]
    credentials: tuple[str, ...]
    branch: str
    commit: str


@dataclass(frozen=True, slots=True)
class _Target:
    """The cluster as the log, the accepted commit and the fleet's tip know it."""

    name: str
    registration: str  # digest, "" for none
    checked: Checked
    accepted: Snapshot
    tip: Snapshot
    cluster: Cluster | None  # as accepted, and as the tip has it
    before: Kicked | None  # an earlier kick of this very registration
    uid: str

    @property
    def fleet(self) -> Fleet:
        return self.checked.read_fleet


async def kick(order: Order, ports: KickPorts) -> Done:
    """Make the cluster leave. Raises KickRefusedError, NotGoneError, UnconfirmedLeaveError, NotEmptyError,
    CredentialLeftError, ProposalError, AuditError.
    """
    # 1. The order.
    target = _target(order, ports)

    async def agree(outlook: Outlook) -> Kicked:
        if not ports.confirm(outlook):
            raise unconfirmed(f"cluster {order.name}")
        return await _log_kick(order, ports, target, outlook.uid)

    # 2. to 4. The member.
    left: tuple[str, ...] = ()
    if order.gone:
        outlook = Outlook(order.name, target.uid)
        await agree(outlook)
    else:
        assert target.cluster is not None  # noqa: S101  _target has looked
        emptying = Emptying(
            target.cluster, target.checked, ports.members, ports.writes, order.keep_objects, target.uid
        )
        outlook, left = await emptying.run(agree, target.before)
    # 5. What is stored here.
    removed, kept = await _forget(target, ports)
    # 6. The registration.
    commit, branch = _propose(target, ports)
    # 7. Done.
    await _log_left(ports, target, len(removed), commit, branch)
    return Done(outlook, not order.gone, (*left, *kept), removed, branch, commit)


def _target(order: Order, ports: KickPorts) -> _Target:
    repository, state = ports.checks.repository, ports.writes.log.state()
    repository.fetch()
    commit = require_initialized(state, repository)
    checked = check(ports.checks, rev=commit, base=commit)
    if checked.fleet is None:
        raise KickRefusedError("the accepted commit cannot be read any more", where=commit)
    accepted, tip = repository.snapshot(commit), repository.snapshot(repository.resolve(state.ref))
    here, there = digest_at(accepted, order.name), digest_at(tip, order.name)
    cluster = next((c for c in checked.read_fleet.clusters if c.name == order.name), None)
    kicked = state.membership.kicked.get(order.name)
    known = bool(here or there or kicked or order.name in state.membership.joined)
    _require_kickable(order, state, checked, known=known, uid=_known_uid(state, order.name))
    if kicked and kicked.left is not None and not (here or there):
        raise KickRefusedError(
            "the cluster has left already", where=order.name, got=f"the kick at entry {kicked.index}",
            hint="nothing is left to do",
        )  # fmt: skip
    if not order.gone and (cluster is None or (there and here != there)):
        raise KickRefusedError(
            "the cluster cannot be asked to leave: its registration is not the accepted one",
            where=path_of(order.name), expected=here or "an accepted registration", got=there or "none",
            hint="reconcile first; or kick it without contact, by --gone",
        )  # fmt: skip
    digest = there or here
    before = kicked if kicked and kicked.registration == digest else None
    return _Target(order.name, digest, checked, accepted, tip, cluster, before, _known_uid(state, order.name))


def _require_kickable(order: Order, state: LogState, checked: Checked, *, known: bool, uid: str) -> None:
    if not known:
        names = " or ".join(cluster.name for cluster in checked.read_fleet.clusters) or "a registration"
        raise KickRefusedError("no such cluster", expected=names, got=order.name[:100])
    primary = state.membership.primary
    if (primary and uid == primary.cluster_uid) or checked.federation.primary == order.name:
        raise is_primary(order.name)


def _known_uid(state: LogState, name: str) -> str:
    """The cluster's uid, as far as the log knows it."""
    intent, joined = state.cluster(name).intent, state.membership.joined.get(name)
    if joined and not (intent and intent.index > joined.index):
        return joined.cluster_uid
    return intent.cluster_uid if intent else ""


async def _log_kick(order: Order, ports: KickPorts, target: _Target, uid: str) -> Kicked:
    """The kick that is open now: an earlier one with the same order, or a new one."""
    reason = clip(order.reason, MAX_REASON)
    before = target.before
    if before:
        same = (before.kept_objects, before.contacted) == (order.keep_objects, not order.gone)
        if same and reason in ("", before.reason) and (before.left is None or _is_proposed(target, ports)):
            return before
        reason = reason or before.reason
    entry = MemberKicked(
        actor=ports.writes.actor, cluster=target.name, cluster_uid=uid, registration=target.registration,
        reason=reason, kept_objects=order.keep_objects, contacted=not order.gone,
    )  # fmt: skip
    await Journal(ports.writes.log).append(entry)
    return ports.writes.log.state().membership.kicked[target.name]


def _is_proposed(target: _Target, ports: KickPorts) -> bool:
    """Whether what a finished kick proposed is still there, or not needed any more."""
    branch = ports.checks.repository.branch(leaving_branch_of(target.name))
    return bool(branch) or not digest_at(target.tip, target.name)


async def _forget(target: _Target, ports: KickPorts) -> Forgotten:
    others = other_registrations(target.name, target.accepted, target.tip)
    mine, shared = stored_credentials(target.name, target.cluster, others)
    removed, kept = await ports.forget(mine)
    said = [f"the credential {path} stays: another registration names it" for path in shared]
    return removed, (*kept, *said, *_elsewhere(target.cluster))


def _elsewhere(cluster: Cluster | None) -> list[str]:
    """Credentials that are no file of ours."""
    said = []
    for one in (cluster.credentials, cluster.viewer_credentials) if cluster else ():
        if cluster is None or one is None or is_joined(one, cluster.name):
            continue
        if one.method == "secretRef":
            place = f"-n {one.secret_namespace} delete secret {one.secret_name}"
            said.append(f"the credential in a Secret of the primary stays: kubectl {place}")
        elif one.method == "exec":
            said.append(f"the credential that {one.argv[0]} gives is not ours to remove")
    return said


def _propose(target: _Target, ports: KickPorts) -> tuple[str, str]:
    """(commit, branch) of the removal, both "" where that very registration is not at the tip."""
    repository, path = ports.checks.repository, path_of(target.name)
    repository.fetch()
    tip = repository.resolve(ports.writes.log.state().ref)
    if not target.registration or digest_at(repository.snapshot(tip), target.name) != target.registration:
        return "", ""
    branch = leaving_branch_of(target.name)
    if proposed := repository.branch(branch):
        if _removes(ports, target, proposed) and not repository.descends(tip, proposed):
            return proposed, branch
        raise NameTakenError(
            "the branch of an earlier kick is still there", where=branch,
            hint=f"delete it, and run the same command again: git push origin --delete leave/{target.name}",
        )  # fmt: skip
    proposal = Proposal(
        tip, path, None, branch, f"Remove cluster {target.name}", "fleetward", "fleetward@localhost",
        ports.checks.clock(),
    )  # fmt: skip
    signer = ports.writes.signer
    return repository.propose(proposal, lambda raw: sign(signer, raw, namespace="git")), branch


def _removes(ports: KickPorts, target: _Target, proposed: str) -> bool:
    """Whether the commit takes away this very registration."""
    repository = ports.checks.repository
    parents = repository.commit(proposed).parents
    return (
        len(parents) == 1
        and not digest_at(repository.snapshot(proposed), target.name)
        and digest_at(repository.snapshot(parents[0]), target.name) == target.registration
    )


async def _log_left(ports: KickPorts, target: _Target, credentials: int, commit: str, branch: str) -> None:
    kicked = ports.writes.log.state().membership.kicked[target.name]
    if kicked.left is not None:
        return
    entry = MemberLeft(
        actor=ports.writes.actor, cluster=target.name, cluster_uid=kicked.cluster_uid, kick=kicked.index,
        credentials=credentials, commit=commit, branch=branch,
    )  # fmt: skip
    await Journal(ports.writes.log).append(entry)
