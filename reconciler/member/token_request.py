"""New tokens of a service account, by the TokenRequest API of the member itself.

A request that is sent twice makes two tokens, of which one is used and the other ends by itself. The request
carries an Audit-ID, which the log names, so that the member's own audit log can be joined with ours.

>>> account_of("system:serviceaccount:federation-system:federation-reconciler")
Account(namespace='federation-system', name='federation-reconciler')
>>> account_of("alice") is None
True
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote

import orjson

from reconciler.member.login import token_of
from reconciler.member.transport import Request, Transport, expecting

SHORTEST = timedelta(minutes=10)  # an API server gives no shorter life
_PREFIX = "system:serviceaccount:"


class Account(NamedTuple):
    """A service account."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token; ``audit_id`` is that of the request that made it."""

    token: str = field(repr=False)
    expires: datetime  # UTC, as the API server decided
    audit_id: str


def account_of(username: str) -> Account | None:
    """The service account of a user name, None for another user."""
    namespace, _, name = username.removeprefix(_PREFIX).partition(":")
    return Account(namespace, name) if username.startswith(_PREFIX) and namespace and name else None


async def request_token(
    transport: Transport, account: Account, life: timedelta, audiences: Sequence[str] = (), secret: str = "",
    secret_uid: str = "",
) -> Issued:  # fmt: skip
    """A token of ``account``; no audiences: the API server's own; bound to ``secret``. Raises MemberError."""
    spec = {"audiences": list(audiences), "expirationSeconds": int(max(life, SHORTEST).total_seconds())}
    if secret:
        spec["boundObjectRef"] = {"kind": "Secret", "apiVersion": "v1", "name": secret, "uid": secret_uid}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    namespace, name = (quote(part, safe="") for part in account)
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    audit_id = str(uuid.uuid4())
    answer = await transport.send(Request("POST", path, orjson.dumps(body), audit_id=audit_id))
    with expecting("a TokenRequest"):
        status = answer.json()["status"]
        expires = datetime.fromisoformat(status["expirationTimestamp"]).astimezone(UTC)
        return Issued(token_of(status["token"].encode(), "of the TokenRequest"), expires, audit_id)
