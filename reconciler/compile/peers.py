"""Peers of a network rule as sets that can be subtracted: pods by labels, addresses by CIDR.

Rules kept here (``NetworkPolicyPeer`` of networking.k8s.io/v1)
- A peer is a pod or an address, never both: no NetworkPolicy can say "these pods, but not those addresses".
  So a deny by address takes nothing from an allow by labels, nor the other way round.
- ``podSelector`` alone means the policy's own namespace. That is ``kubernetes.io/metadata.name`` (which the API
  server puts on every namespace and keeps) with the namespace's name, and so a set like any other.
- Subtraction gives peers whose *union* is the rest; they may overlap.
- ``ANYONE`` is three sets: all pods, all IPv4 and all IPv6 addresses.

>>> [peer.render("shop") for peer in subtract(ALL_PODS, parse_peer({"podSelector": {"matchLabels": {"app": "db"}}}, "shop"))]
[{'namespaceSelector': {'matchExpressions': [{'key': 'kubernetes.io/metadata.name', 'operator': 'NotIn', 'values': ['shop']}]}}, {'namespaceSelector': {}, 'podSelector': {'matchExpressions': [{'key': 'app', 'operator': 'NotIn', 'values': ['db']}]}}]
"""  # noqa: E501 - one line of doctest output

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from reconciler.compile.labels import (
    Selector,
    Values,
    complement,
    parse_requirement,
    parse_selector,
    render_selector,
)
from reconciler.model import Json

NAMESPACE_NAME = "kubernetes.io/metadata.name"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Pods:
    """Pods in the namespaces that ``namespaces`` selects, with labels that ``pods`` selects."""

    namespaces: Selector = field(default_factory=dict, hash=False)
    pods: Selector = field(default_factory=dict, hash=False)

    @property
    def empty(self) -> bool:
        return any(v.empty for v in self.namespaces.values()) or any(v.empty for v in self.pods.values())

    def render(self, namespace: str) -> dict[str, Json]:
        """As a NetworkPolicyPeer of a policy in ``namespace``."""
        own = {NAMESPACE_NAME: parse_requirement("In", [namespace])}
        if self.namespaces == own:
            return {"podSelector": render_selector(self.pods)}
        peer: dict[str, Json] = {"namespaceSelector": render_selector(self.namespaces)}
        return peer | ({"podSelector": render_selector(self.pods)} if self.pods else {})


@dataclass(frozen=True, slots=True)
class Addresses:
    """Every address of ``cidr`` that is in none of ``excepts``: disjoint, sorted, each within ``cidr``."""

    cidr: Network
    excepts: tuple[Network, ...] = ()

    @property
    def empty(self) -> bool:
        return self.cidr in self.excepts

    def render(self, namespace: str) -> dict[str, Json]:  # noqa: ARG002 - as Pods.render
        """As a NetworkPolicyPeer."""
        excepts = {"except": [str(net) for net in self.excepts]} if self.excepts else {}
        return {"ipBlock": {"cidr": str(self.cidr), **excepts}}


Peer = Pods | Addresses
ALL_PODS = Pods()
ANYONE: tuple[Peer, ...] = (
    ALL_PODS,
    Addresses(ipaddress.IPv4Network("0.0.0.0/0")),
    Addresses(ipaddress.IPv6Network("::/0")),
)


def parse_peer(peer: dict[str, Json], namespace: str) -> Peer:
    """One peer of a rule in ``namespace``. Raises ValueError for one that means nothing."""
    selectors = {"podSelector", "namespaceSelector"} & peer.keys()
    if "cidr" in peer and not selectors:
        return addresses(_network(peer["cidr"]), [_network(text) for text in peer.get("except") or ()])
    if not selectors or "cidr" in peer or "except" in peer:
        raise ValueError(f"expected selectors or a cidr, got {', '.join(sorted(peer)) or 'an empty peer'}")
    own: Selector = {NAMESPACE_NAME: parse_requirement("In", [namespace])}
    named = peer.get("namespaceSelector")
    return Pods(
        own if named is None else parse_selector(named), parse_selector(peer.get("podSelector") or {})
    )


