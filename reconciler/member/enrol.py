"""What a cluster's administrator does on it to let it join: prepare it, and make the claim.

Rules:
- What is made is what ``bootstrap`` lists, by server-side apply, so it can be done again at any time.
- The claim is a random secret in ``federation-system/fleetward-join`` that stays on this cluster until the
  primary has answered. Only who holds it can finish a join that broke off, with the same token.

>>> fingerprint("00" * 32)[:14]
'sha256:60e05bd'
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets

import orjson

from reconciler.member import errors
from reconciler.member.bootstrap import bootstrap_objects
from reconciler.member.discovery import BUILT_IN
from reconciler.member.identity import Identity, identify
from reconciler.member.transport import APPLY, Request, Transport, expecting
from reconciler.model import MEMBER_NAMESPACE, RECONCILER_USER, Json

MANAGER = "fleetward-bootstrap"
CLAIM = "fleetward-join"
_SECRETS = BUILT_IN["", "Secret"]
_NONCE = re.compile("[0-9a-f]{64}")


async def prepare(transport: Transport) -> tuple[str, ...]:
    """Makes namespace, account and roles; what they are called. Raises MemberError."""
    return tuple([await put(transport, body) for body in bootstrap_objects()])


async def put(transport: Transport, body: dict[str, Json]) -> str:
    """Applies an object of a built-in kind as the administrator; what it is called.

    Raises NotPreparedError for a namespace that is being deleted: it takes an apply, and nothing into it.
    MemberError.
    """
    group, _, _ = str(body["apiVersion"]).rpartition("/")
    metadata = body["metadata"]
    name, namespace = metadata["name"], metadata.get("namespace", "")
    path = BUILT_IN[group, body["kind"]].path(namespace, name)
    query = f"?fieldManager={MANAGER}&force=true&fieldValidation=Strict"
    answer = await transport.send(Request("PATCH", path + query, orjson.dumps(body), content_type=APPLY))
    with expecting("the object that was applied"):
        leaving = body["kind"] == "Namespace" and "deletionTimestamp" in answer.json()["metadata"]
    if leaving:
        raise errors.NotPreparedError(
            f"the namespace {name} is being deleted", where=name, expected="none, or one that stays",
            got="a deletionTimestamp",
            hint=f"wait until it is gone (`kubectl wait --for=delete namespace/{name}`), then run the same"
            f" command again; `kubectl describe namespace {name}` says what holds it",
        )  # fmt: skip
    return f"{body['kind']} {namespace}/{name}" if namespace else f"{body['kind']} {name}"


async def claim(transport: Transport) -> str:
    """The claim of this cluster's join: 64 hex digits, made now if there is none. Raises MemberError."""
    fresh = secrets.token_hex(32)
    body = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": CLAIM, "namespace": MEMBER_NAMESPACE},
        "data": {"claim": base64.b64encode(fresh.encode()).decode()},
    }  # fmt: skip
    path = _SECRETS.path(MEMBER_NAMESPACE, "")
    try:
        await transport.send(Request("POST", f"{path}?fieldManager={MANAGER}", orjson.dumps(body)))
    except errors.ConflictError:
        answer = await transport.send(Request("GET", _SECRETS.path(MEMBER_NAMESPACE, CLAIM)))
        with expecting("the Secret of a join"):
            kept = base64.b64decode(answer.json()["data"]["claim"]).decode()
            if not _NONCE.fullmatch(kept):
                raise ValueError from None
        return kept
    return fresh


async def forget_claim(transport: Transport) -> None:
    """The join is done. Raises MemberError."""
    try:
        await transport.send(Request("DELETE", _SECRETS.path(MEMBER_NAMESPACE, CLAIM)))
    except errors.NotFoundError:
        return


def fingerprint(claim_text: str) -> str:
    """``sha256:<hex>`` of a claim, as the log keeps it."""
    return f"sha256:{hashlib.sha256(claim_text.encode()).hexdigest()}"


async def who(transport: Transport, username: str) -> Identity:
    """uid and version of the cluster. Raises MemberError."""
    return await identify(transport, username or RECONCILER_USER)
