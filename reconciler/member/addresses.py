"""Which addresses a stranger may name, for us to connect to.

Rules:
- Refused: unspecified, link-local, multicast and reserved addresses, the metadata services of clouds, and
  loopback unless it is allowed on purpose. An IPv4 address inside an IPv6 one (mapped, NAT64, 6to4, Teredo,
  ISATAP) is judged as itself, too.
- A name is refused when any of its addresses is. What was judged is what is connected to: the caller uses the
  address, not the name, so a name that answers otherwise the second time gains nothing.
- Private networks are allowed: that is where members are.

>>> address_problem("169.254.169.254"), address_problem("10.0.0.7"), address_problem("127.0.0.1")
('link-local', '', 'loopback')
>>> address_problem("::ffff:169.254.169.254"), address_problem("64:ff9b::a9fe:a9fe")
('link-local', 'link-local')
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from reconciler.errors import MemberError

MAX_ADDRESSES = 16
RESOLVE = 5.0  # seconds
Resolver = Callable[[str, int], Awaitable[list[str]]]  # (host, port) -> addresses
_NAT64 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))
_ISATAP = 0x0000_5EFE  # RFC 5214, 6.1: the upper half of the interface identifier, but for its bit "u"
_METADATA = frozenset(  # beside those that are link-local
    map(ip_address, ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"))
)


class AddressRefusedError(MemberError):
    """An API server URL that this side does not connect to."""

    code = "FW1749"


def address_problem(text: str, *, loopback: bool = False) -> str:
    """What is wrong with an address, "" if it may be connected to; ``loopback`` allows that too."""
    try:
        address = ip_address(text)
    except ValueError:
        return "not an address"
    if isinstance(address, IPv6Address) and address.scope_id:
        return "link-local"
    return next((reason for one in _views(address) if (reason := _problem(one, loopback))), "")


def _views(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    yield address
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            yield address.ipv4_mapped
        if address.sixtofour:
            yield address.sixtofour
        yield from address.teredo or ()
        if (int(address) >> 32) & 0xFDFF_FFFF == _ISATAP:
            yield IPv4Address(int(address) & 0xFFFF_FFFF)
        if any(address in network for network in _NAT64):
            yield IPv4Address(int(address) & 0xFFFF_FFFF)


def _problem(address: IPv4Address | IPv6Address, loopback: bool) -> str:
    if address in _METADATA:
        return "a metadata service"
    if address.is_unspecified or (isinstance(address, IPv4Address) and address in ip_network("0.0.0.0/8")):
        return "unspecified"
    if address.is_loopback:
        return "" if loopback else "loopback"
    if address.is_link_local:
        return "link-local"
    if address.is_multicast:
        return "multicast"
    inside = isinstance(address, IPv6Address) and (
        address.ipv4_mapped is not None or any(address in network for network in _NAT64)
    )
    return "reserved" if address.is_reserved and not inside else ""


async def allowed_address(
    host: str, port: int, *, loopback: bool = False, resolver: Resolver | None = None
) -> str:
    """Where to connect to for ``host``, all of whose addresses are allowed. Raises AddressRefusedError."""
    try:
        async with asyncio.timeout(RESOLVE):
            found = await (resolver or resolve)(host, port)
    except (OSError, TimeoutError, UnicodeError) as error:
        raise _refused(host, "a name that does not resolve") from error
    if not found or len(found) > MAX_ADDRESSES:
        raise _refused(host, f"{len(found)} addresses")
    for address in found:
        if reason := address_problem(address, loopback=loopback):
            raise _refused(host, f"{reason} ({address})" if address != host else reason)
    return found[0]


async def resolve(host: str, port: int) -> list[str]:
    """The system's resolver. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(where[0]) for *_, where in found))


def _refused(host: str, got: str) -> AddressRefusedError:
    hint = "give the URL under which the primary reaches it; on one machine, --allow-loopback on the primary"
    return AddressRefusedError(
        "the API server's address is not one to connect to", expected="a host's own address", got=got,
        hint=hint, where=host[:260],
    )  # fmt: skip
