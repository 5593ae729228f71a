"""Registrations as a table, as text, and as JSON values; and a change of one as a diff.

"-" is none or never; "?" is unknown: no log is read here, or the member was never seen from here.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from reconciler.documents import Credentials
from reconciler.member.endpoints import EndpointHealth
from reconciler.pipeline.states import MemberState, Standing
from reconciler.surfaces.formats import findings
from reconciler.surfaces.formats.ages import age
from reconciler.surfaces.formats.columns import padded, row_text
from reconciler.surfaces.formats.findings import Paint, plain
from reconciler.surfaces.formats.safe import safe
from reconciler.surfaces.registrations import Detail, Registered, Stranger

HEADER = (
    "NAME", "STATE", "AGE", "MODE", "VERSION", "CREDENTIALS", "APPLIED", "CONTACT", "API SERVERS", "LABELS",
)  # fmt: skip
_S = MemberState
_PAINTED: dict[str, str] = {
    **dict.fromkeys((_S.SYNCED,), "good"), **dict.fromkeys((_S.SUSPENDED, _S.PENDING, _S.JOINED), "warning"),
    **dict.fromkeys((_S.OUT_OF_SYNC, _S.UNREACHABLE, _S.FAILING, _S.VERSION_MISMATCH), "error"),
}  # fmt: skip
_DIFF = {"+": "create", "-": "delete", "@": "dim"}


def table(
    found: Sequence[Registered], now: datetime, paint: Paint = plain, strangers: Sequence[Stranger] = ()
) -> str:
    """One row a registration, one a cluster outside of the fleet; then the reasons of states."""
    rows = [HEADER, *(_row(one, now) for one in found), *(_stranger(one, now) for one in strangers)]
    lines = []
    for row, cells in zip(rows, padded(rows), strict=True):
        if row[1] in _PAINTED:
            cells[1] = paint(cells[1], _PAINTED[row[1]])
        lines.append(row_text(cells))
    lines += [f"{paint(safe(name), 'heading')}: {said}" for name, said in _reasons(found, strangers)]
    return "\n".join(lines) + "\n"


def _row(one: Registered, now: datetime) -> tuple[str, ...]:
    cluster = one.cluster
    more = len(cluster.api_servers) - 1
    return (
        safe(cluster.name),
        *_standing(one.standing, now),
        cluster.mode,
        cluster.kubernetes_version,
        cluster.credentials.method,
        _applied(one),
        age(one.contact.seen, now) if one.contact.seen else "-",
        safe(cluster.api_servers[0]) + (f" +{more}" if more else ""),
        safe(labels(cluster.labels)) or "-",
    )


def _standing(found: Standing | None, now: datetime) -> tuple[str, str]:
    if found is None:
        return "?", "-"
    return found.state.value, age(found.since, now) if found.since else "-"


def _stranger(one: Stranger, now: datetime) -> tuple[str, ...]:
    return (safe(one.name), *_standing(one.standing, now), *("-" for _ in HEADER[3:]))


def _reasons(found: Sequence[Registered], strangers: Sequence[Stranger]) -> Iterator[tuple[str, str]]:
    for registered in found:
        if registered.standing and registered.standing.reason:
            yield registered.cluster.name, safe(registered.standing.reason)
    for one in strangers:
        uid = f" (uid {safe(one.proposed.uid)})" if one.proposed and one.proposed.uid else ""
        if one.standing.reason or uid:
            yield one.name, safe(one.standing.reason) + uid


def _applied(one: Registered) -> str:
    if one.logged is None:
        return "?"
    return one.logged.applied.commit[:12] if one.logged.applied else "-"


def labels(held: Any) -> str:
    """ "a=b,c=d" in the order of the keys, as kubectl shows them."""
    return ",".join(f"{key}={value}" for key, value in sorted(held.items()))


def as_dict(one: Registered) -> dict[str, Any]:
    """The JSON form; its fields only grow. ``applied`` is left out where no log is read, null for never."""
    cluster, contact = one.cluster, one.contact
    facts: dict[str, Any] = {
        "name": cluster.name,
        "registered": True,
        "path": cluster.source.path,
        "labels": dict(sorted(cluster.labels.items())),
        "mode": cluster.mode,
        "suspended": cluster.suspend,
        "apiServers": list(cluster.api_servers),
        "credentials": _credentials(cluster.credentials),
        "kubernetesVersion": cluster.kubernetes_version,
        "intervalSeconds": cluster.interval.total_seconds(),
        "username": cluster.username,
        "contact": {"seen": _time(contact.seen), "version": contact.version, "error": contact.error,
                    "failures": contact.failures},
    }  # fmt: skip
    facts |= standing_dict(one.standing)
    if one.contact.endpoints:
        facts["endpoints"] = [_endpoint(url, one) for url in cluster.api_servers]
    if one.reason:
        facts["suspendReason"] = one.reason
    if cluster.tls_server_name:
        facts["tlsServerName"] = cluster.tls_server_name
    if one.logged is not None:
        last = one.logged.applied
        facts["applied"] = {"commit": last.commit, "time": _time(last.time)} if last else None
    return facts


def standing_dict(found: Standing | None) -> dict[str, Any]:
    """``state`` null: nothing is known; ``since`` null: not since when."""
    if found is None:
        return {"state": None, "since": None, "reason": "", "code": ""}
    return {
        "state": found.state.value, "since": _time(found.since), "reason": found.reason, "code": found.code,
    }  # fmt: skip


def stranger_dict(one: Stranger) -> dict[str, Any]:
    """The JSON form of a cluster outside of the fleet: ``registered`` false, which members do not say."""
    facts = {"name": one.name, "registered": False} | standing_dict(one.standing)
    return facts | ({"uid": one.proposed.uid, "branch": one.proposed.branch} if one.proposed else {})


def endpoint_of(url: str, one: Registered) -> EndpointHealth:
    """What is remembered of a URL."""
    known = {health.url: health for health in one.contact.endpoints}
    return known.get(url.rstrip("/"), EndpointHealth(url))


def _endpoint(url: str, one: Registered) -> dict[str, Any]:
    known = endpoint_of(url, one)
    return {
        "url": url, "healthy": known.healthy if known.since else None, "since": _time(known.since),
        "code": known.code, "answered": _time(known.answered), "failed": _time(known.failed),
        "failures": known.failures,
    }  # fmt: skip


def _time(time: datetime | None) -> str | None:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}" if time else None


def _credentials(how: Credentials) -> dict[str, Any]:
    """Where they are. Of environment variables of a plugin, the names."""
    facts = {
        "path": how.path,
        "context": how.context,
        "secret": f"{how.secret_namespace}/{how.secret_name}" if how.secret_name else "",
        "certFile": how.cert_file,
        "keyFile": how.key_file,
        "command": list(how.argv),
        "environment": [name for name, _ in how.env],
    }
    return {"method": how.method} | {name: value for name, value in facts.items() if value}


def detail_dict(found: Detail) -> dict[str, Any]:
    """The JSON form of everything about one; it has the fields of ``as_dict`` and more."""
    facts = as_dict(found.registered) | {
        "commit": found.commit,
        "annotations": found.registered.annotations,
        "caBundle": found.registered.cluster.ca_bundle,
        "objects": found.objects,
        "kinds": dict(found.kinds),
        "documents": [
            {
                "document": one.document.subject,
                "path": one.document.source.path,
                "line": one.document.source.line,
                "objects": one.objects,
                "overrides": one.overrides,
            }
            for one in found.placed
        ],
        "findings": [findings.as_dict(one) for one in findings.sort_findings(found.findings)],
    }
    if found.registered.logged is not None:
        facts["log"] = _logged(found)
    return facts


def _logged(found: Detail) -> dict[str, Any]:
    state = found.registered.logged
    assert state is not None  # noqa: S101  the caller asked
    last, drift, refused = state.outcome, state.drift, state.refused
    return {
        "accepted": found.accepted,
        "openIntents": [intent.index for intent in state.pending],
        "outcome": last and {"index": last.index, "result": last.result.value, "error": last.error,
                             "time": _time(last.time)},
        "drift": drift and {"index": drift.index, "objects": drift.count, "time": _time(drift.time)},
        "refused": refused and {"index": refused.index, "commit": refused.commit, "findings": refused.count,
                                "summary": refused.summary, "time": _time(refused.time)},
    }  # fmt: skip


def diff(path: str, old: bytes, new: bytes | None, paint: Paint = plain) -> str:
    """A unified diff, harmless on a terminal; "" where nothing differs."""
    before, after = (_lines(text) for text in (old, new or b""))
    to = f"b/{path}" if new is not None else "/dev/null"
    return "".join(_painted(difflib.unified_diff(before, after, f"a/{path}", to, lineterm=""), paint))


def _lines(text: bytes) -> list[str]:
    lines = text.decode("utf-8", "replace").split("\n")
    return lines if lines[-1] else lines[:-1]


def _painted(lines: Iterator[str], paint: Paint) -> Iterator[str]:
    for at, line in enumerate(lines):
        style = "heading" if at < 2 else _DIFF.get(line[:1], "")
        yield f"{paint(safe(line), style) if style else safe(line)}\n"
