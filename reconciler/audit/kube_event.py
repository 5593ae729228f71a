"""One line of a Kubernetes audit log: an Event of audit.k8s.io/v1 as far as a join needs it. Pure.

Rules: whatever a line holds, the answer is an event or a ``BadLine``, never an exception. An event keeps
what identifies a write and its author, and no contents. What a line says is the claim of whoever had the
file: text of it has to be escaped before it is shown.

>>> line = b'''{"apiVersion": "audit.k8s.io/v1", "kind": "Event", "auditID": "a1", "verb": "patch",
...   "stage": "ResponseComplete", "requestURI": "/api/v1/namespaces/shop/configmaps/a?dryRun=All",
...   "user": {"username": "ann"}, "responseStatus": {"code": 200}, "objectRef": {"resource": "configmaps",
...   "namespace": "shop", "name": "a"}, "requestReceivedTimestamp": "2026-01-01T00:00:00.000000Z",
...   "stageTimestamp": "2026-01-01T00:00:00.000000Z"}'''
>>> event = parse_line(line, Place("audit.log", 1))
>>> event.user, str(event.target), event.code, event.is_write
('ann', 'configmaps shop/a', 200, False)
>>> parse_line(b"[]", Place("audit.log", 2))
BadLine(place=Place(file='audit.log', line=2), reason='not a JSON object')
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import orjson

MAX_TEXT = 4096  # characters of one field; Kubernetes' own bounds are below
MAX_URI = 1 << 20  # characters; the API server takes no longer headers
API_VERSION, KIND = "audit.k8s.io/v1", "Event"
COMPLETE = "ResponseComplete"
WRITE_VERBS = frozenset({"create", "update", "patch", "delete", "deletecollection"})
# Questions that are asked by a POST and leave nothing behind.
REVIEW_GROUPS = frozenset({"authentication.k8s.io", "authorization.k8s.io"})


class Place(NamedTuple):
    """A line of a file; lines count from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no event, and why."""

    place: Place
    reason: str


class Target(NamedTuple):
    """What a request was about, as ``objectRef`` names it; ``name`` is "" for a collection."""

    group: str
    resource: str
    subresource: str
    namespace: str
    name: str

    def __str__(self) -> str:
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        resource += f"/{self.subresource}" if self.subresource else ""
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{resource} {place}".rstrip()


@dataclass(frozen=True, slots=True)
class KubeEvent:
    """One request and its answer. Two events are equal when they say the same, wherever they stand."""

    place: Place = field(compare=False)
    audit_id: str
    stage: str
    verb: str
    user: str  # who authenticated
    groups: tuple[str, ...]
    impersonated: str  # as whom, "" for nobody
    agent: str
    addresses: tuple[str, ...]
    target: Target
    kind: str  # of the object, where the audit level tells it
    time: datetime  # when the request arrived, UTC
    ended: datetime  # when this stage was reached, UTC
    code: int  # HTTP status, 0 for none
    dry_run: bool

    @property
    def is_write(self) -> bool:
        """An answered request that asked for a change of something that is stored."""
        if self.verb not in WRITE_VERBS or self.stage != COMPLETE or self.dry_run:
            return False
        return bool(self.target.resource) and self.target.group not in REVIEW_GROUPS

    @property
    def succeeded(self) -> bool:
        """The API server did what was asked."""
        return 200 <= self.code < 300

    @property
    def refused(self) -> bool:
        """It did not; of anything else (a 504, no code) nobody knows."""
        return 400 <= self.code < 500


def parse_line(line: bytes, place: Place) -> KubeEvent | BadLine:
    """The event of one line, or why it is none; never raises."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return BadLine(place, f"not JSON: {error}"[:200])
    if not isinstance(value, dict):
        return BadLine(place, "not a JSON object")
    if (value.get("apiVersion"), value.get("kind")) != (API_VERSION, KIND):
        return BadLine(place, f"not of apiVersion {API_VERSION}, kind {KIND}")
    try:
        return _event(value, place)
    except (ValueError, TypeError) as error:
        return BadLine(place, str(error)[:200])


def _event(value: dict[str, Any], place: Place) -> KubeEvent:
    user, answer = _part(value, "user"), _part(value, "responseStatus")
    impersonated = _part(value, "impersonatedUser")
    code = answer.get("code", 0)
    if type(code) is not int or not 0 <= code < 1000:
        raise ValueError("responseStatus.code is no HTTP status")
    return KubeEvent(
        place, _text(value, "auditID"), _text(value, "stage"), _text(value, "verb"), _text(user, "username"),
        _texts(user, "groups"), _text(impersonated, "username"), _clipped(value, "userAgent"),
        _texts(value, "sourceIPs"), _target(_part(value, "objectRef")), _kind(value),
        _time(value, "requestReceivedTimestamp"), _time(value, "stageTimestamp"), code, _dry_run(value),
    )  # fmt: skip


def _target(ref: dict[str, Any]) -> Target:
    target = Target(
        _text(ref, "apiGroup"), _text(ref, "resource"), _text(ref, "subresource"), _text(ref, "namespace"),
        _text(ref, "name"),
    )  # fmt: skip
    # The API server notes a Namespace as lying in itself.
    return target._replace(namespace="") if target[:2] == ("", "namespaces") else target


def _kind(value: dict[str, Any]) -> str:
    for key in ("requestObject", "responseObject"):
        body = value.get(key)
        kind = body.get("kind") if isinstance(body, dict) else None
        if isinstance(kind, str) and kind not in ("Status", "DeleteOptions") and len(kind) < 256:
            return kind
    return ""


def _dry_run(value: dict[str, Any]) -> bool:
    """By the query; for deletions by the body, and only where the audit level shows one.

    A deletion with a body is not read from its query at all, so ``?dryRun=All`` would hide a real one.
    """
    if _text(value, "verb") in ("delete", "deletecollection"):
        body = value.get("requestObject")
        asked = body.get("dryRun") if isinstance(body, dict) else None
        return isinstance(asked, list) and "All" in asked
    query = _text(value, "requestURI", MAX_URI).partition("?")[2]
    return "dryRun" in query and "All" in parse_qs(query, max_num_fields=1000).get("dryRun", ())


def _part(value: dict[str, Any], key: str) -> dict[str, Any]:
    part = value.get(key)
    if part is None:
        return {}
    if not isinstance(part, dict):
        raise TypeError(f"{key} is no object")
    return part


def _text(value: dict[str, Any], key: str, limit: int = MAX_TEXT) -> str:
    text = value.get(key, "")
    if not isinstance(text, str) or len(text) > limit:
        raise ValueError(f"{key} is no text of at most {limit} characters")
    return text


def _clipped(value: dict[str, Any], key: str) -> str:
    text = value.get(key, "")
    return text[:MAX_TEXT] if isinstance(text, str) else _text(value, key)


def _texts(value: dict[str, Any], key: str) -> tuple[str, ...]:
    texts = value.get(key) or []
    if not isinstance(texts, list) or not all(isinstance(t, str) and len(t) <= MAX_TEXT for t in texts):
        raise ValueError(f"{key} is no list of texts")
    return tuple(texts)


def _time(value: dict[str, Any], key: str) -> datetime:
    try:
        moment = datetime.fromisoformat(_text(value, key))
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{key} is no RFC 3339 time")
