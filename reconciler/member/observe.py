"""What a member has, as far as a plan needs it, for as few requests as that takes.

1. At once: the cluster's uid, the parent, and one metadata list a desired kind (by our label, in all
   namespaces). Kinds that only the parent or the record name follow.
2. What is wanted or recorded but not in the lists may still exist, without our label: few are fetched one by
   one, many by a list of their kind.
3. ``triage`` names the objects that uid, resourceVersion and digest cannot vouch for; only they are probed.

An unchanged member costs two requests and one a kind.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from urllib.parse import quote

from reconciler.member import errors, probes
from reconciler.member.concurrent import together
from reconciler.member.connection import Client
from reconciler.member.discovery import Kind, Resource
from reconciler.member.lists import LIST, Live, Page, parse_list
from reconciler.member.parent import Parent, read_parent
from reconciler.member.refs import Refs
from reconciler.member.transport import Request, Transport
from reconciler.model import (
    ANNOTATION_DIGEST,
    APPLYSET_ID,
    LABEL_PART_OF,
    Desired,
    DesiredObject,
    LiveMeta,
    ObjectRef,
    Observation,
    Probe,
    Record,
)
from reconciler.plan import triage

_ONE = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
_FEW = 16  # objects of one kind that are looked for one by one
_PAGE = 5000
Items = Mapping[ObjectRef, DesiredObject]
Prober = Callable[[Sequence[DesiredObject], Record | None], Awaitable[Mapping[ObjectRef, Probe]]]


async def cluster_uid(transport: Transport) -> str:
    """The cluster's identity: the uid of its namespace kube-system."""
    answer = await transport.send(Request("GET", "/api/v1/namespaces/kube-system", accept=_ONE))
    return str(answer.metadata()["uid"])


async def base(client: Client, refs: Refs | None = None) -> tuple[str, Parent]:
    """Cluster uid and parent; the record, if any, is ours and this cluster's. Raises RecordError."""
    parent: Parent | None = None

    async def read() -> str:
        nonlocal parent
        parent = await read_parent(client.transport, client.public_keys, refs)
        return ""

    uid, _ = await together(cluster_uid(client.transport), read())
    assert parent is not None  # noqa: S101 - read() has set it
    client.kinds.learn(parent.resources)
    if parent.record and parent.record.cluster_uid != uid:
        raise errors.WrongClusterError(
            "the record belongs to another cluster", expected=uid, got=parent.record.cluster_uid,
        )  # fmt: skip
    return uid, parent


async def observe(
    client: Client, desired: Desired, *, deep: bool, adopt_check: bool, prober: Prober | None = None
) -> tuple[Observation, Parent]:
    """The observation, and the parent that it was made from. Without a ``prober``: our own dry runs."""
    before = client.transport.requests
    client.kinds.learn_desired(desired)
    items = {item.ref: item for item in desired.objects}
    uid, parent, found = await _look_at_once(client, items)
    live = _ours(found, items, parent.record)
    missing = _missing(items, parent.record, found) if adopt_check else set()
    unlabelled = await _unlabelled(client, missing)
    live.update(_stripped(unlabelled, parent.record))
    doubtful = dict.fromkeys(triage(desired, parent.record, live, deep=deep))
    doubtful.update(dict.fromkeys(ref for ref in unlabelled if ref in items))
    looked = [items[ref] for ref in doubtful]
    if prober is None:
        probed: Mapping[ObjectRef, Probe] = await probes.probe(client, looked, parent.record)
    else:
        probed = await prober(looked, parent.record) if looked else {}
    requests = client.transport.requests - before
    return Observation(uid, parent.record, live, probed, requests), parent


async def _look_at_once(client: Client, items: Items) -> tuple[str, Parent, Page]:
    wanted = {(ref.group, ref.kind) for ref in items}
    refs = Refs(items)
    first = asyncio.ensure_future(base(client, refs))
    try:
        lists = await together(*(_labelled(client, kind, refs) for kind in sorted(wanted)))
        uid, parent = await first
    finally:
        first.cancel()
    lists += await together(*(_labelled(client, kind, refs) for kind in sorted(parent.kinds - wanted)))
    found = Page()
    for page in lists:
        found.live.update(page.live)
        found.leaving.update(page.leaving)
    return uid, parent, found


