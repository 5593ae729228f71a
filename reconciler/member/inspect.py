"""Reads beside the hot path: health of what has a status."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from reconciler.member import errors
from reconciler.member.concurrent import together
from reconciler.member.connection import Client
from reconciler.member.discovery import BUILT_IN, Kind
from reconciler.member.health import Health, status_of
from reconciler.member.transport import Request, expecting
from reconciler.model import APPLYSET_ID, LABEL_PART_OF, Desired, ObjectRef

# Built-in kinds that never tell anything by their status; kinds from CRDs may.
_SILENT_GROUPS = ("rbac.authorization.k8s.io", "admissionregistration.k8s.io")
_SILENT = {
    *(kind for kind in BUILT_IN if kind[0] in _SILENT_GROUPS),
    *(("", kind) for kind in ("ConfigMap", "Secret", "ServiceAccount", "LimitRange")),
    *(("networking.k8s.io", kind) for kind in ("NetworkPolicy", "IngressClass")),
}


async def health_of(client: Client, desired: Desired) -> dict[ObjectRef, Health]:
    """The health of all desired objects that exist and can have a status."""
    client.kinds.learn_desired(desired)
    wanted = {item.ref for item in desired.objects}
    kinds = sorted({(ref.group, ref.kind) for ref in wanted} - _SILENT)
    found: dict[ObjectRef, Health] = {}
    for part in await together(*(_of_kind(client, kind) for kind in kinds)):
        found.update((ref, health) for ref, health in part.items() if ref in wanted)
    return found


async def _of_kind(client: Client, kind: Kind) -> Mapping[ObjectRef, Health]:
    selector = quote(f"{LABEL_PART_OF}={APPLYSET_ID}", safe="")
    try:
        resource = await client.kinds.find(kind)
        path = f"{resource.path('', '')}?labelSelector={selector}"
        answer = await client.transport.send(Request("GET", path, large=True))
    except (errors.NotFoundError, errors.UnknownKindError):
        return {}
    found = {}
    with expecting("a list"):
        for item in answer.json()["items"] or ():
            metadata = item["metadata"]
            # Items of a list do not repeat kind and apiVersion.
            body = {**item, "kind": kind[1], "apiVersion": f"{kind[0]}/{resource.version}".lstrip("/")}
            found[ObjectRef(*kind, metadata.get("namespace", ""), metadata["name"])] = status_of(body)
    return found
