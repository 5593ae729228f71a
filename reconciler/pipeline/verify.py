"""From a live member back to the signature, with read-only credentials and public keys alone.

1. log       its checkpoint was signed by the known key; what it says of members is read from it
2. member    who answers, its signed record, one metadata list a kind and label
3. record    the log has its change set, and applied none after it
4. object    -> change set -> commit -> signers -> verdict -> inclusion proof (``tracing``)
5. content   what the commit says is what stands on the member (``likeness``)

Nothing is written anywhere. What cannot be believed as a whole (log, record) raises; what is wrong with
single objects, change sets or commits are findings, so that all of it is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import orjson

from reconciler.audit.outcomes import read_outcomes
from reconciler.audit.view import LogView
from reconciler.documents import Cache, Cluster, Fleet
from reconciler.errors import AuditError, SettingsError, TrustError
from reconciler.member.census import Census
from reconciler.member.client import Member
from reconciler.model import ANNOTATION_DIGEST, Json, LiveMeta, ObjectRef, Record
from reconciler.pipeline.accepting import UninitializedError
from reconciler.pipeline.chain import Link
from reconciler.pipeline.codes import CODES
from reconciler.pipeline.explanation import Compared, Explained, Explanation, Wanted
from reconciler.pipeline.in_time import in_time
from reconciler.pipeline.likeness import unlike
from reconciler.pipeline.origins import fleet_of
from reconciler.pipeline.proving import require_proven
from reconciler.pipeline.tracing import Claim, Trace
from reconciler.repository import Repository

T = TypeVar("T")


class NoRecordError(TrustError):
    """A member that has no record: nothing on it can be explained."""

    code = "FW1271"


@dataclass(frozen=True, slots=True)
class VerifyPorts:
    """What ``verify_member`` reads. Nothing here can write or sign."""

    repository: Repository
    cache: Cache
    log: LogView
    connect: Callable[[Cluster, Fleet], Member]


async def verify_member(
    ports: VerifyPorts, name: str, wanted: Sequence[Wanted] = (), *, deep: bool = False
) -> Explanation:
    """Explain all of a member, or the wanted objects. ``deep`` compares the contents of all.

    Raises NoRecordError, UninitializedError, SettingsError, MemberError, RepositoryError, AuditError.
    """
    # 1. The log was verified when it was opened. The commit accepted last says where the member is.
    cluster, fleet = _registered(ports, name)
    limit = fleet.federation.limits.apply_timeout
    async with ports.connect(cluster, fleet) as member:
        # 2. Who answers, and what is there.
        async with in_time(limit, name, "read"):
            seen = await member.census(lists=not wanted)
        record = _require_record(name, seen)
        refs = [one.ref(seen.kinds) for one in wanted]
        live = seen.live
        if refs:
            async with in_time(limit, name, "read"):
                live = _metas(await member.fetch(dict.fromkeys(refs, "")))
        # 3. The log knows the record.
        require_proven(ports.log, name, record)
        trace = Trace(ports.log, ports.repository, ports.cache, name, seen, record)
        # 4. What each object should be.
        claims = trace.claims(live, refs or sorted(live.keys() | record.objects.keys()))
        # 5. What it is.
        looked = {r: c for r, c in claims.items() if deep or refs or not _untouched(r, c, live, record)}
        versions = {ref: claim.item.version for ref, claim in looked.items()}
        async with in_time(limit, name, "read"):
            bodies = await member.fetch(versions) if versions else {}
        await member.require_unmoved(seen)
    explained = [
        _compared(trace, ref, claim, bodies.get(ref), record)
        if ref in looked
        else (claim, Compared.VERSION, live[ref].resource_version)
        for ref, claim in claims.items()
    ]
    found = [one for one in explained if one]
    return _explanation(ports.log, seen, record, trace, claims.values(), found)


def _registered(ports: VerifyPorts, name: str) -> tuple[Cluster, Fleet]:
    accepted = ports.log.state().accepted
    if accepted is None:
        raise UninitializedError("the log trusts no commit yet", hint="verify a log that a run has written")
    fleet = fleet_of(ports.repository, accepted.commit, ports.cache)
    known = {cluster.name: cluster for cluster in fleet.clusters}
    for cluster in fleet.clusters:
        if cluster.name == name:
            return cluster, fleet
    raise SettingsError("no such cluster", got=name, expected=" or ".join(known) or "a registration")


def _require_record(name: str, seen: Census) -> Record:
    if seen.record is None:
        what = "the member has no record, so nothing on it is explained"
        raise NoRecordError(what, where=name, hint=CODES[NoRecordError.code][1])
    return seen.record


def _metas(bodies: Mapping[ObjectRef, Json]) -> dict[ObjectRef, LiveMeta]:
    found = {}
    for ref, body in bodies.items():
        metadata = body["metadata"]
        digest = (metadata.get("annotations") or {}).get(ANNOTATION_DIGEST, "")
        found[ref] = LiveMeta(metadata["uid"], metadata["resourceVersion"], str(digest))
    return found


def _untouched(ref: ObjectRef, claim: Claim, live: Mapping[ObjectRef, LiveMeta], record: Record) -> bool:
    """Whether uid, resourceVersion and digest are those of the signed record."""
    known, meta = record.objects.get(ref), live.get(ref)
    if known is None or meta is None or not claim.recorded:
        return False
    recorded = (known.uid, known.resource_version, known.digest)
    return recorded == (meta.uid, meta.resource_version, meta.digest)


_Found = tuple[Claim, Compared, str]  # the last is the resourceVersion


def _compared(trace: Trace, ref: ObjectRef, claim: Claim, body: Json | None, record: Record) -> _Found | None:
    if body is None:
        trace.add("FW1279", "the object is not there", ref, expected=f"as {claim.change_set} made it")
        return None
    known, metadata = record.objects.get(ref), body["metadata"]
    differences = list(unlike(orjson.loads(claim.item.body), body))
    if claim.recorded and known and known.uid != metadata["uid"]:
        differences.insert(0, f"it was made anew, with uid {metadata['uid']}")
    if differences:
        what = f"the object is not what {claim.change_set} says"
        trace.add(
            "FW1273",
            what,
            ref,
            expected=f"{claim.item.source} of commit {claim.compiled_from[:12]}",
            got="; ".join(differences),
        )
        return None
    return claim, Compared.CONTENT, str(metadata["resourceVersion"])


def _explanation(
    log: LogView, seen: Census, record: Record, trace: Trace, claims: Iterable[Claim], found: Sequence[_Found]
) -> Explanation:
    links = {claim.link.digest: claim.link for claim in claims}
    commits = {claim.compiled_from for claim, _, _ in found}
    if trace.holder and trace.holder.change_set.commit in commits:  # what was compiled was verified too
        links[trace.holder.digest] = trace.holder
    audit_ids = {digest: _audit_ids(log, link) for digest, link in links.items()}
    objects = tuple(
        Explained(
            claim.item.ref, claim.item.digest, claim.item.source.path, claim.link.digest, claim.compiled_from,
            compared, claim.recorded, version, audit_ids[claim.link.digest].get(str(claim.item.ref), ""),
        )
        for claim, compared, version in found
    )  # fmt: skip
    newest_first = sorted(links.values(), key=lambda link: -link.change_set.sequence)
    return Explanation(
        cluster=trace.name,
        cluster_uid=seen.cluster_uid,
        record=record,
        log_origin=log.origin,
        log_size=log.size,
        log_root=log.root,
        links=tuple(newest_first),
        origins={digest: trace.origins[digest] for digest in links},
        objects=objects,
        leaving=tuple(trace.leaving),
        findings=tuple(trace.findings),
    )


def _audit_ids(log: LogView, link: Link) -> Mapping[str, str]:
    """Object -> Audit-ID: a pointer into the member's own audit log, on which nothing here rests."""
    try:
        rows = read_outcomes(log.body(link.outcomes)) if link.outcomes else ()
    except AuditError:
        return {}
    return {row.object: row.audit_id for row in rows}