async def _labelled(client: Client, kind: Kind, refs: Refs) -> Page:
    selector = quote(f"{LABEL_PART_OF}={APPLYSET_ID}", safe="")
    try:
        resource = await client.kinds.find(kind)
        answer = await client.transport.send(
            Request("GET", f"{resource.path('', '')}?labelSelector={selector}", accept=LIST, large=True)
        )
    except (errors.NotFoundError, errors.UnknownKindError):
        return Page()  # its CustomResourceDefinition is not there yet, or no more
    return parse_list(answer.body, resource, refs)


def _ours(found: Page, items: Items, record: Record | None) -> Live:
    """Without what nobody wants and is no business of ours.

    That is what only inherited our label (controllers copy a Service's labels to its Endpoints), and what is
    being deleted already.
    """
    known = record.objects if record else {}
    others = {ref for ref, meta in found.live.items() if not meta.digest and ref not in known}
    others |= found.leaving
    if not others:
        return found.live
    others -= items.keys()
    return {ref: meta for ref, meta in found.live.items() if ref not in others}


def _missing(items: Items, record: Record | None, found: Page) -> set[ObjectRef]:
    """Wanted or recorded objects that no list with our label showed."""
    # A set made from a dict, less a dict, takes the hashes that are there already.
    missing = set(items).difference(found.live)
    if record:
        missing |= set(record.objects).difference(found.live)
    return missing


def _stripped(found: Live, record: Record | None) -> Live:
    """What we wrote (same uid) and somebody took our label from: it stays ours."""
    known: Mapping[ObjectRef, object] = record.objects if record else {}
    return {
        ref: meta
        for ref, meta in found.items()
        if record and ref in known and record.objects[ref].uid == meta.uid
    }


async def _unlabelled(client: Client, missing: set[ObjectRef]) -> Live:
    """Those of the missing objects that exist all the same."""
    by_kind: dict[Kind, set[ObjectRef]] = defaultdict(set)
    for ref in missing:
        by_kind[ref.group, ref.kind].add(ref)
    found: Live = {}
    for part in await together(*(_look(client, kind, refs) for kind, refs in by_kind.items())):
        found.update(part)
    return found


async def _look(client: Client, kind: Kind, refs: set[ObjectRef]) -> Live:
    try:
        resource = await client.kinds.find(kind)
    except errors.UnknownKindError:
        return {}
    if len(refs) > _FEW:
        return await _paged(client, resource, refs)
    answers = await together(*(_get(client, resource, ref) for ref in sorted(refs)))
    return {ref: meta for ref, meta in answers if meta is not None}


async def _get(client: Client, resource: Resource, ref: ObjectRef) -> tuple[ObjectRef, LiveMeta | None]:
    path = resource.path(ref.namespace, ref.name)
    try:
        meta = (await client.transport.send(Request("GET", path, accept=_ONE))).metadata()
    except errors.NotFoundError:
        return ref, None
    digest = (meta.get("annotations") or {}).get(ANNOTATION_DIGEST, "")
    return ref, LiveMeta(meta["uid"], meta["resourceVersion"], digest, resource.version)


async def _paged(client: Client, resource: Resource, refs: Iterable[ObjectRef]) -> Live:
    wanted = frozenset(refs)
    found: Live = {}
    token = ""
    while True:
        query = f"?limit={_PAGE}" + (f"&continue={quote(token, safe='')}" if token else "")
        request = Request("GET", resource.path("", "") + query, accept=LIST, large=True)
        try:
            answer = await client.transport.send(request)
        except errors.NotFoundError:
            return found
        page = parse_list(answer.body, resource)
        found.update((ref, meta) for ref, meta in page.live.items() if ref in wanted)
        token = page.token
        if not token:
            return found
