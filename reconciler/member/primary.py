"""The primary's join endpoint, as a cluster that joins sees it.

Rules:
- The only trust is the pin in the token: first the CA is fetched, over a connection that nothing is believed
  of and nothing secret is sent on; then a connection that verifies against that CA, whose key the pin names.
  The name in the certificate is not compared: that CA issues to the endpoint alone, and people reach it by
  more names than it knows.
- https alone: over anything else the pin proves nothing, and the request would go out in clear text.
- URLs are tried in order until one answers. Answers are bounded in size and time; redirects, proxies,
  cookies of the surroundings have no part in it.
- A refusal keeps the primary's code, and is shown as text from outside.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import orjson
from cryptography import x509
from yarl import URL

from reconciler.documents.formats import is_https_url
from reconciler.errors import MemberError
from reconciler.model import Json
from reconciler.pki import PEM, pin_of

MAX_ANSWER = 64 << 10  # bytes
_CODE = re.compile("FW17[0-9]{2}|FW1[0-9]{3}")
_TIME = aiohttp.ClientTimeout(total=120, connect=10)
_SHORT = aiohttp.ClientTimeout(total=10)


class EndpointError(MemberError):
    """The join endpoint cannot be reached, or is not the one that the token names."""

    code = "FW1758"


class RefusedError(MemberError):
    """The primary refused; ``code`` is the primary's."""

    code = "FW1756"

    def __init__(self, code: str, said: Mapping[str, str]) -> None:
        super().__init__(
            said.get("message", "the primary refused"), expected=said.get("expected", ""),
            got=said.get("got", ""), hint=said.get("hint", ""), where=said.get("where", ""),
        )  # fmt: skip
        self.code = code  # type: ignore[misc]  # this very refusal's


async def post_join(urls: Sequence[str], pin: str, request: Mapping[str, Json]) -> dict[str, Json]:
    """The primary's answer to a request to join. Raises EndpointError, RefusedError."""
    failed: list[str] = []
    for url in urls:
        try:
            context = pinned_context(await _authority(url), pin, url)
            return await _post(url, context, orjson.dumps(request))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            failed.append(f"{url}: {_reason(error)}")
    raise EndpointError(
        "the primary's join endpoint does not answer", got="; ".join(failed)[:500],
        hint="`fleetward serve` has to run there; check address, port and firewalls, or give --primary",
    )  # fmt: skip


def pinned_context(ca_pem: bytes, pin: str, where: str) -> ssl.SSLContext:
    """A context that believes the CA that the pin names and nobody else. Raises EndpointError."""
    try:
        certificate = x509.load_pem_x509_certificate(ca_pem)
    except ValueError:
        raise _other(pin, "no certificate", where) from None
    if (found := pin_of(certificate)) != pin:
        raise _other(pin, found, where)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.load_verify_locations(cadata=certificate.public_bytes(PEM).decode())
    return context


def _other(pin: str, got: str, where: str) -> EndpointError:
    return EndpointError(
        "another server answers than the token names", expected=pin, got=got, where=where,
        hint="check the address; if it is right, somebody is on the way: nothing was sent to it",
    )  # fmt: skip


async def _authority(url: str) -> bytes:
    """The CA that the endpoint says it has: believed only when the pin says so."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    async with _session(context) as session, session.get(
        _target(url, "/v1/ca"), allow_redirects=False, timeout=_SHORT
    ) as response:  # fmt: skip
        return await _body(response, url)


async def _post(url: str, context: ssl.SSLContext, body: bytes) -> dict[str, Json]:
    async with _session(context) as session, session.post(
        _target(url, "/v1/join"), data=body, headers={"Content-Type": "application/json"},
        allow_redirects=False, timeout=_TIME,
    ) as response:  # fmt: skip
        answer = _object(await _body(response, url), url)
    if response.status == 200:
        return answer
    said = answer.get("error")
    facts = {str(k): str(v)[:600] for k, v in said.items()} if isinstance(said, dict) else {}
    code = facts.get("code", "")
    raise RefusedError(code if _CODE.fullmatch(code) else RefusedError.code, facts)


def _target(url: str, path: str) -> URL:
    """Where a request may go. Raises EndpointError for what is no https URL."""
    if not is_https_url(url):
        raise EndpointError(
            "not the URL of a join endpoint", expected="https://host:port", got=url[:200],
            hint="mend --primary, or leave it out: the token has the URL",
        )  # fmt: skip
    return URL(f"{url.rstrip('/')}{path}")


def _session(context: ssl.SSLContext) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context), cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
    )


async def _body(response: aiohttp.ClientResponse, url: str) -> bytes:
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > MAX_ANSWER:
            raise EndpointError("the answer is too large", expected=f"at most {MAX_ANSWER} bytes", where=url)
    return bytes(body)


def _object(body: bytes, url: str) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise EndpointError("the answer is not that of a join endpoint", where=url)
    return value


def _reason(error: Exception) -> str:
    inner = getattr(error, "os_error", error)
    return str(getattr(inner, "strerror", "") or getattr(inner, "reason", "") or type(error).__name__)
