"""Who answers, and as whom it knows us.

A guard that lets only ``spec.username`` write locks out a reconciler of another name, so a difference is an
error before anything is planned.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from reconciler.member import errors
from reconciler.member.concurrent import together
from reconciler.member.observe import cluster_uid
from reconciler.member.transport import Request, Transport, expecting

_REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@dataclass(frozen=True, slots=True)
class Identity:
    """``uid`` is that of kube-system, ``version`` the API server's ("v1.36.3")."""

    uid: str
    version: str
    username: str


async def identify(transport: Transport, username: str) -> Identity:
    """The member's identity. Raises IdentityError when it knows us by another name."""
    # The name first: another user may not even be allowed to read the namespace that the uid is of.
    actual, version = await together(whoami(transport), server_version(transport))
    if actual != username:
        raise errors.IdentityError(
            "the credentials are another user's",
            expected=username,
            got=actual,
        )
    return Identity(await cluster_uid(transport), version, actual)


async def server_version(transport: Transport) -> str:
    """The API server's version ("v1.36.3"), at most 64 characters. Raises MemberError."""
    return str((await transport.send(Request("GET", "/version"))).json().get("gitVersion", ""))[:64]


async def whoami(transport: Transport) -> str:
    """The user name that the member knows this connection by. Raises MemberError."""
    body = orjson.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
    answer = (await transport.send(Request("POST", _REVIEW, body))).json()
    with expecting("a SelfSubjectReview"):
        return str(answer["status"]["userInfo"].get("username", ""))
