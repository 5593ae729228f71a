"""What stands on a member under our labels, for somebody who may only read: no dry run, no write.

- ``census``: who answers, its record (verified), and one metadata list a kind and label. Listed are the kinds
  that the ApplySet parent or the record names: whoever creates something for us has to name its kind first.
- ``fetch``: whole objects with their ``managedFields``; many of one kind by pages of a list, few one by one.
- The parent and the parts of its record are the record, not objects of the fleet.

Rights: ``get`` on namespace kube-system, ``get`` on ConfigMaps of federation-system, ``get`` and ``list`` on
the kinds that are federated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from reconciler.member import errors
from reconciler.member.concurrent import pool, together
from reconciler.member.connection import Client
from reconciler.member.discovery import Kind, Resource
from reconciler.member.lists import LIST, Page, parse_list
from reconciler.member.observe import base
from reconciler.member.parent import Parent
from reconciler.member.parts import METADATA, part_name, path_of
from reconciler.member.refs import Refs
from reconciler.member.transport import Request, expecting
from reconciler.model import (
    APPLYSET_ID,
    FIELD_MANAGER,
    LABEL_MANAGED_BY,
    LABEL_PART_OF,
    MEMBER_NAMESPACE,
    PARENT_NAME,
    Json,
    LiveMeta,
    ObjectRef,
    Record,
)

_LABELS = (f"{LABEL_PART_OF}={APPLYSET_ID}", f"{LABEL_MANAGED_BY}={FIELD_MANAGER}")
_FEW = 16  # objects of one kind that are fetched one by one
_PAGE = 500
_WIDTH = 16
_PAGES = 10_000  # of one list


@dataclass(frozen=True, slots=True)
class Census:
    """What was read; ``leaving`` of ``live`` is being deleted. ``version`` is the parent's, "" for none."""

    cluster_uid: str
    record: Record | None
    kinds: frozenset[Kind]
    live: Mapping[ObjectRef, LiveMeta]
    leaving: frozenset[ObjectRef]
    version: str


async def census(client: Client, *, lists: bool) -> Census:
    """Who answers, its record and, with ``lists``, all that carries one of our labels. Raises RecordError."""
    uid, parent = await base(client)
    found = Page()
    if lists:
        refs = Refs(parent.record.objects if parent.record else ())
        asked = [(kind, label) for kind in sorted(parent.kinds) for label in _LABELS]
        for page in await together(*(_listed(client, kind, label, refs) for kind, label in asked)):
            found.live.update(page.live)
            found.leaving.update(page.leaving)
    own = _record_objects(parent)
    live = {ref: meta for ref, meta in found.live.items() if ref not in own}
    return Census(uid, parent.record, parent.kinds, live, frozenset(found.leaving - own), parent.version)


async def require_unmoved(client: Client, seen: Census) -> None:
    """Nobody has written the record since. Raises MovedError."""
    try:
        answer = await client.transport.send(Request("GET", path_of(PARENT_NAME), accept=METADATA))
        version = str(answer.metadata()["resourceVersion"])
    except errors.NotFoundError:
        version = ""
    if version != seen.version:
        raise errors.MovedError(
            "a reconcile wrote to the member while it was looked at",
            hint="nothing is wrong: let it end, then verify again",
        )


async def fetch(client: Client, wanted: Mapping[ObjectRef, str]) -> dict[ObjectRef, Json]:
    """The objects (ref -> API version, "" for the kind's own) that exist, as the API server shows them."""
    groups: dict[tuple[Kind, str], set[ObjectRef]] = defaultdict(set)
    for ref, version in wanted.items():
        groups[(ref.group, ref.kind), version].add(ref)
    found: dict[ObjectRef, Json] = {}
    for (kind, version), refs in groups.items():
        try:
            resource = await client.kinds.find(kind)
        except errors.UnknownKindError:
            continue  # its CustomResourceDefinition is gone, and so are they
        if len(refs) > _FEW:
            found.update(await _pages(client, resource, version, refs))
        found.update(await _singles(client, resource, version, refs - found.keys()))
    return found


async def _listed(client: Client, kind: Kind, label: str, refs: Refs) -> Page:
    try:
        resource = await client.kinds.find(kind)
        path = f"{resource.path('', '')}?labelSelector={quote(label, safe='')}"
        answer = await client.transport.send(Request("GET", path, accept=LIST, large=True))
    except (errors.NotFoundError, errors.UnknownKindError):
        return Page()
    return parse_list(answer.body, resource, refs)


def _record_objects(parent: Parent) -> set[ObjectRef]:
    names = (PARENT_NAME, *(part_name(part) for part in parent.parts[1:]))
    return {ObjectRef("", "ConfigMap", MEMBER_NAMESPACE, name) for name in names}


async def _pages(
    client: Client, resource: Resource, version: str, wanted: set[ObjectRef]
) -> dict[ObjectRef, Json]:
    found: dict[ObjectRef, Json] = {}
    collection = resource.path("", "", version)
    query = f"?labelSelector={quote(_LABELS[0], safe='')}&limit={_PAGE}"
    token = ""
    for _ in range(_PAGES):
        more = f"&continue={quote(token, safe='')}" if token else ""
        try:
            answer = await client.transport.send(Request("GET", f"{collection}{query}{more}", large=True))
        except errors.NotFoundError:
            return found
        with expecting("a list"):
            value = answer.json()
            api_version = f"{resource.group}/{version or resource.version}".lstrip("/")
            for item in value["items"] or ():
                name, namespace = item["metadata"]["name"], item["metadata"].get("namespace", "")
                ref = ObjectRef(resource.group, resource.kind, namespace, name)
                if ref in wanted:  # items of a list do not repeat kind and apiVersion
                    found[ref] = {**item, "kind": resource.kind, "apiVersion": api_version}
            token = value["metadata"].get("continue", "")
        if not token:
            return found
    raise errors.NotKubernetesError("a list without an end")


async def _singles(
    client: Client, resource: Resource, version: str, refs: set[ObjectRef]
) -> dict[ObjectRef, Json]:
    found: dict[ObjectRef, Json] = {}

    async def get(ref: ObjectRef) -> None:
        try:
            answer = await client.transport.send(
                Request("GET", resource.path(ref.namespace, ref.name, version))
            )
        except errors.NotFoundError:
            return
        answer.metadata()  # an object, and nothing else
        found[ref] = answer.json()

    await pool(sorted(refs), get, min(_WIDTH, len(refs)))
    return found
