"""Ports of a network rule as sets that can be subtracted: ranges per protocol, names, or everything.

Rules kept here (``NetworkPolicyPort`` of networking.k8s.io/v1)
- No list of ports means all traffic, protocols without ports (ICMP) included. As soon as something is taken
  away, only TCP, UDP and SCTP can be named, so the other protocols are denied with it: never too much is
  allowed.
- A protocol without a port is its whole range, 1 to 65535; ``endPort`` makes a range, both ends included.
- A named port is another number in every pod: it can be allowed, but nothing can be subtracted from it by
  number and it cannot be subtracted (``NamedPortError``), except that a whole protocol includes its names.

>>> subtract(EVERYTHING, parse_ports([{"port": 80}])).render()[:2]
[{'protocol': 'SCTP'}, {'protocol': 'TCP', 'port': 1, 'endPort': 79}]
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.model import Json

PROTOCOLS = ("SCTP", "TCP", "UDP")
LOWEST, HIGHEST = 1, 65535
Range = tuple[int, int]  # both ends included
WHOLE: tuple[Range, ...] = ((LOWEST, HIGHEST),)


class NamedPortError(ValueError):
    """A subtraction that would need to know a named port's number."""


@dataclass(frozen=True, slots=True)
class Ports:
    """``ranges``: (protocol, its disjoint, sorted ranges); ``names``: (protocol, port name).

    ``everything`` adds the protocols that have no ports; all ranges are whole then.
    """

    ranges: tuple[tuple[str, tuple[Range, ...]], ...] = ()
    names: frozenset[tuple[str, str]] = frozenset()
    everything: bool = False

    @property
    def empty(self) -> bool:
        return not self.ranges and not self.names

    def of(self, protocol: str) -> tuple[Range, ...]:
        """The protocol's ranges, () for none."""
        return dict(self.ranges).get(protocol, ())

    def render(self) -> list[dict[str, Json]]:
        """As NetworkPolicyPorts; [] for everything, where the caller omits the field."""
        if self.everything:
            return []
        numbered = [_render(protocol, item) for protocol, ranges in self.ranges for item in ranges]
        return numbered + [{"protocol": protocol, "port": name} for protocol, name in sorted(self.names)]


EVERYTHING = Ports(tuple((protocol, WHOLE) for protocol in PROTOCOLS), everything=True)


def _render(protocol: str, item: Range) -> dict[str, Json]:
    first, last = item
    if (first, last) == (LOWEST, HIGHEST):
        return {"protocol": protocol}
    return {"protocol": protocol, "port": first} | ({"endPort": last} if last > first else {})


def parse_ports(ports: list[Json] | None) -> Ports:
    """The set that a list of ports means; none or an empty one is everything. Raises ValueError."""
    if not ports:
        return EVERYTHING
    numbered = [(item.get("protocol") or "TCP", _range(item)) for item in ports if not _named(item)]
    names = frozenset((item.get("protocol") or "TCP", item["port"]) for item in ports if _named(item))
    whole = {protocol for protocol, item in numbered if (item,) == WHOLE}
    return _ports(numbered, frozenset(pair for pair in names if pair[0] not in whole))


def _named(item: dict[str, Json]) -> bool:
    return isinstance(item.get("port"), str)


def _range(item: dict[str, Json]) -> Range:
    first = item.get("port")
    if first is None:
        if item.get("endPort") is not None:
            raise ValueError("expected a port beside endPort")
        return LOWEST, HIGHEST
    last = item.get("endPort") or first
    if not LOWEST <= first <= last <= HIGHEST:
        raise ValueError(f"expected 1 <= port <= endPort <= 65535, got {first} and {last}")
    return first, last


def _ports(numbered: Iterable[tuple[str, Range]], names: frozenset[tuple[str, str]]) -> Ports:
    ranges: dict[str, list[Range]] = {}
    for protocol, item in sorted(numbered):
        held = ranges.setdefault(protocol, [])
        if held and item[0] <= held[-1][1] + 1:
            held[-1] = (held[-1][0], max(held[-1][1], item[1]))
        else:
            held.append(item)
    return Ports(tuple((protocol, tuple(held)) for protocol, held in sorted(ranges.items())), names)


def disjoint(first: Ports, second: Ports) -> bool:
    """Whether no traffic is in both, as far as numbers tell; a name meets every range of its protocol."""
    if any(_overlaps(ranges, second.of(protocol)) for protocol, ranges in first.ranges):
        return False
    by_name = any(second.of(protocol) for protocol, _ in first.names)
    return (
        not by_name
        and not any(first.of(protocol) for protocol, _ in second.names)
        and not (first.names and {p for p, _ in first.names} & {p for p, _ in second.names})
    )


def _overlaps(first: tuple[Range, ...], second: tuple[Range, ...]) -> bool:
    return any(a[0] <= b[1] and b[0] <= a[1] for a in first for b in second)


def covers(outer: Ports, inner: Ports) -> bool:
    """Whether all traffic of ``inner`` is in ``outer``; a name is in its own name or a whole protocol."""
    if inner.everything or outer.everything:
        return outer.everything
    ranges = all(
        any(a[0] <= b[0] and b[1] <= a[1] for a in outer.of(protocol))
        for protocol, held in inner.ranges
        for b in held
    )
    return ranges and all(pair in outer.names or outer.of(pair[0]) == WHOLE for pair in inner.names)


def subtract(ports: Ports, denied: Ports) -> Ports:
    """``ports`` without ``denied``. Raises NamedPortError."""
    if denied.names:
        raise NamedPortError(f"cannot deny the named port {min(denied.names)[1]}")
    if denied.everything or disjoint(ports, denied):
        return Ports() if denied.everything else ports
    names = frozenset(pair for pair in ports.names if denied.of(pair[0]) != WHOLE)
    unknown = sorted(name for protocol, name in names if denied.of(protocol))
    if unknown:
        raise NamedPortError(f"cannot deny numbers beside the allowed named port {unknown[0]}")
    kept = [(p, item) for p, held in ports.ranges for item in _subtract_ranges(held, denied.of(p))]
    return _ports(kept, names)


def _subtract_ranges(ranges: tuple[Range, ...], denied: tuple[Range, ...]) -> list[Range]:
    rest = list(ranges)
    for low, high in denied:
        pieces = [((first, min(last, low - 1)), (max(first, high + 1), last)) for first, last in rest]
        rest = [piece for pair in pieces for piece in pair if piece[0] <= piece[1]]
    return rest
