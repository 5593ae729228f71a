"""Fleet x Cluster -> Desired: what one member should have, as bytes.

Rules kept here
- Pure: the same fleet and cluster give the same bytes, with or without a cache, in any order of documents.
- Every document goes its way alone (``unit``). Only roles (for bindings) and CustomResourceDefinitions (for
  custom resources) are known to others, by way of the ``Context``.
- All findings are collected. ``Desired`` holds every object that has bytes, faulty ones too, so that nobody
  who overlooks a finding deletes what merely has a typo; a caller must not apply it while there are errors.
- Two sources that give one object are an error that names both; the first by path is kept.

>>> compile_cluster(fleet, cluster).desired.digest  # doctest: +SKIP
'sha256:...'
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reconciler.compile.codes import ABOUT_A_CLUSTER, found
from reconciler.compile.context import Compiler, Context, RoleFacts
from reconciler.compile.custom import CRD_GROUP, CRD_KIND, CustomKind, custom_kind
from reconciler.compile.kubeschemas import code_digest, is_covered
from reconciler.compile.objects import desired_digest
from reconciler.compile.profile_crd import PROFILE, PROFILE_KIND
from reconciler.compile.profiles import registered
from reconciler.compile.registry import compiler_for
from reconciler.compile.roles import facts
from reconciler.compile.selection import Selection
from reconciler.compile.stored import Unit, decode, encode
from reconciler.compile.unit import compile_document
from reconciler.documents import Cache, Cluster, Document, Fleet
from reconciler.model import ClusterName, Desired, DesiredObject, Finding, SourceRef

_Key = tuple[str, str, str, str]  # an ObjectRef as a plain tuple: sorts and hashes many times faster


@dataclass(frozen=True, slots=True)
class Compiled:
    """``desired`` must not be applied while ``findings`` has an error."""

    desired: Desired
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Job:
    """One document as the cluster gets it; ``key`` names its result in the cache."""

    document: Document
    compiler: Compiler
    key: str


def compile_fleet(fleet: Fleet, *, cache: Cache | None = None) -> dict[ClusterName, Compiled]:
    """Every registered cluster's Compiled, suspended ones included. Equal results are made and kept once."""
    memo: dict[str, Unit] = {}
    return {cluster.name: _compile(fleet, cluster, cache, memo) for cluster in fleet.clusters}


def compile_cluster(fleet: Fleet, cluster: Cluster, *, cache: Cache | None = None) -> Compiled:
    """What ``cluster`` should have. Raises CompileError for a Kubernetes version that cannot be read."""
    return _compile(fleet, cluster, cache, {})


def _compile(fleet: Fleet, cluster: Cluster, cache: Cache | None, memo: dict[str, Unit]) -> Compiled:
    selection = Selection(cluster, fleet.schemas)
    placed = [document for document in fleet.documents if selection.places(document)]
    mirrored = registered(fleet) if any(document.kind == "Federation" for document in placed) else ()
    context = Context(
        cluster.kubernetes_version, _roles(fleet, selection), _custom(placed, selection), mirrored
    )
    refused, jobs = _jobs(placed, context, selection)
    units = _units(jobs, context, cache, memo)
    objects, doubles = _merged(units)
    findings = [
        *_version_findings(cluster),
        *refused,
        *(f for unit in units for f in unit.findings),
        *doubles,
    ]
    desired = Desired(cluster.name, objects, desired_digest(objects))
    # Documents may come in any order; only what is few is put into one: roles, definitions, findings.
    return Compiled(desired, tuple(sorted((_named(item, cluster) for item in findings), key=_rank)))


def _place(document: Document) -> tuple[str, int, str]:
    return document.source.path, document.source.line, document.digest


def _rank(finding: Finding) -> tuple[str, int, str, str, str]:
    source = finding.source or SourceRef("")
    return source.path, source.line, finding.code, finding.rule, finding.message


def _roles(fleet: Fleet, selection: Selection) -> Mapping[str, RoleFacts]:
    declared = sorted(fleet.of_kind("FederatedRole"), key=_place)
    roles = ((selection.patched(role)[0] or role, selection.places(role)) for role in declared)
    return {role.name: facts(role, placed=placed) for role, placed in roles}


def _custom(placed: Iterable[Document], selection: Selection) -> Mapping[tuple[str, str], CustomKind]:
    crds = (document for document in placed if document.kind == CRD_KIND and document.group == CRD_GROUP)
    ordered = sorted(crds, key=_place)
    found = filter(None, (custom_kind(selection.patched(crd)[0] or crd) for crd in ordered))
    return {PROFILE: PROFILE_KIND, **dict(found)}


def _jobs(
    placed: Iterable[Document], context: Context, selection: Selection
) -> tuple[list[Finding], list[_Job]]:
    """Findings about overrides that do not apply, and a job for each document that can be compiled."""
    prefix = f"compile/{code_digest()}/{context.version}"
    jobs: list[_Job] = []
    findings: list[Finding] = []
    for original in placed:
        compiler = compiler_for(original)
        if compiler is None:
            continue
        document, refused = selection.patched(original)
        findings += refused
        if document is not None:
            who = selection.key if document is not original else ""
            reads = compiler.reads(document, context)
            jobs.append(
                _Job(document, compiler, f"{prefix}/{who}/{reads}/{original.digest}/{original.source.path}")
            )
    return findings, jobs


def _units(jobs: Sequence[_Job], context: Context, cache: Cache | None, memo: dict[str, Unit]) -> list[Unit]:
    """Each job's Unit: from ``memo``, else from the cache, else made, and then put into both."""
    missing = [job for job in jobs if job.key not in memo]
    held = cache.get_many([job.key for job in missing]) if cache is not None else {}
    fresh: dict[str, bytes] = {}
    for job in missing:
        unit = decode(held.get(job.key), job.document)
        if unit is None:
            unit = compile_document(job.document, job.compiler, context)
            if cache is not None:
                fresh[job.key] = encode(unit)
        memo[job.key] = unit
    if cache is not None and fresh:
        cache.put_many(fresh)
    return [memo[job.key] for job in jobs]


def _merged(units: Iterable[Unit]) -> tuple[tuple[DesiredObject, ...], list[Finding]]:
    """All objects by ref, each once, and FW1431 for those that come twice."""
    kept: dict[_Key, DesiredObject] = {}
    doubles: dict[_Key, list[DesiredObject]] = {}
    for item in (item for unit in units for item in unit.objects):
        ref = item.ref
        key = (ref.group, ref.kind, ref.namespace, ref.name)
        if kept.setdefault(key, item) is not item:
            doubles.setdefault(key, [kept[key]]).append(item)
    findings = []
    for key, items in doubles.items():
        kept[key], *others = sorted(items, key=lambda item: (item.source, item.digest))
        findings += [_double(kept[key], other) for other in others]
    return tuple(kept[key] for key in sorted(kept)), findings


def _double(first: DesiredObject, other: DesiredObject) -> Finding:
    message = f"{first.ref} comes from {first.source} and again from {other.source}"
    return found("FW1431", message, source=other.source, subject=str(first.ref))


def _version_findings(cluster: Cluster) -> Iterator[Finding]:
    if not is_covered(cluster.kubernetes_version):
        message = f"there are no schemas for Kubernetes {cluster.kubernetes_version}"
        yield found("FW1447", message, source=cluster.source, subject=f"Cluster/{cluster.name}")


def _named(finding: Finding, cluster: Cluster) -> Finding:
    """Findings that hold on one cluster only say which."""
    if finding.code not in ABOUT_A_CLUSTER:
        return finding
    return replace(finding, subject=f"{cluster.name}/{finding.subject}")
