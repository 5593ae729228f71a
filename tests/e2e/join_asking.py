"""Asking a join endpoint without fleetward's own client: well, badly, or with a forged token."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import ssl
from dataclasses import replace
from typing import Any

import secret_scan
from e2e_world import Plane
from join_world import World, claims_of

from reconciler.member import enrol
from reconciler.pipeline.membership.request import JoinRequest, parse_request
from reconciler.surfaces.membership import administrator_of, token_key
from reconciler.trust.jointoken import Claims, TokenKey, issue

Answer = tuple[int, str]  # status and code


def context(world: World) -> ssl.SSLContext:
    """As a client that pinned the CA."""
    ca = (world.fleet.settings.state / "join" / "ca.pem").read_text().partition("-----BEGIN PRIVATE")[0]
    return ssl.create_default_context(cadata=ca)


def post(
    world: World, body: Any, path: str = "/v1/join", *, source: str = "127.0.0.1", port: int = 0,
    headers: dict[str, str] | None = None, method: str = "POST",
) -> Answer:  # fmt: skip
    """Status and code. Another ``source`` (127.0.0.0/8) is another address to the limits on requests."""
    connection = http.client.HTTPSConnection(
        "127.0.0.1", port or world.port, timeout=60, context=context(world), source_address=(source, 0)
    )
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
        response = connection.getresponse()
        said = response.read()
    finally:
        connection.close()
    world.outputs.append(said.decode())
    secret_scan.saw(said, "an answer of the join endpoint")
    return response.status, code_of(said)


def code_of(said: bytes) -> str:
    """The code in an answer; "" where there is none."""
    try:
        return str(json.loads(said).get("error", {}).get("code", ""))
    except ValueError:
        return ""


def prepared(plane: Plane) -> Plane:
    """With the account and roles, as a join leaves them."""

    async def prepare() -> None:
        transport = administrator_of(str(plane.member.kubeconfig), None).transport()
        try:
            await enrol.prepare(transport)
        finally:
            await transport.close()

    asyncio.run(prepare())
    return plane


def forged(world: World, token: str, key: TokenKey | None = None, **change: Any) -> str:
    """A well-signed token with other claims than the one that was made."""
    said = claims_of(token)
    claims = Claims(
        said["iss"], said["jti"], said["iat"], said["exp"], tuple(said["urls"]), said["pin"], said["cluster"]
    )
    made = issue(key or token_key(world.fleet.settings), replace(claims, **change))
    world.keep("forged join token", made)
    return made


def encoded(part: bytes) -> str:
    """As a part of a JWT."""
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


def unsigned(token: str) -> str:
    """The same claims, and no algorithm."""
    head = encoded(b'{"alg":"none"}')
    return f"{head}.{token.split('.')[1]}.AA"


def parse(body: dict[str, Any]) -> JoinRequest:
    """The request as the door gets it."""
    return parse_request(json.dumps(body).encode())
