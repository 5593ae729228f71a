"""What ``fleetward verify`` found, as text and JSON (docs/verify.md describes both).

Text groups objects below the change set that made them: what they have in common is said once. Ids are cut to
twelve digits; JSON has all of everything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from reconciler.model import ObjectRef
from reconciler.pipeline.chain import Inclusion, Link
from reconciler.pipeline.explanation import Compared, Explained, Explanation
from reconciler.pipeline.origins import Origin
from reconciler.surfaces.formats import findings
from reconciler.surfaces.formats.findings import Paint, plain
from reconciler.surfaces.formats.safe import safe
from reconciler.surfaces.formats.words import counted

_MOST = 40  # objects of one change set that the text names
_COMMITS = 10  # commits of one range
_WAYS = {
    Compared.VERSION: "not written since: uid and resourceVersion as in the signed record",
    Compared.CONTENT: "every applied field compared",
}


def text(found: Explanation, paint: Paint = plain) -> str:
    """The record, then each change set with its steps and objects, then what is not explained."""
    lines = [*_head(found, paint)]
    made: dict[str, list[Explained]] = defaultdict(list)
    for item in found.objects:
        made[item.change_set].append(item)
    for link in found.links:
        lines += ["", *_link(link, found.origins[link.digest], paint), *_objects(made[link.digest], paint)]
    for ref in found.leaving:
        lines += ["", f"{safe(str(ref))} is being deleted, as a change set says"]
    if found.findings:
        lines += ["", paint("not explained", "error")]
    return "\n".join(lines) + "\n" + findings.text(found.findings, paint) + _verdict(found, paint) + "\n"


def _head(found: Explanation, paint: Paint) -> Iterator[str]:
    record = found.record
    yield f"{paint(safe(found.cluster), 'heading')}  cluster {safe(found.cluster_uid)}"
    yield (
        f"  record      change set {record.sequence} {_short(record.change_set)}, "
        f"{counted(len(record.objects), 'object')}, signature holds"
    )
    yield (
        f"  log         {safe(found.log_origin)}, {found.log_size} entries, root {found.log_root.hex()[:12]}"
        ", signature holds"
    )


def _link(link: Link, origin: Origin, paint: Paint) -> Iterator[str]:
    said = link.change_set
    yield f"{paint(f'change set {said.sequence}', 'heading')} {_short(link.digest)}  {said.created}"
    yield f"  signed      by the log's key {_short(link.key_id)}, for this cluster"
    entry = f"accepted in entry {origin.index}" + (
        f" after {origin.previous[:12]}" if origin.previous else ", named by a person as the first"
    )
    yield f"  commit      {origin.commit[:12]} {entry}; {_proven(origin.inclusion)}"
    for one in origin.signed[-_COMMITS:]:
        approved = f", approved by {', '.join(map(safe, one.approvers))}" if one.approvers else ""
        who = f"{paint(safe(one.signer), 'good')} {safe(one.fingerprint)}{approved}"
        yield f"  signer      {who}  {one.commit[:12]} {safe(one.subject)}"
    if len(origin.signed) > _COMMITS:
        yield f"              and {counted(len(origin.signed) - _COMMITS, 'commit')} before, all signed"
    if origin.gate_rules:
        yield f"  gate        content: {counted(origin.gate_rules, 'rule')} of {_short(origin.gate_digest)}"
    rules = counted(said.gate_rules, "rule")
    yield f"  gate        changes: allowed by {rules} of {_short(said.gate_digest)}"
    outcome = f"outcome in entry {link.outcome}: {link.result}" if link.outcome is not None else "no outcome"
    yield f"  log         intent in entry {link.inclusion.index}; {_proven(link.inclusion)}; {outcome}"


def _proven(inclusion: Inclusion) -> str:
    return f"inclusion proof holds ({inclusion.size} entries, {counted(inclusion.hashes, 'step')})"


def _objects(items: list[Explained], paint: Paint) -> Iterator[str]:
    for item in items[:_MOST]:
        yield f"  {paint('ok', 'good')}          {safe(str(item.ref))}  {safe(item.source)}"
        later = "" if item.recorded else "; newer than the record"
        yield f"              {_WAYS[item.compared]}; compiled again from {item.compiled_from[:12]}{later}"
    if len(items) > _MOST:
        yield f"              and {counted(len(items) - _MOST, 'object')} more (--output json has all)"


def _verdict(found: Explanation, paint: Paint) -> str:
    explained = counted(len(found.objects), "object")
    if found.ok:
        return f"{paint('explained', 'good')}: {explained}"
    return (
        f"{paint('not all explained', 'error')}: {explained} are, {counted(len(found.findings), 'finding')}"
    )


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def as_dict(found: Explanation) -> dict[str, Any]:
    """The JSON form; its fields only grow."""
    record = found.record
    return {
        "cluster": found.cluster,
        "clusterUid": found.cluster_uid,
        "ok": found.ok,
        "log": {"origin": found.log_origin, "size": found.log_size, "root": found.log_root.hex()},
        "record": {
            "changeSet": record.change_set,
            "commit": record.commit,
            "logIndex": record.log_index,
            "objects": len(record.objects),
            "sequence": record.sequence,
        },
        "changeSets": [_link_dict(link, found.origins[link.digest]) for link in found.links],
        "objects": [_object_dict(item) for item in found.objects],
        "leaving": [_ref_dict(ref) for ref in found.leaving],
        "findings": [findings.as_dict(finding) for finding in findings.sort_findings(found.findings)],
    }


def _link_dict(link: Link, origin: Origin) -> dict[str, Any]:
    said = link.change_set
    return {
        "digest": link.digest,
        "sequence": said.sequence,
        "previous": said.previous,
        "created": said.created,
        "keyId": link.key_id,
        "gate": {"digest": said.gate_digest, "rules": said.gate_rules, "allowed": said.gate_allowed},
        "intent": {"time": link.time, "actor": link.actor, "inclusion": _inclusion_dict(link.inclusion)},
        "outcome": {"index": link.outcome, "result": link.result} if link.outcome is not None else None,
        "commit": _origin_dict(origin),
    }


def _origin_dict(origin: Origin) -> dict[str, Any]:
    signed = [
        {
            "commit": one.commit,
            "subject": one.subject,
            "signer": one.signer,
            "fingerprint": one.fingerprint,
            "approvers": list(one.approvers),
        }
        for one in origin.signed
    ]
    return {
        "id": origin.commit,
        "tree": origin.tree,
        "previous": origin.previous,
        "accepted": {
            "time": origin.time,
            "actor": origin.actor,
            "inclusion": _inclusion_dict(origin.inclusion),
        },
        "gate": {"digest": origin.gate_digest, "rules": origin.gate_rules} if origin.gate_rules else None,
        "signed": signed,
    }


def _inclusion_dict(inclusion: Inclusion) -> dict[str, int]:
    return {"index": inclusion.index, "size": inclusion.size, "hashes": inclusion.hashes}


def _object_dict(item: Explained) -> dict[str, Any]:
    return {
        "object": _ref_dict(item.ref),
        "digest": item.digest,
        "source": item.source,
        "changeSet": item.change_set,
        "compiledFrom": item.compiled_from,
        "compared": item.compared.value,
        "recorded": item.recorded,
        "resourceVersion": item.resource_version,
        "auditId": item.audit_id,
    }


def _ref_dict(ref: ObjectRef) -> dict[str, str]:
    return {"group": ref.group, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name}
