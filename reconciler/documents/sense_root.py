"""What a JSON Schema cannot say of a trust root: that it can be used, and that nobody is in it twice.

A root that nobody can change any more, or a rule that nobody can satisfy, is found here and not when it
is too late to mend it.

>>> spec = {"signers": [{"name": "a", "keys": ["ssh-ed25519 AAAA"]}], "trust": {"threshold": 2}}
>>> [message for _, _, message in root_contradictions(spec)]
['spec.trust asks for 2 of the signers, and there is 1']
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from reconciler.documents.build_root import build_root, principal, ssh_key
from reconciler.documents.spot import path_text
from reconciler.documents.trust_root import ENROLLER, FORGE, Need, TrustRoot
from reconciler.model import Json

Contradiction = tuple[str, list[str | int], str]  # code, JSON path, message
_CODE = "FW1325"


def root_contradictions(spec: dict[str, Json]) -> Iterator[Contradiction]:
    """Everything in the root that contradicts itself."""
    root = build_root(spec)
    yield from _repeated(spec)
    yield from _signers(spec)
    yield from _authorities(spec)
    yield from _satisfiable(root)
    if root.quorum > len(root.witnesses):
        at: list[str | int] = ["spec", "log", "quorum"]
        yield _CODE, at, f"{path_text(at)} is {root.quorum}, and there are {len(root.witnesses)} witnesses"


def _repeated(spec: dict[str, Json]) -> Iterator[Contradiction]:
    signers = spec["signers"]
    names = Counter(signer["name"] for signer in signers)
    keys = Counter(_text(key) for signer in signers for key in signer.get("keys", ()))
    principals = Counter(principal(item) for signer in signers for item in signer.get("principals", ()))
    for index, signer in enumerate(signers):
        at: list[str | int] = ["spec", "signers", index]
        if names[signer["name"]] > 1:
            yield _CODE, [*at, "name"], "two signers have the same name"
        for place, key in enumerate(signer.get("keys", ())):
            if keys[_text(key)] > 1:
                yield _CODE, [*at, "keys", place], "a key is given twice"
        for place, item in enumerate(signer.get("principals", ())):
            if principals[principal(item)] > 1:
                yield _CODE, [*at, "principals", place], "a principal is given to two signers"


def _text(key: Json) -> str:
    return ssh_key(key if isinstance(key, str) else key["key"])


def _signers(spec: dict[str, Json]) -> Iterator[Contradiction]:
    for index, signer in enumerate(spec["signers"]):
        at: list[str | int] = ["spec", "signers", index]
        if not signer.keys() & {"keys", "openpgp", "principals"}:
            yield _CODE, at, f"{path_text(at)} has neither keys nor openpgp nor principals"
        yield from _principals(spec, index)
        if FORGE in signer.get("roles", ()) and len(signer["roles"]) > 1:
            yield _CODE, [*at, "roles"], "a forge has no other role: it neither authors nor approves"
        if ENROLLER in signer.get("roles", ()) and len(signer["roles"]) > 1:
            yield _CODE, [*at, "roles"], "an enroller has no other role: it only adds clusters"
        dated = [
            signer,
            *(k for k in (*signer.get("keys", ()), *signer.get("openpgp", ())) if isinstance(k, dict)),
        ]
        for item in dated:
            if "validAfter" in item and item["validAfter"] >= item.get("validBefore", "9999"):
                yield _CODE, at, f"{path_text(at)}: validAfter is not before validBefore"


def _principals(spec: dict[str, Json], index: int) -> Iterator[Contradiction]:
    """With several authorities none of them may speak for the people of another."""
    known = [authority["name"] for authority in spec.get("authorities", ())]
    at: list[str | int] = ["spec", "signers", index, "principals"]
    names = [principal(item) for item in spec["signers"][index].get("principals", ())]
    if names and not known:
        yield _CODE, at, "principals need an authority that certifies them"
        return
    for place, name in enumerate(names):
        if name.authority and name.authority not in known:
            yield _CODE, [*at, place, "authority"], f"there is no authority {name.authority}"
        if not name.authority and len(known) > 1:
            message = (
                f"{path_text([*at, place])} has to say which authority may give it: there are {len(known)}"
            )
            yield _CODE, [*at, place], message


def _authorities(spec: dict[str, Json]) -> Iterator[Contradiction]:
    names = Counter(authority["name"] for authority in spec.get("authorities", ()))
    for index, authority in enumerate(spec.get("authorities", ())):
        at: list[str | int] = ["spec", "authorities", index]
        if names[authority["name"]] > 1:
            yield _CODE, [*at, "name"], "two authorities have the same name"
        if ("ssh" in authority) == ("x509" in authority):
            yield _CODE, at, f"{path_text(at)} needs either ssh or x509"
        if ("krl" in authority and "ssh" not in authority) or (
            "crl" in authority and "x509" not in authority
        ):
            yield _CODE, at, f"{path_text(at)}: krl belongs to ssh, crl to x509"
        if authority.get("revocation") != "none" and not authority.keys() & {"krl", "crl"}:
            yield _CODE, at, f"{path_text(at)} has no krl or crl; say `revocation: none` if there is none"


def _satisfiable(root: TrustRoot) -> Iterator[Contradiction]:
    places: list[tuple[list[str | int], Need]] = [(["spec", "trust"], Need(root.threshold, root.role))]
    for index, rule in enumerate(root.rules):
        places += [(["spec", "approvals", index, "needs", at], need) for at, need in enumerate(rule.needs)]
    for pointer, need in places:
        if (there := len(root.holding(need.role))) < need.count:
            yield _CODE, pointer, f"{path_text(pointer)} asks for {need}, and there is {there}"
    for index, rule in enumerate(root.rules):
        if (together := sum(need.count for need in rule.needs)) > len(root.holding("")):
            at: list[str | int] = ["spec", "approvals", index]
            yield _CODE, at, f"{path_text(at)} asks for {together} people, and there are fewer signers"
