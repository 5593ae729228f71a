"""FederatedNetworkRule: what the NetworkPolicies allow is allow minus deny, packet by packet."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from compile_fleets import bodies, codes, compiled, ours
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

# --- a small evaluator: one packet against a rule, and against a NetworkPolicy
# A packet is {"ns": labels, "pod": labels} or {"ip": text}, with "protocol" and "port".

Packet = dict[str, Any]
OWN = "shop"
NAME = "kubernetes.io/metadata.name"


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(holds(item, labels) for item in selector.get("matchExpressions", []))


def holds(item: dict[str, Any], labels: dict[str, str]) -> bool:
    value = labels.get(item["key"])
    return {
        "In": value is not None and value in item.get("values", []),
        "NotIn": value is None or value not in item.get("values", []),
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[item["operator"]]


def in_block(cidr: str, excepts: list[str], ip: str) -> bool:
    address = ipaddress.ip_address(ip)
    return address in ipaddress.ip_network(cidr) and not any(
        address in ipaddress.ip_network(x) for x in excepts
    )


def peer_matches(peer: dict[str, Any], packet: Packet) -> bool:
    block = peer.get("ipBlock") or (
        {"cidr": peer["cidr"], "except": peer.get("except", [])} if "cidr" in peer else None
    )
    if block:
        return "ip" in packet and in_block(block["cidr"], block.get("except", []), packet["ip"])
    if "ip" in packet:
        return False
    own = packet["ns"][NAME] == OWN
    namespace = selects(peer["namespaceSelector"], packet["ns"]) if "namespaceSelector" in peer else own
    return namespace and selects(peer.get("podSelector", {}), packet["pod"])


def port_matches(port: dict[str, Any], packet: Packet) -> bool:
    if port.get("protocol", "TCP") != packet["protocol"]:
        return False
    first = port.get("port")
    return first is None or first <= packet["port"] <= port.get("endPort", first)


def item_matches(peers: list[Any] | None, ports: list[Any] | None, packet: Packet) -> bool:
    by_peer = not peers or any(peer_matches(peer, packet) for peer in peers)
    return by_peer and (not ports or any(port_matches(port, packet) for port in ports))


def rule_allows(spec: dict[str, Any], direction: str, packet: Packet) -> bool:
    allow, deny = ([i for i in spec.get(k, []) if i["direction"] == direction] for k in ("allow", "deny"))
    named = direction in spec.get("isolate", []) or allow or deny
    other = spec.get("isolate") or spec.get("allow") or spec.get("deny")
    if not named and other:
        return True  # not isolated
    allowed = any(item_matches(i.get("peers"), i.get("ports"), packet) for i in allow) or (
        bool(deny) and not allow
    )
    return allowed and not any(item_matches(i.get("peers"), i.get("ports"), packet) for i in deny)


def policy_allows(policy: dict[str, Any], direction: str, packet: Packet) -> bool:
    spec, side = policy["spec"], {"ingress": "from", "egress": "to"}[direction]
    if direction.capitalize() not in spec["policyTypes"]:
        return True
    return any(item_matches(rule.get(side), rule.get("ports"), packet) for rule in spec.get(direction, []))


# --- random rules, held against every packet of a small universe

VALUES = ("a", "b", "c")
CIDRS = (
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.0/24",
    "10.1.2.3/32",
    "10.2.0.0/16",
    "::/0",
    "fd00::/8",
)
IPS = ("10.1.2.3", "10.1.2.4", "10.1.9.9", "10.2.0.1", "10.9.0.1", "192.0.2.1", "fd00::1", "2001:db8::1")
PORTS = (1, 52, 53, 80, 81, 65535)

POD_LABELS = [
    {key: value for key, value in (("app", app), ("tier", tier)) if value}
    for app in (None, "a", "b", "c")
    for tier in (None, "a")
]
NAMESPACES = [{NAME: OWN}, {NAME: "other"}, {NAME: "other", "app": "a"}]
PLACES: list[Packet] = [{"ns": ns, "pod": pod} for ns in NAMESPACES for pod in POD_LABELS]
PLACES += [{"ip": ip} for ip in IPS]
PACKETS = [
    {**place, "protocol": protocol, "port": number}
    for place in PLACES
    for protocol, numbers in (("TCP", PORTS), ("UDP", (53, 80)), ("SCTP", (80,)))
    for number in numbers
]

keys = st.sampled_from(["app", "app", "tier"])
requirement = st.one_of(
    st.builds(
        lambda k, o, v: {"key": k, "operator": o, "values": sorted(v)},
        keys,
        st.sampled_from(["In", "NotIn"]),
        st.sets(st.sampled_from(VALUES), min_size=1, max_size=2),
    ),
    st.builds(lambda k, o: {"key": k, "operator": o}, keys, st.sampled_from(["Exists", "DoesNotExist"])),
)
EXISTS_BUT_A = [{"key": "app", "operator": "Exists"}, {"key": "app", "operator": "NotIn", "values": ["a"]}]
exists_but = st.builds(
    lambda value: [
        {"key": "app", "operator": "Exists"},
        {"key": "app", "operator": "NotIn", "values": [value]},
    ],
    st.sampled_from(VALUES),
)
selector = st.one_of(
    st.just({}),
    st.builds(
        lambda found: {"matchLabels": found}, st.dictionaries(keys, st.sampled_from(VALUES), min_size=1)
    ),
    st.builds(
        lambda items: {"matchExpressions": items},
        st.one_of(exists_but, st.lists(requirement, min_size=1, max_size=2)),
    ),
)
namespaces = st.one_of(
    selector, st.sampled_from([{"matchLabels": {NAME: OWN}}, {"matchLabels": {NAME: "other"}}])
)
cidrs = st.sampled_from(CIDRS)
peer = st.one_of(
    st.fixed_dictionaries({"podSelector": selector}, optional={"namespaceSelector": namespaces}),
    st.fixed_dictionaries({"namespaceSelector": namespaces}),
    st.fixed_dictionaries({"cidr": cidrs}, optional={"except": st.lists(cidrs, min_size=1, max_size=2)}),
)
port = st.one_of(
    st.fixed_dictionaries({}, optional={"protocol": st.sampled_from(["TCP", "UDP", "SCTP"])}),
    st.builds(
        lambda proto, a, b: (
            {"protocol": proto, "port": min(a, b)} | ({"endPort": max(a, b)} if a != b else {})
        ),
        st.sampled_from(["TCP", "TCP", "UDP"]),
        st.sampled_from(PORTS),
        st.sampled_from(PORTS),
    ),
)
item = st.fixed_dictionaries(
    {"direction": st.sampled_from(["ingress", "ingress", "ingress", "egress"])},
    optional={"peers": st.lists(peer, max_size=3), "ports": st.lists(port, max_size=2)},
)
isolated = st.lists(st.sampled_from(["ingress", "egress"]), min_size=1, max_size=2, unique=True)
rules = st.fixed_dictionaries(
    {"namespaces": st.just([OWN]), "deny": st.lists(item, max_size=3)},
    optional={"allow": st.lists(item, max_size=3), "isolate": isolated},
)


def traffic(**fields: Any) -> list[dict[str, Any]]:
    return [{"direction": "ingress", **fields}]


@settings(max_examples=400, deadline=None)
@given(rules)
@example({"namespaces": [OWN], "deny": traffic(peers=[{"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}])})
@example({"namespaces": [OWN], "deny": traffic(peers=[{"podSelector": {"matchExpressions": EXISTS_BUT_A}}])})
@example({"namespaces": [OWN], "allow": traffic(peers=[{"podSelector": {}}]), "deny": traffic()})
def test_a_policy_allows_exactly_allow_minus_deny(spec: dict[str, Any]) -> None:
    result = compiled(ours("FederatedNetworkRule", "rule", spec))
    assume("FW1414" not in codes(result))
    assert set(codes(result)) <= {"FW1415"}
    [policy] = bodies(result)
    for direction in ("ingress", "egress"):
        for packet in PACKETS:
            assert policy_allows(policy, direction, packet) == rule_allows(spec, direction, packet), packet


# --- single cases


def policy(spec: dict[str, Any]) -> dict[str, Any]:
    result = compiled(ours("FederatedNetworkRule", "rule", {"namespaces": [OWN], **spec}))
    return dict(bodies(result)[0]["spec"])


def test_each_namespace_gets_a_policy_of_the_rules_name() -> None:
    result = compiled(ours("FederatedNetworkRule", "rule", {"namespaces": ["shop", "bank"]}))
    assert [str(item.ref) for item in result.desired.objects] == [
        "NetworkPolicy.networking.k8s.io bank/rule",
        "NetworkPolicy.networking.k8s.io shop/rule",
    ]


def test_nothing_but_a_selector_isolates_both_directions() -> None:
    assert policy({"podSelector": {"matchLabels": {"app": "a"}}}) == {
        "podSelector": {"matchLabels": {"app": "a"}},
        "policyTypes": ["Ingress", "Egress"],
    }


def test_isolate_adds_to_the_directions_that_occur() -> None:
    spec = policy({"allow": [{"direction": "egress"}], "isolate": ["ingress"]})
    assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": [{}]}


def test_peers_that_select_nothing_never_become_anyone() -> None:
    nobody = {
        "matchExpressions": [{"key": "a", "operator": "Exists"}, {"key": "a", "operator": "DoesNotExist"}]
    }
    spec = policy({"allow": [{"direction": "ingress", "peers": [{"podSelector": nobody}]}]})
    assert spec["ingress"] == []
    assert spec["policyTypes"] == ["Ingress"]


def test_denied_labels_are_complemented() -> None:
    denied = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "a", "tier": "b"}}}
    allow = [{"direction": "ingress", "peers": [{"namespaceSelector": {}}]}]
    spec = policy({"allow": allow, "deny": [{"direction": "ingress", "peers": [denied]}]})
    peers = [
        {
            "namespaceSelector": {},
            "podSelector": {"matchExpressions": [{"key": key, "operator": "NotIn", "values": [value]}]},
        }
        for key, value in (("app", "a"), ("tier", "b"))
    ]
    assert spec["ingress"] == [{"from": peers}]


def test_denied_addresses_become_exceptions_inside_their_block() -> None:
    allow = [{"direction": "egress", "peers": [{"cidr": "10.0.0.0/8"}, {"cidr": "192.0.2.0/24"}]}]
    denied = [{"cidr": "10.1.2.0/24"}, {"cidr": "10.1.0.0/16"}, {"cidr": "192.0.0.0/8"}]
    spec = policy({"allow": allow, "deny": [{"direction": "egress", "peers": denied}]})
    assert spec["egress"] == [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}]


def test_denied_ports_leave_ranges() -> None:
    spec = policy({"deny": [{"direction": "egress", "ports": [{"port": 22}, {"protocol": "UDP"}]}]})
    left = [
        {"protocol": "SCTP"},
        {"protocol": "TCP", "port": 1, "endPort": 21},
        {"protocol": "TCP", "port": 23, "endPort": 65535},
    ]
    assert spec["egress"] == [{"ports": left}]


@pytest.mark.parametrize(
    ("spec", "code", "rule"),
    [
        ({"deny": traffic(ports=[{"port": "http"}])}, "FW1411", "schema:/spec/deny/0/ports"),
        (
            {"allow": traffic(ports=[{"port": "http"}]), "deny": traffic(ports=[{"port": 80}])},
            "FW1411",
            "schema:/spec/deny/0/ports",
        ),
        ({"allow": traffic(peers=[{"podSelector": {}}, {}])}, "FW1412", "schema:/spec/allow/0/peers/1"),
        ({"allow": traffic(peers=[{"cidr": "10.0.0.1/8"}])}, "FW1412", "schema:/spec/allow/0/peers/0"),
        (
            {"allow": traffic(peers=[{"cidr": "::/0", "podSelector": {}}])},
            "FW1412",
            "schema:/spec/allow/0/peers/0",
        ),
        ({"allow": traffic(ports=[{"port": 90, "endPort": 80}])}, "FW1413", "schema:/spec/allow/0/ports"),
    ],
)
def test_what_cannot_be_said_is_a_finding_with_its_place(spec: dict[str, Any], code: str, rule: str) -> None:
    result = compiled(ours("FederatedNetworkRule", "rule", {"namespaces": [OWN], **spec}))
    assert [(finding.code, finding.rule) for finding in result.findings] == [(code, rule)]
    assert result.desired.objects == ()


def test_a_named_port_may_be_allowed_and_its_whole_protocol_denied() -> None:
    named = [{"protocol": "TCP", "port": "http"}, {"protocol": "UDP", "port": "dns"}]
    spec = policy({"allow": traffic(ports=named), "deny": traffic(ports=[{"protocol": "TCP"}])})
    assert spec["ingress"] == [{"ports": [{"protocol": "UDP", "port": "dns"}]}]


def test_a_rule_that_explodes_is_refused() -> None:
    every = {"matchLabels": {f"k{n}": "v" for n in range(10)}}
    denied = [
        {"podSelector": {"matchLabels": {f"{key}-{n}": "v" for key in every["matchLabels"]}}}
        for n in range(5)
    ]
    result = compiled(ours("FederatedNetworkRule", "r", {"namespaces": [OWN], "deny": traffic(peers=denied)}))
    assert codes(result) == ["FW1414"]


def test_a_deny_by_label_beside_addresses_is_a_warning() -> None:
    pods = [{"podSelector": {"matchLabels": {"app": "a"}}}]
    leaky = {"namespaces": [OWN], "deny": traffic(peers=pods)}
    result = compiled(ours("FederatedNetworkRule", "r", leaky))
    assert [(f.code, f.severity.value) for f in result.findings] == [("FW1415", "warning")]
    tight = {"namespaces": [OWN], "deny": traffic(peers=[*pods, {"cidr": "10.0.0.0/8"}])}
    assert codes(compiled(ours("FederatedNetworkRule", "r", tight))) == []
