"""What a cluster's administrator does on it to make it the primary.

Rules kept here
- ``bootstrap.primary_objects``: the namespace ``fleetward-system`` for what fleetward keeps there of its
  members, and the reconciler's right to Secrets in it (``store: secrets``). It carries none of the labels of
  federated objects, since it belongs to no change set.
- For ClusterProfiles: the definition, where there is none (one that is there is never replaced, and has to
  serve our version); the roles that let the reconciler write profiles and their status, and the viewer read
  them; the namespace that they are in.
- All of it can be done again at any time, and killed anywhere. Existing namespaces are left as they are.
- The same by hand: ``template/bootstrap/cluster-profiles.yaml``, made by ``tools/profiles_manifest.py``.

>>> [item["kind"] for item in profile_objects()]
['CustomResourceDefinition', 'ClusterRole', 'ClusterRole']
"""

from __future__ import annotations

import asyncio
from time import monotonic

import orjson

from reconciler.compile.profile_crd import CRD_NAME, GROUP, PLURAL, profile_crd
from reconciler.member import errors
from reconciler.member.bootstrap import LABEL_AGGREGATE, LABEL_AGGREGATE_VIEW, primary_objects
from reconciler.member.connection import Client
from reconciler.member.discovery import BUILT_IN, CRD, NAMESPACE, Kinds
from reconciler.member.enrol import MANAGER, put
from reconciler.member.established import await_established
from reconciler.member.limits import Limits
from reconciler.member.profiles import has_status, require_served
from reconciler.member.transport import Request, Transport
from reconciler.model import Json, ObjectRef

ROLE = "fleetward-cluster-profiles"
_READ, _WRITE = ["get", "list"], ["get", "list", "create", "patch", "delete"]
_PAUSE = 0.1  # seconds


def profile_objects() -> list[dict[str, Json]]:
    """Definition and roles, in the order in which they can be created."""
    return [profile_crd(), *profile_roles()]


def profile_roles() -> list[dict[str, Json]]:
    """What adds to the rights of the reconciler and of the viewer on the primary."""
    status = {"apiGroups": [GROUP], "resources": [f"{PLURAL}/status"], "verbs": ["get", "patch"]}
    profiles = {"apiGroups": [GROUP], "resources": [PLURAL]}
    return [
        _role(ROLE, LABEL_AGGREGATE, [{**profiles, "verbs": _WRITE}, status]),
        _role(f"{ROLE}-view", LABEL_AGGREGATE_VIEW, [{**profiles, "verbs": _READ}]),
    ]


def _role(name: str, label: str, rules: list[Json]) -> dict[str, Json]:
    metadata = {"name": name, "labels": {label: "true"}}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata,
        "rules": rules,
    }  # fmt: skip


async def prepare_primary(transport: Transport) -> tuple[str, ...]:
    """Makes what every primary has; what it is called. Raises MemberError."""
    return tuple([await put(transport, body) for body in primary_objects()])


async def prepare_profiles(transport: Transport, namespace: str, limits: Limits) -> tuple[str, ...]:
    """Makes what ClusterProfiles in ``namespace`` need; what was made.

    Raises UnpreparedError, MemberError.
    """
    made = []
    if await _created(transport, CRD, profile_crd()):
        made.append(f"CustomResourceDefinition {CRD_NAME}")
    client = Client(transport, Kinds(transport), ())
    await await_established(client, ObjectRef(*CRD, "", CRD_NAME), limits)
    await _await_served(transport, limits)
    made += [await put(transport, role) for role in profile_roles()]
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    if await _created(transport, NAMESPACE, space):
        made.append(f"Namespace {namespace}")
    return tuple(made)


async def _await_served(transport: Transport, limits: Limits) -> None:
    """Discovery lists what a definition serves a moment after it is established.

    Raises UnpreparedError, at once for a definition that does not fit; MemberError.
    """
    definition = (await transport.send(Request("GET", BUILT_IN[CRD].path("", CRD_NAME)))).json()
    fits = has_status(definition)
    end = monotonic() + limits.establish_timeout.total_seconds()
    while True:
        try:
            return await require_served(transport)
        except errors.UnpreparedError:
            if not fits or monotonic() > end:
                raise
            await asyncio.sleep(_PAUSE)


async def _created(transport: Transport, kind: tuple[str, str], body: dict[str, Json]) -> bool:
    """Whether it was made now; what exists stays as it is."""
    path = f"{BUILT_IN[kind].path('', '')}?fieldManager={MANAGER}&fieldValidation=Strict"
    try:
        await transport.send(Request("POST", path, orjson.dumps(body)))
    except errors.ConflictError:
        return False
    return True
