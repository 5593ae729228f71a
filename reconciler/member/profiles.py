"""ClusterProfiles on the primary: whether it serves them, and the status of those that are ours.

Rules kept here
- Whether the kind is served is asked of the API server each time: a record may remember a definition that is
  gone.
- A status is written by server-side apply on the subresource, under our field manager and never by force:
  what another tool owns stays its own. The uid is sent along: a profile that was made anew is left alone.
- A status is no part of an object's content: it is not compared, not recorded and not guarded.

Source: https://github.com/kubernetes-sigs/cluster-inventory-api (v1alpha1).

>>> RESOURCE.path("fleet", "member-a")
'/apis/multicluster.x-k8s.io/v1alpha1/namespaces/fleet/clusterprofiles/member-a'
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import orjson

from reconciler.compile.profile_crd import CRD_NAME, GROUP, KIND, PLURAL, VERSION
from reconciler.errors import MemberError
from reconciler.member import errors
from reconciler.member.concurrent import pool
from reconciler.member.discovery import BUILT_IN, NAMESPACE, Resource
from reconciler.member.published import MAX_PROFILES, Published, parse_profile
from reconciler.member.transport import APPLY, Request, Transport, expecting
from reconciler.model import APPLYSET_ID, FIELD_MANAGER, LABEL_PART_OF, Json

RESOURCE = Resource(GROUP, KIND, VERSION, PLURAL, namespaced=True)
_WIDTH = 16  # writes at a time
_PAGE = 250


@dataclass(frozen=True, slots=True)
class Profile:
    """One of our profiles as it is; ``status`` {} for none."""

    name: str
    uid: str
    status: Mapping[str, Json]


async def require_served(transport: Transport) -> None:
    """The kind is there, in our version. Raises UnpreparedError, MemberError."""
    try:
        answer = (await transport.send(Request("GET", f"/apis/{GROUP}/{VERSION}"))).json()
    except errors.NotFoundError:
        answer = {}
    with expecting("a list of resources"):
        names = {str(item["name"]) for item in answer.get("resources") or ()}
    if not {PLURAL, f"{PLURAL}/status"} <= names:
        raise errors.UnpreparedError(
            f"the primary does not serve {KIND} as {GROUP}/{VERSION} with a status", where=CRD_NAME,
            expected=VERSION, got=await _served(transport),
        )  # fmt: skip


def has_status(definition: Json) -> bool:
    """Whether a CustomResourceDefinition is to serve our version, with a status. Raises MemberError."""
    with expecting("a CustomResourceDefinition"):
        ours = [one for one in definition["spec"]["versions"] if one["name"] == VERSION and one["served"]]
        return any("status" in (version.get("subresources") or ()) for version in ours)


async def _served(transport: Transport) -> str:
    try:
        group = (await transport.send(Request("GET", f"/apis/{GROUP}"))).json()
    except errors.NotFoundError:
        return "no definition"
    with expecting("an API group"):
        return ", ".join(str(item["version"])[:63] for item in group["versions"][:10])


async def require_namespace(transport: Transport, namespace: str) -> None:
    """The namespace is there. Raises UnpreparedError, MemberError."""
    try:
        await transport.send(Request("GET", BUILT_IN[NAMESPACE].path("", namespace)))
    except errors.NotFoundError:
        raise errors.UnpreparedError(
            f"the primary has no namespace {namespace} for ClusterProfiles", where=namespace,
            hint=f"make it: `fleetward promote --cluster-profiles {namespace}`, or a Namespace among the"
            " fleet's manifests",
        ) from None  # fmt: skip


async def our_profiles(transport: Transport, namespace: str) -> Sequence[Profile]:
    """Those of a namespace that carry our label. Raises MemberError."""
    selector = quote(f"{LABEL_PART_OF}={APPLYSET_ID}", safe="")
    path = f"{RESOURCE.path(namespace, '')}?labelSelector={selector}"
    answer = (await transport.send(Request("GET", path, large=True))).json()
    with expecting("a list of ClusterProfiles"):
        return [
            Profile(
                str(item["metadata"]["name"]), str(item["metadata"]["uid"]), dict(item.get("status") or {})
            )
            for item in answer["items"] or ()
        ]


async def write_statuses(
    transport: Transport, namespace: str, wanted: Sequence[tuple[Profile, Mapping[str, Json]]]
) -> Mapping[str, errors.ProfileStatusError]:
    """What went wrong, by profile; {} when all were written. Raises nothing for a single one."""
    failed: dict[str, errors.ProfileStatusError] = {}

    async def write(item: tuple[Profile, Mapping[str, Json]]) -> None:
        profile, status = item
        try:
            await _write(transport, namespace, profile, status)
        except MemberError as error:
            failed[profile.name] = _failure(profile, error)

    await pool(wanted, write, min(_WIDTH, len(wanted)))
    return failed


async def _write(transport: Transport, namespace: str, profile: Profile, status: Mapping[str, Json]) -> None:
    body = {
        "apiVersion": f"{GROUP}/{VERSION}", "kind": KIND, "status": dict(status),
        "metadata": {"name": profile.name, "namespace": namespace, "uid": profile.uid},
    }  # fmt: skip
    path = (
        f"{RESOURCE.path(namespace, profile.name)}/status?fieldManager={FIELD_MANAGER}&fieldValidation=Strict"
    )
    audit_id = str(uuid.uuid4())
    await transport.send(Request("PATCH", path, orjson.dumps(body), content_type=APPLY, audit_id=audit_id))


def _failure(profile: Profile, error: MemberError) -> errors.ProfileStatusError:
    return errors.ProfileStatusError(
        f"the status of ClusterProfile {profile.name} was not written: {error.code}: {error.message}",
        got=error.got[:300],
    )  # fmt: skip


async def published(transport: Transport) -> tuple[Published, ...]:
    """All profiles of all namespaces that somebody else published, by namespace and name.

    Raises UnpreparedError where the kind is not served, PublishedError for more than ``MAX_PROFILES``.
    """
    await require_served(transport)
    found: list[Published] = []
    token = ""
    for _ in range(MAX_PROFILES // _PAGE + 1):
        more = f"&continue={quote(token, safe='')}" if token else ""
        answer = await transport.send(
            Request("GET", f"{RESOURCE.path('', '')}?limit={_PAGE}{more}", large=True)
        )
        value = answer.json()
        with expecting("a list of ClusterProfiles"):
            found += filter(None, map(parse_profile, value["items"] or ()))
            token = str(value["metadata"].get("continue") or "")
        if not token:
            return tuple(sorted(found, key=lambda one: (one.namespace, one.name)))
    raise errors.PublishedError(
        "too many ClusterProfiles are published", expected=f"at most {MAX_PROFILES}",
        hint="take away those that nobody needs",
    )  # fmt: skip
