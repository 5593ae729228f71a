"""Takes back what lets the reconciler in, with nothing but the reconciler's own rights.

Rules
- First its own ClusterRole and binding become dependents of the namespace ``federation-system``
  (ownerReferences): they are needed to delete the rest, and the cluster's garbage collector removes them when
  the namespace is gone.
- Then the reading account's roles and bindings, the aggregated ones, and last the namespace: with it go the
  accounts, and so every token, the record and the claim of a join.
- It is done when the member refuses the credential (401). What could not be done is said, with a command.

Worked example::

    await revoke(client, username, limit=60)     # (): the credential is refused
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import orjson

from reconciler.member import errors
from reconciler.member.bootstrap import ACCOUNT, bootstrap_objects
from reconciler.member.connection import Client
from reconciler.member.discovery import BUILT_IN, Resource
from reconciler.member.identity import whoami
from reconciler.member.releasing import MERGE
from reconciler.member.token_request import account_of
from reconciler.member.transport import Request, Transport
from reconciler.model import FIELD_MANAGER, MEMBER_NAMESPACE, ObjectRef

PAUSE = 0.5  # seconds between two questions whether the credential still works
_SPACE = BUILT_IN["", "Namespace"].path("", MEMBER_NAMESPACE)
_ROLES = ("ClusterRoleBinding", "ClusterRole")  # in the order in which they go


async def revoke(client: Client, username: str, *, limit: float) -> tuple[str, ...]:
    """What is left over, as sentences; () when the credential is refused by now. Raises MemberError.

    ``username`` is the reconciler's there; ``limit`` (seconds) is how long the cluster may take.
    """
    transport = client.transport
    left: list[str] = []
    try:
        space = (await transport.send(Request("GET", _SPACE))).metadata()
        for path, name in own_roles():
            left += await _try(_depend(transport, path, str(space["uid"])), name)
        for path, name in others():
            left += await _try(_delete(transport, path), name)
        left += await _try(_delete(transport, _SPACE, str(space["uid"])), f"namespace {MEMBER_NAMESPACE}")
    except errors.UnauthorizedError:
        return ()
    except errors.NotFoundError:
        pass  # the namespace is gone
    return (*left, *await _refused(transport, username, limit))


def bootstrapped() -> tuple[ObjectRef, ...]:
    """The objects of the bootstrap."""
    found = []
    for body in bootstrap_objects():
        group, metadata = str(body["apiVersion"]).rpartition("/")[0], body["metadata"]
        found.append(ObjectRef(group, body["kind"], metadata.get("namespace", ""), metadata["name"]))
    return tuple(found)


def own_roles() -> Iterator[tuple[str, str]]:
    """(path, name as kubectl takes it) of the reconciler's own role and binding."""
    return ((path, name) for path, name in _cluster_wide() if name.endswith(f"/{ACCOUNT}"))


def others() -> Iterator[tuple[str, str]]:
    """The same for all other cluster-wide roles and bindings of the bootstrap."""
    return ((path, name) for path, name in _cluster_wide() if not name.endswith(f"/{ACCOUNT}"))


def _cluster_wide() -> Iterator[tuple[str, str]]:
    for kind in _ROLES:
        for ref in bootstrapped():
            if ref.kind == kind:
                resource: Resource = BUILT_IN[ref.group, ref.kind]
                yield resource.path("", ref.name), f"{kind.lower()}/{ref.name}"


async def _depend(transport: Transport, path: str, uid: str) -> None:
    owner = {"apiVersion": "v1", "kind": "Namespace", "name": MEMBER_NAMESPACE, "uid": uid}
    body = orjson.dumps({"metadata": {"ownerReferences": [owner]}})
    await transport.send(Request("PATCH", f"{path}?fieldManager={FIELD_MANAGER}", body, content_type=MERGE))


async def _delete(transport: Transport, path: str, uid: str = "") -> None:
    body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
    if uid:
        body["preconditions"] = {"uid": uid}  # type: ignore[assignment]
    await transport.send(Request("DELETE", path, orjson.dumps(body)))


async def _try(work: object, name: str) -> list[str]:
    try:
        await work  # type: ignore[misc]
    except (errors.NotFoundError, errors.ConflictError):
        return []  # gone, or going: a namespace that is being deleted answers 409
    except errors.ForbiddenError as error:
        return [f"{name} is left there ({error.code}): kubectl delete {name.replace(' ', '/')}"]
    return []


async def _refused(transport: Transport, username: str, limit: float) -> list[str]:
    account = account_of(username)
    if account is None or account.namespace != MEMBER_NAMESPACE:
        return [f"the credential of {username} is not one that ends with the namespace: take it back there"]
    until = asyncio.get_running_loop().time() + limit
    while asyncio.get_running_loop().time() < until:
        try:
            await whoami(transport)
        except errors.UnauthorizedError:
            return []
        await asyncio.sleep(PAUSE)
    return [
        f"the credential still works after {limit:.0f} s: namespace {MEMBER_NAMESPACE} is being deleted, and"
        " its accounts end with it; see its status"
    ]
