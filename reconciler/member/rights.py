"""Rights on a member: what a rule of a role gives, and whether we have one.

Source: RBAC's PolicyRule and SelfSubjectAccessReview of the Kubernetes API. Only the API server knows all its
authorizers, so each right is asked for by itself.

>>> str(Right("delete", "rbac.authorization.k8s.io", "roles")), str(Right("get", "", "configmaps", "ns"))
('delete roles.rbac.authorization.k8s.io', 'get configmaps in ns')
>>> rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["a", "b"]}
>>> [str(right) for right in rights_of(rule, "ns")]
['get secrets a in ns', 'get secrets b in ns']
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from reconciler.member.transport import Request, Transport, expecting

REVIEWS = "/apis/authorization.k8s.io/v1"


class Right(NamedTuple):
    """A verb on a resource; ``namespace`` "" is everywhere, ``name`` "" every object."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        what = f"{self.verb} {resource} {self.name}".rstrip()
        return what + (f" in {self.namespace}" if self.namespace else "")


def rights_of(rule: Mapping[str, Any], namespace: str = "") -> Iterator[Right]:
    """What one rule gives, verb by verb."""
    for verb in rule["verbs"]:
        for group in rule.get("apiGroups") or ("",):
            for resource in rule.get("resources") or ():
                for name in rule.get("resourceNames") or ("",):
                    yield Right(str(verb), str(group), str(resource), namespace, str(name))


async def allowed(transport: Transport, right: Right) -> bool:
    """Whether we have it, by a SelfSubjectAccessReview. Raises MemberError."""
    resource, _, sub = right.resource.partition("/")
    attributes = right._asdict() | {"resource": resource, "subresource": sub}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
    }
    path = f"{REVIEWS}/selfsubjectaccessreviews"
    answer = (await transport.send(Request("POST", path, orjson.dumps(body)))).json()
    with expecting("a SelfSubjectAccessReview"):
        return answer["status"]["allowed"] is True
