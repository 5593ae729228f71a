"""FederatedNetworkRule -> one NetworkPolicy in each of its namespaces.

Rules kept here
- For each direction the result is ``allow`` minus ``deny``, exactly, over (peer, protocol, port); without an
  ``allow``, everything minus ``deny``. Peers and ports are sets (``peers``, ``ports``), so
  (P x Q) - (D x E) = (P - D) x Q  +  P x (Q - E).
- A direction is isolated when it occurs in ``allow``, ``deny`` or ``isolate``; when none does, both are.
- A direction from which everything was taken away has no rule at all. (An empty ``from`` means anyone.)
- Kubernetes *adds up* the NetworkPolicies that select a pod: a ``deny`` holds within its own rule, and
  another rule or a manifest may still allow the traffic. The access room proves what holds in the end.

>>> rule = {"direction": "egress", "ports": [{"protocol": "UDP", "port": 53}]}
>>> from reconciler.model import SourceRef
>>> document = Document("fleetward.io/v1alpha1", "FederatedNetworkRule", "dns", "",
...     {"spec": {"namespaces": ["shop"], "allow": [rule]}}, SourceRef("a.yaml", 1), "x#0")
>>> network_policies(document, Context("1.36")).objects[0]["spec"]["egress"]
[{'ports': [{'protocol': 'UDP', 'port': 53}]}]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reconciler.compile import peers, ports
from reconciler.compile.codes import found
from reconciler.compile.context import Context, Result
from reconciler.compile.peers import ANYONE, Peer
from reconciler.compile.ports import EVERYTHING, NamedPortError, Ports
from reconciler.documents import Document
from reconciler.model import Finding, Json, Severity

DIRECTIONS = ("ingress", "egress")
MAX_TERMS = 400  # of one direction: far beyond what a person can review, well within an object's size

Term = tuple[Peer, Ports]


class RuleError(ValueError):
    """A rule that cannot be compiled: becomes a finding ``code`` at the JSON ``pointer``."""

    def __init__(self, code: str, message: str, pointer: str) -> None:
        super().__init__(message)
        self.code = code
        self.pointer = pointer


def network_policies(document: Document, _context: Context) -> Result:
    """The rule's NetworkPolicies; findings FW1411 to FW1415."""
    spec = document.body["spec"]
    try:
        policies = tuple(_policy(document.name, namespace, spec) for namespace in spec["namespaces"])
    except RuleError as error:
        rule = f"schema:{error.pointer}"
        return Result(
            (), (found(error.code, str(error), source=document.source, subject=document.subject, rule=rule),)
        )
    return Result(policies, tuple(_warnings(document)))


def _policy(name: str, namespace: str, spec: dict[str, Any]) -> dict[str, Json]:
    body: dict[str, Json] = {"podSelector": spec.get("podSelector") or {}, "policyTypes": _policy_types(spec)}
    for direction in DIRECTIONS:
        if direction.capitalize() in body["policyTypes"] and _items(spec, "allow deny", direction):
            body[direction] = _rules(spec, direction, namespace)
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": body,
    }


def _policy_types(spec: dict[str, Any]) -> list[str]:
    wanted = [d for d in DIRECTIONS if d in (spec.get("isolate") or ()) or _items(spec, "allow deny", d)]
    return [direction.capitalize() for direction in wanted or DIRECTIONS]


def _items(spec: dict[str, Any], lists: str, direction: str) -> list[tuple[str, dict[str, Any]]]:
    """(JSON pointer, item) of the items that speak of one direction."""
    return [
        (f"/spec/{name}/{index}", item)
        for name in lists.split()
        for index, item in enumerate(spec.get(name) or ())
        if item["direction"] == direction
    ]


def _rules(spec: dict[str, Any], direction: str, namespace: str) -> list[Json]:
    allowed = [term for at, item in _items(spec, "allow", direction) for term in _terms(item, namespace, at)]
    if not _items(spec, "allow", direction):
        allowed = [(peer, EVERYTHING) for peer in ANYONE]
    for at, item in _items(spec, "deny", direction):
        for denied in _terms(item, namespace, at):
            allowed = _without(allowed, denied, at)
    return _render(allowed, "from" if direction == "ingress" else "to", namespace)


