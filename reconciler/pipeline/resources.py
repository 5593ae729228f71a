"""Which kind a resource of an audit event is: ``networkpolicies`` is NetworkPolicy.

An event names the resource in the plural and in small letters; our log names the kind. In this order: the
kind in the event's own object, where the audit level shows it; what our own writes in the same file showed;
the rule by which all kinds that ship with Kubernetes are named, and nearly all others. A custom resource with
a plural of its own ("WidgetSet", "widgetry") is known as soon as one of our writes to it is in the file.

>>> known = Resources()
>>> known.is_kind("", "networkpolicies", "NetworkPolicy"), known.is_kind("x.example", "widgetry", "Widget")
(True, False)
>>> known.learn("x.example", "widgetry", "Widget")
True
>>> known.is_kind("x.example", "widgetry", "Widget"), known.is_kind("x.example", "widgetry", "Gadget")
(True, False)
"""

from __future__ import annotations


def plurals(kind: str) -> set[str]:
    """The resource names that a kind may have by rule.

    >>> sorted(plurals("Ingress")), sorted(plurals("Gateway")), "endpoints" in plurals("Endpoints")
    (['ingress', 'ingresses', 'ingresss'], ['gatewaies', 'gateways'], True)
    """
    name = kind.lower()
    found = {f"{name}s"}
    if name.endswith(("s", "x", "ch", "sh")):
        found |= {f"{name}es"}
    if name.endswith("s"):
        found |= {name}
    if name.endswith("y"):
        found |= {f"{name[:-1]}ies"}
    return found


class Resources:
    """Kinds by resource, as far as a file has shown them."""

    def __init__(self) -> None:
        self._learned: dict[tuple[str, str], str] = {}

    def learn(self, group: str, resource: str, kind: str) -> bool:
        """A write of ours to ``kind`` went to this resource; False if that cannot be.

        Kubernetes' own groups follow the rule, and one resource has one kind.
        """
        if resource in plurals(kind):
            return True
        built_in = "." not in group or group.endswith(".k8s.io")
        return not built_in and self._learned.setdefault((group, resource), kind) == kind

    def is_kind(self, group: str, resource: str, kind: str, stated: str = "") -> bool:
        """Whether the resource is of that kind; ``stated`` is what the event's object says itself."""
        known = stated or self._learned.get((group, resource), "")
        return kind == known if known else resource in plurals(kind)
