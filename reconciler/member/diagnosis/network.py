"""Names and ports of one API server URL: what it resolves to, and which of those addresses take connections.

- Every address is tried, not only the first that answers: behind a name with three addresses one dead
  control plane node shows as a warning.
- Whatever is sent ends with the TCP handshake. At most ``MOST`` addresses are looked at.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass

from yarl import URL

from reconciler.member import errors
from reconciler.member.diagnosis.results import MemberCheck, Result, failed, ok, warning

MOST = 8  # addresses of one name


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a URL leads to: ``host`` is a name or an address without brackets."""

    url: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Endpoint:
        """The endpoint of a registered (https) URL."""
        parsed = URL(url)
        return cls(url, parsed.host or "", parsed.port or 443)

    @property
    def is_address(self) -> bool:
        """Whether the host needs no name server."""
        try:
            ipaddress.ip_address(self.host.partition("%")[0])
        except ValueError:
            return False
        return True


async def resolve(endpoint: Endpoint, seconds: float) -> tuple[Result, tuple[str, ...]]:
    """The addresses of the host, in the resolver's order; () when there is none."""
    check, expected = MemberCheck.NAMES, f"an address for {endpoint.host}"
    if endpoint.is_address:
        return ok(check, expected, "an address, no name", endpoint.url), (endpoint.host,)
    hint = "mend the name in spec.apiServers, the name server's record, or /etc/resolv.conf of this host"
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            found = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except TimeoutError:
        reason = f"no answer of the name server in {seconds:g} s"
        return failed(check, expected, reason, hint, code="FW1702", where=endpoint.url), ()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "not a name"
        return failed(check, expected, reason, hint, code="FW1701", where=endpoint.url), ()
    addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))[:MOST]
    return ok(check, expected, ", ".join(addresses), endpoint.url), addresses


async def connect(
    endpoint: Endpoint, addresses: tuple[str, ...], seconds: float
) -> tuple[Result, tuple[str, ...]]:
    """The addresses that take a TCP connection."""
    reasons = await asyncio.gather(*(_refusal(address, endpoint.port, seconds) for address in addresses))
    opened = tuple(a for a, reason in zip(addresses, reasons, strict=True) if not reason)
    closed = [f"{a} {reason}" for a, reason in zip(addresses, reasons, strict=True) if reason]
    check, expected = MemberCheck.PORT, f"TCP port {endpoint.port} open at every address"
    if not closed:
        return ok(check, expected, f"{', '.join(opened)} open", endpoint.url), opened
    found = "; ".join([f"{', '.join(opened)} open"] * bool(opened) + closed)
    code = "FW1702" if all(reason == _SILENT for reason in reasons) else "FW1701"
    grade = warning if opened else failed
    return grade(check, expected, found, errors.CODES[code][1], code=code, where=endpoint.url), opened


_SILENT = "does not answer"


async def _refusal(address: str, port: int, seconds: float) -> str:
    """Why there is no connection; "" when there is one."""
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(address, port)
    except TimeoutError:
        return _SILENT
    except OSError as error:
        return (error.strerror or type(error).__name__).lower()
    writer.transport.abort()
    return ""
