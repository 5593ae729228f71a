"""A cluster gives up its fleet by itself: what its administrator does on it, with nothing of the primary.

Rules
- Ours is what carries our label and our digest, the guard and the bootstrap by their names, and the record by
  its label. Everything else is left alone: an object that only inherited our label, too.
- Order: the guard, or it would refuse the rest; federated objects, what judges writes first and namespaces
  last; the record; the bootstrap from its end, and last the namespace that holds it.
- A namespace that holds what is not ours is released and stays (``occupants``).
- Every step looks at what is there now, so the same command finishes what broke off.
- The API server forgets a guard after a moment; until then its refusals (403) are asked again.

Worked example::

    inventory = await survey(client)
    await remove(client, inventory, keep=False, report=print)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

import orjson

from reconciler.errors import MemberError
from reconciler.member import errors, phases, writes
from reconciler.member.concurrent import pool, together
from reconciler.member.connection import Client
from reconciler.member.discovery import BUILT_IN, Resource
from reconciler.member.enrol import CLAIM
from reconciler.member.guard import guard_objects
from reconciler.member.lists import LIST, parse_list
from reconciler.member.occupants import WIDTH, occupants
from reconciler.member.parts import LABEL_RECORD
from reconciler.member.revoking import bootstrapped
from reconciler.member.transport import Request, Transport, expecting
from reconciler.model import (
    APPLYSET_ID,
    LABEL_PART_OF,
    MEMBER_NAMESPACE,
    RECONCILER_USER,
    LiveMeta,
    ObjectRef,
)

PATIENCE = 60.0  # seconds that a guard which was deleted may still refuse
_PAUSE = 0.2
_ONE = writes.ONE
_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_CLAIM = ObjectRef("", "Secret", MEMBER_NAMESPACE, CLAIM)
_SPACE = ObjectRef("", "Namespace", "", MEMBER_NAMESPACE)
_T = TypeVar("_T")


class NotAdministratorError(MemberError):
    """Who calls may not do everything on the cluster."""

    code = "FW1768"


class NotForgottenError(MemberError):
    """The cluster goes on refusing."""

    code = "FW1773"


@dataclass(frozen=True, slots=True)
class Inventory:
    """What of ours a cluster has. ``objects`` are federated, without the guard; ``strays`` carry our label
    and not our digest: they are left alone. ``occupied``: namespaces of ours that hold what is not ours.
    """

    guard: Mapping[ObjectRef, LiveMeta] = field(default_factory=dict)
    objects: Mapping[ObjectRef, LiveMeta] = field(default_factory=dict)
    records: Mapping[ObjectRef, LiveMeta] = field(default_factory=dict)
    prepared: Mapping[ObjectRef, LiveMeta] = field(default_factory=dict)  # the bootstrap, in its order
    strays: tuple[ObjectRef, ...] = ()
    occupied: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.guard or self.objects or self.records or self.prepared)


@dataclass(frozen=True, slots=True)
class _Removal:
    """An ``AuthorizedChange`` that the administrator orders."""

    ref: ObjectRef
    before: str
    resource_version: str
    action: str = "delete"
    after: str = ""


async def require_administrator(transport: Transport) -> None:
    """Raises NotAdministratorError unless the caller may do everything, MemberError."""
    every = {"verb": "*", "group": "*", "resource": "*"}
    body = {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": every},
    }  # fmt: skip
    answer = await transport.send(Request("POST", _REVIEW, orjson.dumps(body)))
    with expecting("a SelfSubjectAccessReview"):
        allowed = bool(answer.json()["status"]["allowed"])
    if not allowed:
        raise NotAdministratorError(
            "only an administrator of the cluster can let it leave", expected="every verb on every resource",
            got="less", hint="use the cluster's administrator kubeconfig; nothing was done",
        )  # fmt: skip


async def survey(client: Client, *, keep: bool = False) -> Inventory:
    """What there is; with ``keep`` nobody looks into the namespaces that stay. Raises MemberError."""
    found = await _labelled(client)
    guard_refs = guard_names()
    guard = await _existing(client.transport, guard_refs)
    records = {ref: meta for ref, meta in (await _records(client.transport)).items() if ref not in guard}
    prepared = await _existing(client.transport, (*bootstrapped(), _CLAIM))
    objects = {ref: meta for ref, meta in found.items() if meta.digest and ref not in guard_refs}
    strays = tuple(ref for ref, meta in found.items() if not meta.digest and ref not in guard_refs)
    spaces = set() if keep else {ref.name for ref in objects if (ref.group, ref.kind) == ("", "Namespace")}
    spaces |= {MEMBER_NAMESPACE} if _SPACE in prepared else set()
    ours = {*objects, *records, *prepared}
    occupied = await occupants(client, spaces, ours)
    return Inventory(guard, objects, records, prepared, strays, occupied)


def guard_names() -> frozenset[ObjectRef]:
    """The objects of the guard, whoever the reconciler is."""
    group = "admissionregistration.k8s.io"
    return frozenset(
        ObjectRef(group, body["kind"], "", body["metadata"]["name"])
        for body in guard_objects(RECONCILER_USER)
    )


async def remove(client: Client, found: Inventory, *, keep: bool, report: Callable[[str], None]) -> None:
    """Remove or release all of it, in order. Raises NotForgottenError, MemberError."""
    # 1. The guard: what puts it into force first.
    report(f"guard: {len(found.guard)} objects to delete")
    for stage in reversed(phases.staged(found.guard)):
        for ref in stage:
            await _delete(client, ref, found.guard[ref])
    # 2. Federated objects.
    await _remove_objects(client, found, keep=keep, report=report)
    # 3. The record.
    report(f"record: {len(found.records)} objects to delete")
    for ref, meta in found.records.items():
        await _delete(client, ref, meta)
    # 4. The claim, and the bootstrap from its end; last the namespace.
    report(f"bootstrap: {len(found.prepared)} objects to delete")
    for ref in reversed([*found.prepared]):
        if ref != _SPACE or MEMBER_NAMESPACE not in found.occupied:
            await _delete(client, ref, found.prepared[ref])


async def _remove_objects(
    client: Client, found: Inventory, *, keep: bool, report: Callable[[str], None]
) -> None:
    report(f"federated: {len(found.objects)} objects to {'release' if keep else 'delete'}")

    async def one(ref: ObjectRef) -> None:
        meta = found.objects[ref]
        if keep or ((ref.group, ref.kind) == ("", "Namespace") and ref.name in found.occupied):
            change = _Removal(ref, meta.digest, meta.resource_version, "release")
            await _patiently(lambda: writes.release(client, change, meta.uid), ref)
        else:
            await _delete(client, ref, meta)

    for stage in reversed(phases.staged(found.objects)):
        spaces = [ref for ref in stage if (ref.group, ref.kind) == ("", "Namespace")]
        for part in ([ref for ref in stage if ref not in spaces], spaces):
            await pool(part, one, WIDTH)


async def _delete(client: Client, ref: ObjectRef, meta: LiveMeta) -> None:
    change = _Removal(ref, meta.digest, meta.resource_version)
    await _patiently(lambda: writes.delete(client, change, meta.uid), ref)


async def _patiently(work: Callable[[], Awaitable[_T]], ref: ObjectRef) -> _T:
    """``work``, again and again while a guard that is gone still refuses. Raises NotForgottenError."""
    until = asyncio.get_running_loop().time() + PATIENCE
    while True:
        try:
            return await work()
        except errors.ForbiddenError as error:
            if asyncio.get_running_loop().time() >= until:
                raise NotForgottenError(
                    "the cluster refuses the removal", where=str(ref), got=error.got or error.message,
                    expected=f"no refusal within {PATIENCE:.0f} s of the guard's end",
                    hint="look for another admission policy or webhook; then run the same command again",
                ) from error  # fmt: skip
        await asyncio.sleep(_PAUSE)


async def _labelled(client: Client) -> dict[ObjectRef, LiveMeta]:
    """Everything with our label, of every kind; what is being deleted is not counted."""
    selector = quote(f"{LABEL_PART_OF}={APPLYSET_ID}", safe="")
    kinds = await client.kinds.listable()
    found: dict[ObjectRef, LiveMeta] = {}

    async def look(resource: Resource) -> None:
        path = f"{resource.path('', '')}?labelSelector={selector}"
        try:
            answer = await client.transport.send(Request("GET", path, accept=LIST, large=True))
        except errors.NotFoundError:
            return
        page = parse_list(answer.body, resource)
        found.update({ref: meta for ref, meta in page.live.items() if ref not in page.leaving})

    await pool(kinds, look, WIDTH)
    return dict(sorted(found.items()))


async def _records(transport: Transport) -> dict[ObjectRef, LiveMeta]:
    maps = BUILT_IN["", "ConfigMap"]
    path = f"{maps.path(MEMBER_NAMESPACE, '')}?labelSelector={quote(LABEL_RECORD, safe='')}"
    page = parse_list((await transport.send(Request("GET", path, accept=LIST))).body, maps)
    return {ref: meta for ref, meta in sorted(page.live.items()) if ref not in page.leaving}


async def _existing(
    transport: Transport, refs: Sequence[ObjectRef] | frozenset[ObjectRef]
) -> dict[ObjectRef, LiveMeta]:
    ordered = sorted(refs) if isinstance(refs, frozenset) else list(refs)
    found = await together(*(_get(transport, ref) for ref in ordered))
    return {ref: meta for ref, meta in zip(ordered, found, strict=True) if meta}


async def _get(transport: Transport, ref: ObjectRef) -> LiveMeta | None:
    path = BUILT_IN[ref.group, ref.kind].path(ref.namespace, ref.name)
    try:
        metadata: dict[str, Any] = (await transport.send(Request("GET", path, accept=_ONE))).metadata()
    except errors.NotFoundError:
        return None
    if "deletionTimestamp" in metadata:
        return None
    notes = metadata.get("annotations") or {}
    return LiveMeta(metadata["uid"], metadata["resourceVersion"], notes.get("fleetward.io/digest", ""))
