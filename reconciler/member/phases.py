"""In which order objects are written and deleted, and what needs what. Pure.

0. what others need to exist: namespaces, CustomResourceDefinitions, classes
1. everything else, instances of those definitions too
2. what judges writes: webhooks, admission policies, aggregated APIs
3. what puts admission policies into force

Deletions run backwards, after all writes: first out of force, last the namespaces.

>>> stage(ObjectRef("", "Namespace", "", "shop")), stage(ObjectRef("apps", "Deployment", "shop", "web"))
(0, 1)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.member.discovery import CRD, NAMESPACE, Kind, defined_by
from reconciler.model import Desired, ObjectRef

_ADMISSION = "admissionregistration.k8s.io"
_FOUNDATION = {
    NAMESPACE, CRD, ("scheduling.k8s.io", "PriorityClass"), ("storage.k8s.io", "StorageClass"),
    ("node.k8s.io", "RuntimeClass"), ("networking.k8s.io", "IngressClass"),
}  # fmt: skip
STAGES = 4


def stage(ref: ObjectRef) -> int:
    """The stage of an object, 0 to 3."""
    if (ref.group, ref.kind) in _FOUNDATION:
        return 0
    if ref.group == _ADMISSION:
        return 3 if ref.kind.endswith("Binding") else 2
    return 2 if ref.group == "apiregistration.k8s.io" else 1


def staged(refs: Iterable[ObjectRef]) -> tuple[tuple[ObjectRef, ...], ...]:
    """The refs by stage, each stage in order of refs."""
    ordered = sorted(refs)
    return tuple(tuple(ref for ref in ordered if stage(ref) == number) for number in range(STAGES))


def definitions(desired: Desired) -> Mapping[Kind, ObjectRef]:
    """Which desired CRD defines which kind."""
    found = {}
    for item in desired.objects:
        if (item.ref.group, item.ref.kind) == CRD:
            resource = defined_by(item)
            found[resource.group, resource.kind] = item.ref
    return found


def needs(ref: ObjectRef, defined: Mapping[Kind, ObjectRef]) -> tuple[ObjectRef, ...]:
    """What has to exist before the object can: its namespace and its definition."""
    found = [ObjectRef("", "Namespace", "", ref.namespace)] if ref.namespace else []
    crd = defined.get((ref.group, ref.kind))
    return (*found, crd) if crd else tuple(found)
