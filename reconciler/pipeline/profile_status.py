"""What is said of a member in the status of its ClusterProfile. Pure.

Rules kept here
- It is what the registration, the last contact and the log say; no member is asked for it.
- ``Joined`` (KEP-4322: under management by its manager) is False while the member is suspended or was never
  reached. ``ControlPlaneHealthy`` is Unknown, never False, where the API server was not seen to answer: from
  here that cannot be told from a broken network.
- Where to reach it is said, and how to log in never is. Of an error only its code and the code's meaning are
  said: messages may name what is no business of who reads profiles.
- A condition keeps its time while its status does. A status that says nothing new is not due, but for the
  times of observation once an hour.

>>> facts = Facts(("https://a:6443",), "", "", suspended=False, mode="enforce")
>>> made = status_of(facts, {}, datetime(2026, 1, 1, tzinfo=UTC))
>>> [(one["type"], one["status"]) for one in made["conditions"]]
[('ControlPlaneHealthy', 'Unknown'), ('Joined', 'False')]
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.compile.profile_crd import MANAGER
from reconciler.member.errors import CODES
from reconciler.model import Json

CLUSTER_UID = "fleetward.io/cluster-uid"  # a property: the uid of the cluster's namespace kube-system
REFRESH = timedelta(hours=1)
_CODE = re.compile(r"FW[0-9]{4}")
_TRUE, _FALSE, _UNKNOWN = "True", "False", "Unknown"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one member; "" and None for what is not."""

    servers: tuple[str, ...]
    ca_bundle: str
    server_name: str
    suspended: bool
    mode: str
    uid: str = ""
    version: str = ""
    seen: datetime | None = None  # when it answered last
    error: str = ""  # why it does not now


def status_of(facts: Facts, live: Mapping[str, Json], now: datetime) -> dict[str, Json]:
    """The status to apply; ``live`` is the one that is there."""
    held = {str(one.get("type")): one for one in _items(live, "conditions")}
    conditions = [
        _condition(held.get(kind), kind, status, reason, message, now)
        for kind, status, reason, message in (_healthy(facts), _joined(facts))
    ]
    status: dict[str, Json] = {"conditions": conditions, "accessProviders": [_access(facts)]}
    if version := facts.version or _version(live):
        status["version"] = {"kubernetes": version}
    if known := _property(facts, live):
        status["properties"] = [known]
    return status


def due(status: Mapping[str, Json], live: Mapping[str, Json]) -> bool:
    """Whether ``live`` lacks something of ``status``, or its times are old."""
    if _version(status) != _version(live):
        return True
    pairs = (("conditions", "type"), ("accessProviders", "name"), ("properties", "name"))
    for field, key in pairs:
        held = {one.get(key): one for one in _items(live, field)}
        if any(_differs(one, held.get(one[key])) for one in _items(status, field)):
            return True
    return False


def _differs(new: Mapping[str, Json], old: Mapping[str, Json] | None) -> bool:
    if old is None:
        return True
    times = [_time(one.get("lastObservedTime")) for one in (new, old)]
    if times[0] and (times[1] is None or times[0] - times[1] >= REFRESH):
        return True
    return any(old.get(name) != value for name, value in new.items() if name != "lastObservedTime")


def _healthy(facts: Facts) -> tuple[str, str, str, str]:
    kind = "ControlPlaneHealthy"
    if facts.suspended:
        return kind, _UNKNOWN, "Suspended", "The registration is suspended: nobody looks."
    if facts.error:
        return kind, _UNKNOWN, "NoGoodAnswer", _meaning(facts.error)
    if facts.seen is None:
        return kind, _UNKNOWN, "NeverSeen", "It has not been reached yet."
    return kind, _TRUE, "APIServerAnswers", "The API server answered when fleetward looked last."


def _joined(facts: Facts) -> tuple[str, str, str, str]:
    if facts.suspended:
        return "Joined", _FALSE, "Suspended", "The registration is suspended: neither planned nor written."
    if facts.seen is None:
        return "Joined", _FALSE, "Pending", "It is registered, and has not been reached yet."
    if facts.mode == "observe":
        return "Joined", _TRUE, "Observed", "It is planned for, and never written."
    return "Joined", _TRUE, "Managed", "It is brought to its desired state."


def _meaning(error: str) -> str:
    found = _CODE.match(error)
    code = found[0] if found else ""
    return f"{code}: {CODES[code][0]}" if code in CODES else code or "It did not answer."


def _condition(
    old: Mapping[str, Json] | None, kind: str, status: str, reason: str, message: str, now: datetime
) -> dict[str, Json]:
    kept = old is not None and old.get("status") == status and _time(old.get("lastTransitionTime"))
    since = old["lastTransitionTime"] if old is not None and kept else _text(now)
    return {
        "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since,
    }  # fmt: skip


def _access(facts: Facts) -> dict[str, Json]:
    """KEP-5339: the name is that of the plugin which a consumer chooses to log in with."""
    cluster: dict[str, Json] = {"server": facts.servers[0]}
    if facts.ca_bundle:
        cluster["certificate-authority-data"] = base64.b64encode(facts.ca_bundle.encode()).decode()
    if facts.server_name:
        cluster["tls-server-name"] = facts.server_name
    return {"name": MANAGER, "cluster": cluster}


def _property(facts: Facts, live: Mapping[str, Json]) -> dict[str, Json]:
    old = next((one for one in _items(live, "properties") if one.get("name") == CLUSTER_UID), {})
    if not facts.uid:  # what was known once holds until something else is known
        return {key: old[key] for key in ("name", "value", "lastObservedTime") if key in old}
    observed = {"lastObservedTime": _text(facts.seen)} if facts.seen else {}
    return {"name": CLUSTER_UID, "value": facts.uid, **observed}


def _version(status: Mapping[str, Json]) -> str:
    version = status.get("version")
    return str(version.get("kubernetes") or "") if isinstance(version, dict) else ""


def _items(status: Mapping[str, Json], name: str) -> list[dict[str, Any]]:
    found = status.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(text: Any) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except (TypeError, ValueError):
        return None
