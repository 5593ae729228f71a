"""Which namespaces hold objects of others: deleting those would take foreign objects along.

Rules: one metadata list a kind and namespace, of every kind that the API server lists. What the cluster
itself puts into every namespace, what belongs to another object (ownerReferences), what is being deleted and
what only reports (events, endpoints, metrics) is nobody's. A kind that may not be listed, or that has more
than one page, leaves a doubt, and doubt counts as occupied.

    await occupants(client, ["shop"], ours)      # {"shop": "Secret shop/key"}; {} when it may be deleted
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from reconciler.member import errors
from reconciler.member.concurrent import pool
from reconciler.member.connection import Client
from reconciler.member.discovery import Kind, Resource
from reconciler.member.lists import LIST
from reconciler.member.transport import Request, expecting
from reconciler.model import Json, ObjectRef

PAGE = 500
WIDTH = 16  # requests at a time
_REPORTS: frozenset[Kind] = frozenset({("", "Event"), ("events.k8s.io", "Event"), ("", "Endpoints")})
_GIVEN = {("", "ServiceAccount", "default"), ("", "ConfigMap", "kube-root-ca.crt")}


async def occupants(client: Client, namespaces: Iterable[str], ours: Collection[ObjectRef]) -> dict[str, str]:
    """Namespace -> what is in it and not ours, or why that cannot be said. Raises MemberError."""
    wanted = sorted(namespaces)
    kinds = [one for one in await client.kinds.listable() if _counts(one)] if wanted else []
    found: dict[str, str] = {}

    async def look(pair: tuple[str, Resource]) -> None:
        namespace, resource = pair
        if namespace not in found and (what := await _foreign(client, resource, namespace, ours)):
            found[namespace] = what

    await pool([(namespace, one) for namespace in wanted for one in kinds], look, WIDTH)
    return found


def _counts(resource: Resource) -> bool:
    reports = (resource.group, resource.kind) in _REPORTS or resource.group == "metrics.k8s.io"
    return resource.namespaced and not reports


async def _foreign(client: Client, resource: Resource, namespace: str, ours: Collection[ObjectRef]) -> str:
    try:
        path = f"{resource.path(namespace, '')}?limit={PAGE}"
        answer = await client.transport.send(Request("GET", path, accept=LIST, large=True))
    except errors.NotFoundError:
        return ""  # the kind went away
    except errors.ForbiddenError:
        return f"{resource.plural} that this account may not see"
    with expecting("a metadata list"):
        value = answer.json()
        for item in value["items"] or ():
            ref = ObjectRef(resource.group, resource.kind, namespace, str(item["metadata"]["name"]))
            if ref not in ours and is_foreign(ref, item["metadata"]):
                return str(ref)
        return f"more {resource.plural} than were looked at" if value["metadata"].get("continue") else ""


def is_foreign(ref: ObjectRef, metadata: Json) -> bool:
    """Whether somebody made the object here.

    >>> is_foreign(ObjectRef("", "ConfigMap", "shop", "kube-root-ca.crt"), {})
    False
    """
    given = (ref.group, ref.kind, ref.name) in _GIVEN
    return not (given or metadata.get("ownerReferences") or "deletionTimestamp" in metadata)
