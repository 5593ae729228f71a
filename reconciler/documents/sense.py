"""What a JSON Schema cannot say of one document: fields that must fit each other.

Only for documents that have passed their schema, so every shape is known.

>>> [message for _, _, message in _network({"allow": [{"ports": [{"port": 90, "endPort": 80}]}]})]
['spec.allow[0].ports[0].endPort is lower than port']
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator

from reconciler.documents.sense_root import Contradiction, root_contradictions
from reconciler.documents.spot import Spot, path_text
from reconciler.model import Finding, Json


def sense_findings(kind: str, spec: dict[str, Json], spot: Spot) -> Iterator[Finding]:
    """The findings of one document of our own kinds."""
    check = _CHECKS.get(kind)
    for code, pointer, message in check(spec) if check else ():
        yield spot.finding(code, pointer, message)


def _network(spec: dict[str, Json]) -> Iterator[Contradiction]:
    for section in ("allow", "deny"):
        for index, traffic in enumerate(spec.get(section, ())):
            base: list[str | int] = ["spec", section, index]
            for at, port in enumerate(traffic.get("ports", ())):
                if "endPort" in port and port["endPort"] < port["port"]:
                    pointer = [*base, "ports", at, "endPort"]
                    yield "FW1325", pointer, f"{path_text(pointer)} is lower than port"
            for at, peer in enumerate(traffic.get("peers", ())):
                yield from _excepted(peer, [*base, "peers", at, "except"])


def _excepted(peer: dict[str, Json], base: list[str | int]) -> Iterator[Contradiction]:
    if "except" not in peer:
        return
    whole = ipaddress.ip_network(peer["cidr"])
    for at, text in enumerate(peer["except"]):
        part = ipaddress.ip_network(text)
        if part == whole or part.version != whole.version or not part.subnet_of(whole):  # type: ignore[arg-type]
            yield "FW1325", [*base, at], f"{path_text([*base, at])} is not strictly inside cidr"


def _federation(spec: dict[str, Json]) -> Iterator[Contradiction]:
    yield from root_contradictions(spec)
    if "clusterProfiles" in spec and "primary" not in spec:
        pointer: list[str | int] = ["spec", "clusterProfiles"]
        yield "FW1325", pointer, f"{path_text(pointer)} needs spec.primary: the cluster that they are put on"


def _cluster(spec: dict[str, Json]) -> Iterator[Contradiction]:
    for name in ("credentials", "viewerCredentials"):
        yield from _plugin(spec.get(name, {}).get("exec", {}), name)


def _plugin(plugin: dict[str, Json], name: str) -> Iterator[Contradiction]:
    for index, word in enumerate(plugin.get("args", ())):
        if "insecure" in word.casefold():
            pointer: list[str | int] = ["spec", name, "exec", "args", index]
            yield "FW1344", pointer, f"{path_text(pointer)}: TLS verification cannot be skipped"


_CHECKS: dict[str, Callable[[dict[str, Json]], Iterator[Contradiction]]] = {
    "FederatedNetworkRule": _network,
    "Federation": _federation,
    "Cluster": _cluster,
}