def _network(text: str) -> Network:
    network = ipaddress.ip_network(text, strict=False)
    if str(network) != text.lower() and ipaddress.ip_interface(text).ip != network.network_address:
        raise ValueError(f"expected {network}, got {text} (bits beyond the prefix are set)")
    return network


def _within(inner: Network, outer: Network) -> bool:
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def _overlap(first: Network, second: Network) -> Network | None:
    """CIDRs nest or are apart: their intersection is the smaller one, or nothing."""
    if _within(first, second):
        return first
    return second if _within(second, first) else None


def addresses(cidr: Network, excepts: list[Network]) -> Addresses:
    """``cidr`` minus ``excepts``, normalised: what the API server accepts and compares equal."""
    clipped = {net for net in (_overlap(cidr, item) for item in excepts) if net is not None}
    widest = [net for net in clipped if not any(net != other and _within(net, other) for other in clipped)]
    return Addresses(cidr, tuple(sorted(widest, key=lambda net: (int(net.network_address), net.prefixlen))))


def disjoint(first: Peer, second: Peer) -> bool:
    """Whether no peer is in both."""
    if isinstance(first, Pods) and isinstance(second, Pods):
        return _meet(first, second).empty
    if isinstance(first, Addresses) and isinstance(second, Addresses):
        common = _overlap(first.cidr, second.cidr)
        return common is None or addresses(common, [*first.excepts, *second.excepts]).empty
    return True


def covers(outer: Peer, inner: Peer) -> bool:
    """Whether every peer of ``inner`` is in ``outer``. May say False of addresses that are."""
    if isinstance(outer, Pods) and isinstance(inner, Pods):
        return _meet(outer, inner) == Pods(inner.namespaces, inner.pods)
    if isinstance(outer, Addresses) and isinstance(inner, Addresses):
        return (
            _within(inner.cidr, outer.cidr)
            and addresses(inner.cidr, [*inner.excepts, *outer.excepts]) == inner
        )
    return False


def subtract(peer: Peer, denied: Peer) -> list[Peer]:
    """Peers whose union is ``peer`` without ``denied``; none of them is empty."""
    if disjoint(peer, denied):
        return [peer]
    if isinstance(peer, Pods) and isinstance(denied, Pods):
        return _subtract_pods(peer, denied)
    assert isinstance(peer, Addresses) and isinstance(denied, Addresses)  # noqa: S101 - else disjoint
    return _subtract_addresses(peer, denied)


def _meet(first: Pods, second: Pods) -> Pods:
    return Pods(
        _meet_selectors(first.namespaces, second.namespaces), _meet_selectors(first.pods, second.pods)
    )


def _meet_selectors(first: Selector, second: Selector) -> Selector:
    return first | {key: values & first[key] if key in first else values for key, values in second.items()}


def _subtract_pods(peer: Pods, denied: Pods) -> list[Peer]:
    """not (a and b) is (not a) or (not b): one peer for each requirement of ``denied``."""
    rest = [Pods({key: piece}, {}) for key, piece in _pieces(denied.namespaces)]
    rest += [Pods({}, {key: piece}) for key, piece in _pieces(denied.pods)]
    met = [_meet(peer, piece) for piece in rest]
    return [pods for pods in met if not pods.empty]


def _pieces(selector: Selector) -> list[tuple[str, Values]]:
    return [(key, piece) for key, values in sorted(selector.items()) for piece in complement(values)]


def _subtract_addresses(peer: Addresses, denied: Addresses) -> list[Peer]:
    """What lies outside of the denied block, and what the denied block itself excepts."""
    pieces = [addresses(peer.cidr, [*peer.excepts, denied.cidr])]
    for hole in denied.excepts:
        common = _overlap(peer.cidr, hole)
        if common is not None:
            pieces.append(addresses(common, list(peer.excepts)))
    return [piece for piece in pieces if not piece.empty]
