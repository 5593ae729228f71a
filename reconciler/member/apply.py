"""Applies an authorized change set: nothing more, in order, everything accounted for.

- Stages one after the other, objects of a stage at once (see ``phases``); deletions backwards at the end.
- One object's failure fails it and skips what needs it, not the rest. A failure of the whole member (no
  connection, no login, out of time) stops what has not begun.
- Kill it anywhere: objects are applied again to no effect, and the old record makes the next run look closer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.errors import MemberError
from reconciler.member import errors, phases, writes
from reconciler.member.authorization import REMOVALS, AuthorizedChange
from reconciler.member.concurrent import pool
from reconciler.member.connection import Client
from reconciler.member.discovery import CRD, Kind
from reconciler.member.established import await_established
from reconciler.member.health import Health, State, status_of
from reconciler.member.limits import Limits
from reconciler.model import Desired, DesiredObject, ObjectOutcome, ObjectRef, ObjectResult

_MEMBER_WIDE = (
    errors.UnreachableError, errors.UnauthorizedError, errors.CredentialError, errors.ExecRefusedError,
    errors.UnknownAuthorityError, errors.ExpiredCertificateError, errors.WrongNameError,
)  # fmt: skip
BAD = (ObjectResult.FAILED, ObjectResult.SKIPPED)
_TERMINATING = Health(State.TERMINATING, "its contents are deleted by the member's own controllers")


@dataclass(slots=True)
class Applier:
    """One apply in progress; ``outcomes`` and ``health`` (of what is not current) fill up as it goes."""

    client: Client
    limits: Limits
    desired: Desired
    uids: Mapping[ObjectRef, str]  # of live objects, for deletions
    report: Callable[[str], None]
    outcomes: dict[ObjectRef, ObjectOutcome] = field(default_factory=dict)
    health: dict[ObjectRef, Health] = field(default_factory=dict)
    error: MemberError | None = None  # what stopped the whole
    _items: Mapping[ObjectRef, DesiredObject] = field(default_factory=dict)
    _defined: Mapping[Kind, ObjectRef] = field(default_factory=dict)
    _fresh: set[ObjectRef] = field(default_factory=set)  # CRDs written in this run

    async def run(self, changes: Sequence[AuthorizedChange]) -> None:
        """All changes; afterwards each has an outcome. Raises nothing for the member's faults."""
        self._items = {item.ref: item for item in self.desired.objects}
        self._defined = phases.definitions(self.desired)
        try:
            async with asyncio.timeout(self.limits.apply_timeout.total_seconds()):
                await self._stages(changes)
        except TimeoutError:
            self.error = errors.OutOfTimeError(
                "the run took too long", expected=f"at most {self.limits.apply_timeout}",
            )  # fmt: skip
        for change in changes:
            if change.ref not in self.outcomes and self.error:
                self._fail(change.ref, self.error)

    async def _stages(self, changes: Sequence[AuthorizedChange]) -> None:
        by_ref = {change.ref: change for change in changes}
        wanted = [change.ref for change in changes if change.action not in REMOVALS]
        unwanted = [change.ref for change in changes if change.action in REMOVALS]

        async def write(ref: ObjectRef) -> None:
            item, patience = self._items[ref], self._patience(ref)
            await self._attempt(ref, lambda: writes.write(self.client, item, by_ref[ref], patience=patience))

        async def remove(ref: ObjectRef) -> None:
            work = writes.delete if by_ref[ref].action == "delete" else writes.release
            await self._attempt(ref, lambda: work(self.client, by_ref[ref], self.uids[ref]))

        for stage in phases.staged(wanted):
            await pool(stage, write, min(self.limits.concurrency, len(stage)))
            await self._establish(stage)
        for stage in reversed(phases.staged(unwanted)):
            await pool(stage, remove, min(self.limits.concurrency, len(stage)))

    async def _attempt(self, ref: ObjectRef, work: Callable[[], Awaitable[writes.Written]]) -> None:
        if self.error:
            return
        if blocker := self._blocker(ref):
            self._fail(ref, errors.NeedsFailedError(f"needs {blocker}, which failed"), ObjectResult.SKIPPED)
            return
        try:
            written = await work()
        except MemberError as error:
            if isinstance(error, _MEMBER_WIDE):
                self.error = error
            self._fail(ref, error)
            return
        self.outcomes[ref] = written.outcome
        if written.body is not None and "status" in written.body:
            self._note(ref, status_of(written.body))
        elif written.outcome.result is ObjectResult.DELETED and ref.kind == "Namespace":
            self._note(ref, _TERMINATING)

    def _note(self, ref: ObjectRef, health: Health) -> None:
        if health.state is not State.CURRENT:
            self.health[ref] = health
        else:
            self.health.pop(ref, None)

    def _blocker(self, ref: ObjectRef) -> ObjectRef | None:
        for needed in phases.needs(ref, self._defined):
            outcome = self.outcomes.get(needed)
            if outcome and outcome.result in BAD:
                return needed
        return None

    def _fail(self, ref: ObjectRef, error: MemberError, result: ObjectResult = ObjectResult.FAILED) -> None:
        audit_id = error.audit_id if isinstance(error, errors.ReplyError) else ""
        self.outcomes[ref] = ObjectOutcome(ref, result, audit_id=audit_id, error=str(error))

    def _patience(self, ref: ObjectRef) -> float:
        # An established CRD may take a moment until it is served.
        fresh = self._defined.get((ref.group, ref.kind)) in self._fresh
        return self.limits.establish_timeout.total_seconds() if fresh else 0

    async def _establish(self, stage: Iterable[ObjectRef]) -> None:
        written = [ref for ref in stage if (ref.group, ref.kind) == CRD and self._good(ref)]
        self._fresh.update(written)

        async def wait(ref: ObjectRef) -> None:
            self.report(f"waiting for {ref}")
            try:
                self._note(ref, await await_established(self.client, ref, self.limits))
            except MemberError as error:
                self._fail(ref, error)

        await pool(written, wait, min(self.limits.concurrency, len(written)))

    def _good(self, ref: ObjectRef) -> bool:
        return ref in self.outcomes and self.outcomes[ref].result not in BAD
