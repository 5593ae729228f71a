"""A cluster joins: what its administrator's command does, step by step.

Steps: 1. the token is read, for the primary's address, pin and name; 2. who calls has to be somebody that
the cluster itself authenticated; 3. namespace, account and roles; 4. the claim, which stays here; 5. a
credential of the account; 6. the request, to the pinned endpoint; 7. the claim is forgotten.

Each step can be repeated, so that the same command finishes what broke off. Nothing is sent before 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.member import enrol
from reconciler.member.administrator import Administrator, require_own_identity
from reconciler.member.bootstrap import ACCOUNT
from reconciler.member.primary import post_join
from reconciler.member.token_request import Account, request_token
from reconciler.model import MEMBER_NAMESPACE, Clock
from reconciler.pipeline.membership.refused import TokenNameError
from reconciler.pipeline.membership.request import JoinRequest
from reconciler.pipeline.membership.tokens import require_name
from reconciler.pipeline.ports import Report
from reconciler.trust.jointoken import Claims, TokenTimeError, at, peek


@dataclass(frozen=True, slots=True)
class Joining:
    """What the administrator says; "" and () leave it to token and kubeconfig."""

    token: str = field(repr=False)
    name: str = ""
    api_servers: Sequence[str] = ()
    primary: str = ""
    credential_seconds: int = 86_400
    server_name: str = ""  # that the primary expects in the certificate


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What became of it: ``made`` are the objects on the cluster, the rest is what the primary answered."""

    cluster: str
    uid: str
    version: str
    made: tuple[str, ...]
    credential_expires: datetime
    branch: str
    commit: str


async def enrol_cluster(
    joining: Joining, cluster: Administrator, *, clock: Clock, report: Report
) -> Enrolled:
    """Join. Raises TokenError, MemberError; nothing of a secret is in what it raises or reports."""
    # 1. The token.
    claims = _readable(joining, clock)
    name = joining.name or claims.cluster
    require_name(name)
    transport = cluster.transport()
    try:
        # 2. Who calls.
        caller = await require_own_identity(transport, await cluster.load())
        identity = await enrol.who(transport, caller.username)
        report(f"cluster {identity.uid}, {identity.version}, as {caller.username}")
        # 3. What the reconciler needs there.
        made = await enrol.prepare(transport)
        for line in made:
            report(f"  in place: {line}")
        # 4. The claim. 5. The credential.
        claim = await enrol.claim(transport)
        life = timedelta(seconds=joining.credential_seconds)
        credential = await request_token(transport, Account(MEMBER_NAMESPACE, ACCOUNT), life)
        # 6. The request.
        urls = (joining.primary,) if joining.primary else claims.urls
        servers = tuple(joining.api_servers) or (cluster.server,)
        request = JoinRequest(
            joining.token, claim, name, identity.uid, servers, cluster.ca_bundle,
            joining.server_name or cluster.server_name, credential.token,
        )  # fmt: skip
        report(f"asking {', '.join(urls)}")
        answer = await post_join(urls, claims.pin, request.to_json())
        # 7. Done.
        await enrol.forget_claim(transport)
    finally:
        await transport.close()
    branch, commit = str(answer.get("branch", ""))[:300], str(answer.get("commit", ""))[:64]
    return Enrolled(name, identity.uid, identity.version, made, credential.expires, branch, commit)


def _readable(joining: Joining, clock: Clock) -> Claims:
    claims = peek(joining.token)
    if clock() >= at(claims.expires):
        raise TokenTimeError("the token has expired", hint="ask for a new one")
    if joining.name and claims.cluster not in ("", joining.name):
        raise TokenNameError("the token is for another name", expected=claims.cluster, got=joining.name)
    return claims
