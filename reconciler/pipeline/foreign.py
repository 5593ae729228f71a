"""Writes by others in a member's audit log: which of them were about something that is federated.

- About means: to the object itself (not to a subresource that changes nothing of what its document says), to
  the signed record, a deletion of its namespace or of the definition of its kind, or of a collection with it.
- Only while the object was federated: before our first write and after our deletion it is nobody's concern.
- What the guard lets through for the control plane's sake is counted by user; look at the names.

>>> sorted(CONTROL_PLANE)
['system:apiserver', 'system:kube-controller-manager']
"""

from __future__ import annotations

from reconciler.audit.kube_event import KubeEvent
from reconciler.model import MEMBER_NAMESPACE, PARENT_NAME, ObjectRef
from reconciler.pipeline.claims import Claims, Name
from reconciler.pipeline.resources import Resources

# As the guard has them (``member.guard``): what the control plane does by itself stays possible.
CONTROL_PLANE = ("system:apiserver", "system:kube-controller-manager")
CONTROL_PLANE_GROUP = "system:serviceaccounts:kube-system"
NODES = "system:nodes"  # may delete what is on them
OTHER_SUBRESOURCES = frozenset({"status", "token", "exec", "attach", "portforward", "proxy", "log"})
_NAMESPACES = ("", "namespaces")
_DEFINITIONS = ("apiextensions.k8s.io", "customresourcedefinitions")


def name_of(event: KubeEvent) -> Name:
    """Of the object that the event was about."""
    return event.target.group, event.target.namespace, event.target.name


def is_record(event: KubeEvent) -> bool:
    """Whether it was about the ApplySet parent, or a further part of its record."""
    group, resource, subresource, namespace, name = event.target
    ours = name == PARENT_NAME or name.startswith(f"{PARENT_NAME}-record-")
    return (group, resource, subresource, namespace) == ("", "configmaps", "", MEMBER_NAMESPACE) and ours


def by_control_plane(event: KubeEvent) -> bool:
    """Whether the member's own controllers did it, as far as a name can tell."""
    if event.impersonated:
        return False
    if event.user in CONTROL_PLANE or CONTROL_PLANE_GROUP in event.groups:
        return True
    return event.verb == "delete" and NODES in event.groups


def may_concern(event: KubeEvent, claims: Claims) -> bool:
    """A quick look, which never says no to what ``concerned`` would find."""
    target = event.target
    if target.subresource in OTHER_SUBRESOURCES:
        return False
    if event.verb == "deletecollection":
        return claims.has_place(target.group, target.namespace)
    if is_record(event) or claims.federated(name_of(event), event.time):
        return True
    if event.verb != "delete":
        return False
    if target[:2] == _NAMESPACES:
        return claims.has_namespace(target.name)
    return target[:2] == _DEFINITIONS and claims.has_place(target.name.partition(".")[2], "")


def concerned(event: KubeEvent, claims: Claims, resources: Resources) -> ObjectRef | None:
    """The federated object that the event was about, or the first of those that it took along."""
    target = event.target
    if is_record(event):
        return ObjectRef("", "ConfigMap", target.namespace, target.name)
    for kind in sorted(claims.federated(name_of(event), event.time)):
        if resources.is_kind(target.group, target.resource, kind, event.kind):
            return ObjectRef(target.group, kind, target.namespace, target.name)
    if event.verb not in ("delete", "deletecollection"):
        return None
    taken = (ref for ref in claims.all_federated(event.time) if _takes_along(event, ref, resources))
    return next(taken, None)


def is_itself(event: KubeEvent, ref: ObjectRef) -> bool:
    """Whether the event named the object, and not what it is in."""
    return name_of(event) == (ref.group, ref.namespace, ref.name) and event.verb != "deletecollection"


def _takes_along(event: KubeEvent, ref: ObjectRef, resources: Resources) -> bool:
    target = event.target
    if event.verb == "deletecollection":
        same_place = target.group == ref.group and target.namespace in ("", ref.namespace)
        return same_place and resources.is_kind(target.group, target.resource, ref.kind)
    if target[:2] == _NAMESPACES:
        return bool(ref.namespace) and ref.namespace == target.name
    plural, _, group = target.name.partition(".")
    return target[:2] == _DEFINITIONS and group == ref.group and resources.is_kind(group, plural, ref.kind)