def _terms(item: dict[str, Any], namespace: str, pointer: str) -> list[Term]:
    """The item's (peer, ports) pairs, without those that select nothing."""
    try:
        wanted = ports.parse_ports(item.get("ports"))
    except ValueError as error:
        raise RuleError("FW1413", str(error), f"{pointer}/ports") from error
    if not item.get("peers"):
        return [(peer, wanted) for peer in ANYONE]
    parsed = [_peer(peer, namespace, f"{pointer}/peers/{index}") for index, peer in enumerate(item["peers"])]
    return [(peer, wanted) for peer in parsed if not peer.empty]


def _peer(peer: dict[str, Any], namespace: str, pointer: str) -> Peer:
    try:
        return peers.parse_peer(peer, namespace)
    except ValueError as error:
        raise RuleError("FW1412", str(error), pointer) from error


def _without(allowed: list[Term], denied: Term, pointer: str) -> list[Term]:
    try:
        rest = _absorb([piece for term in allowed for piece in _subtract(term, denied)])
    except NamedPortError as error:
        raise RuleError("FW1411", str(error), f"{pointer}/ports") from error
    if len(rest) > MAX_TERMS:
        raise RuleError("FW1414", f"the rest would need more than {MAX_TERMS} peers", pointer)
    return rest


def _subtract(term: Term, denied: Term) -> Iterator[Term]:
    (peer, allowed_ports), (denied_peer, denied_ports) = term, denied
    if peers.disjoint(peer, denied_peer) or ports.disjoint(allowed_ports, denied_ports):
        yield term
        return
    yield from ((piece, allowed_ports) for piece in peers.subtract(peer, denied_peer))
    rest = ports.subtract(allowed_ports, denied_ports)
    if not rest.empty:
        yield peer, rest


def _absorb(terms: Sequence[Term]) -> list[Term]:
    """Without the terms that another one contains; of equal ones, the first stays."""
    kept: list[Term] = []
    for term in terms:
        if not any(_covers(other, term) for other in kept):
            kept = [other for other in kept if not _covers(term, other)] + [term]
    return kept


def _covers(outer: Term, inner: Term) -> bool:
    return ports.covers(outer[1], inner[1]) and peers.covers(outer[0], inner[0])


def _render(terms: list[Term], side: str, namespace: str) -> list[Json]:
    """One rule for each distinct set of ports. Never an empty ``side``: that would mean anyone."""
    by_ports: dict[Ports, list[Peer]] = {}
    for peer, wanted in terms:
        by_ports.setdefault(wanted, []).append(peer)
    return [_rule(wanted, group, side, namespace) for wanted, group in by_ports.items()]


def _rule(wanted: Ports, group: list[Peer], side: str, namespace: str) -> dict[str, Json]:
    anyone = all(peer in group for peer in ANYONE)
    rule: dict[str, Json] = {} if anyone else {side: [peer.render(namespace) for peer in group]}
    rendered = wanted.render()
    return rule | ({"ports": rendered} if rendered else {})


def _warnings(document: Document) -> Iterator[Finding]:
    """FW1415: some network plugins match pods by address too, and then a deny by labels leaks."""
    spec = document.body["spec"]
    for direction in DIRECTIONS:
        denied = [(at, item.get("peers") or []) for at, item in _items(spec, "deny", direction)]
        by_address = any("cidr" in peer for _, group in denied for peer in group)
        by_label = [at for at, group in denied if any("cidr" not in peer for peer in group)]
        if by_label and not by_address and _allows_addresses(spec, direction):
            yield _leak(document, f"{by_label[0]}/peers")


def _allows_addresses(spec: dict[str, Any], direction: str) -> bool:
    allowed = [item.get("peers") for _, item in _items(spec, "allow", direction)]
    return not allowed or any(not group or any("cidr" in peer for peer in group) for group in allowed)


def _leak(document: Document, pointer: str) -> Finding:
    message = "pods are denied by label, but their addresses are allowed"
    return found(
        "FW1415",
        message,
        source=document.source,
        subject=document.subject,
        rule=f"schema:{pointer}",
        severity=Severity.WARNING,
    )
