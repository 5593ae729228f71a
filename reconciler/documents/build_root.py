"""A Federation's spec that has passed its schema -> the typed trust root. Nothing here can fail.

>>> spec = {"signers": [{"name": "alice", "keys": ["ssh-ed25519 AAAA alice@laptop"]}]}
>>> build_root(spec).signers[0].keys
(TrustedKey(text='ssh-ed25519 AAAA', valid_after=None, valid_before=None),)
>>> build_root(spec).digest == build_root({**spec, "limits": {}}).digest
True
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson

from reconciler.documents.durations import parse_duration
from reconciler.documents.formats import parse_time
from reconciler.documents.trust_root import (
    ROOT_FIELDS,
    Authority,
    Heartbeat,
    Need,
    PathRule,
    Principal,
    TrustedKey,
    TrustedSigner,
    TrustRoot,
    WitnessKey,
)

Fields = dict[str, Any]


def build_root(spec: Fields) -> TrustRoot:
    """The trust root of ``Federation.spec``."""
    trust, log = spec.get("trust", {}), spec.get("log", {})
    return TrustRoot(
        signers=tuple(_signer(item) for item in spec["signers"]),
        authorities=tuple(_authority(item) for item in spec.get("authorities", ())),
        rules=tuple(_rule(item) for item in spec.get("approvals", ())),
        version=trust.get("version", 1),
        threshold=trust.get("threshold", 1),
        role=trust.get("role", ""),
        heartbeat=_heartbeat(trust["heartbeat"]) if "heartbeat" in trust else None,
        witnesses=tuple(WitnessKey(item["key"], item["url"]) for item in log.get("witnesses", ())),
        quorum=log.get("quorum", 0),
        auto_approve=spec.get("joining", {}).get("autoApprove", False),
        digest=root_digest(spec),
    )


def root_digest(spec: Fields) -> str:
    """ "sha256:<hex>" of the root's fields as written; what is written out may equal a default."""
    root = {name: spec[name] for name in ROOT_FIELDS if name in spec}
    return "sha256:" + sha256(orjson.dumps(root, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _signer(item: Fields) -> TrustedSigner:
    return TrustedSigner(
        name=item["name"],
        keys=tuple(_key(key, ssh_key) for key in item.get("keys", ())),
        openpgp=tuple(_key(key, str) for key in item.get("openpgp", ())),
        principals=tuple(map(principal, item.get("principals", ()))),
        roles=tuple(item.get("roles", ())),
        valid_after=_time(item, "validAfter"),
        valid_before=_time(item, "validBefore"),
    )


def _key(item: str | Fields, text: Callable[[str], str]) -> TrustedKey:
    if isinstance(item, str):
        return TrustedKey(text(item))
    return TrustedKey(text(item["key"]), _time(item, "validAfter"), _time(item, "validBefore"))


def principal(item: str | Fields) -> Principal:
    """A principal as it is written: a name, or a name and its authority."""
    return Principal(item) if isinstance(item, str) else Principal(item["name"], item["authority"])


def ssh_key(line: str) -> str:
    """The key of a .pub line, which may end in a comment that is no part of it."""
    return " ".join(line.split()[:2])


def _authority(item: Fields) -> Authority:
    return Authority(
        name=item["name"],
        ssh=ssh_key(item.get("ssh", "")),
        krl=item.get("krl", ""),
        x509=item.get("x509", ""),
        crl=item.get("crl", ""),
        revocable=item.get("revocation", "required") == "required",
    )


def _rule(item: Fields) -> PathRule:
    needs = tuple(Need(need["count"], need.get("role", "")) for need in item["needs"])
    return PathRule(tuple(item["paths"]), needs)


def _heartbeat(item: Fields) -> Heartbeat:
    return Heartbeat(parse_duration(item["maxAge"]), item.get("role", ""))


def _time(item: Fields, name: str) -> datetime | None:
    return parse_time(item[name]) if name in item else None
