"""A request to join: strict JSON of bounded fields, and what of it may be shown.

>>> parse_request(b"[]")
Traceback (most recent call last):
reconciler.pipeline.membership.refused.RequestError: FW1756: not a request to join: expected a JSON object...
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from reconciler.documents.formats import is_certificates, is_https_url, is_subdomain
from reconciler.model import Json
from reconciler.pipeline.membership.refused import RequestError

MAX_BODY = 64 << 10  # bytes
MAX_SERVERS = 4
_CREDENTIAL = re.compile(r"[!-~]{1,16384}")


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """Who asks, as they say; nothing of it is believed yet. ``claim`` is 64 hex digits."""

    token: str = field(repr=False)
    claim: str = field(repr=False)
    name: str
    uid: str
    servers: tuple[str, ...]
    ca_bundle: str
    server_name: str
    credential: str = field(repr=False)

    def to_json(self) -> dict[str, Json]:
        """As it is sent: a secret."""
        return {
            "token": self.token, "claim": self.claim, "name": self.name, "uid": self.uid,
            "apiServers": list(self.servers), "caBundle": self.ca_bundle, "tlsServerName": self.server_name,
            "credential": self.credential,
        }  # fmt: skip


_FIELDS: dict[str, Any] = {
    "token": lambda v: isinstance(v, str) and 0 < len(v) <= 8192,
    "claim": lambda v: isinstance(v, str) and re.fullmatch("[0-9a-f]{64}", v),
    "name": lambda v: isinstance(v, str) and 0 < len(v) <= 253,
    "uid": lambda v: isinstance(v, str) and re.fullmatch("[A-Za-z0-9-]{1,64}", v),
    "apiServers": lambda v: isinstance(v, list) and 0 < len(v) <= MAX_SERVERS and all(map(_is_url, v)),
    "caBundle": lambda v: isinstance(v, str) and (not v or is_certificates(v)),
    "tlsServerName": lambda v: isinstance(v, str) and (not v or is_subdomain(v)),
    "credential": lambda v: isinstance(v, str) and _CREDENTIAL.fullmatch(v),
}


def _is_url(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 300 and is_https_url(value)


def parse_request(body: bytes) -> JoinRequest:
    """The request in a body. Raises RequestError, which never quotes it."""
    if len(body) > MAX_BODY:
        raise _refused(f"at most {MAX_BODY} bytes", "more")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise _refused("a JSON object", "something else")
    if value.keys() != _FIELDS.keys():
        raise _refused(f"the fields {', '.join(_FIELDS)}", "others")
    if bad := [name for name, good in _FIELDS.items() if not good(value[name])]:
        raise _refused("fields within their bounds", ", ".join(bad))
    return JoinRequest(
        value["token"], value["claim"], value["name"], value["uid"], tuple(value["apiServers"]),
        value["caBundle"], value["tlsServerName"], value["credential"],
    )  # fmt: skip


def _refused(expected: str, got: str) -> RequestError:
    return RequestError("not a request to join", expected=expected, got=got)
