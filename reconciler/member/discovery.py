"""Which URL an object has: (group, kind) -> version, plural, namespaced.

Asked in this order, so that an unchanged member costs no discovery: the desired CRDs, the signed record,
a table of common built-in kinds, and last the API server's aggregated discovery (one answer per root,
kept for the life of the client).

>>> BUILT_IN["networking.k8s.io", "NetworkPolicy"].path("shop", "web", "v1")
'/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/web'
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from reconciler.member import errors
from reconciler.member.concurrent import together
from reconciler.member.transport import Request, Transport
from reconciler.model import Desired, DesiredObject

Kind = tuple[str, str]  # (group, kind)
CRD: Kind = ("apiextensions.k8s.io", "CustomResourceDefinition")
NAMESPACE: Kind = ("", "Namespace")
_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind as the API serves it; ``version`` is the one to use when no object names another."""

    group: str
    kind: str
    version: str
    plural: str
    namespaced: bool

    def path(self, namespace: str, name: str, version: str = "") -> str:
        """The escaped path of an object; of the whole collection without ``name``."""
        root = f"/apis/{self.group}" if self.group else "/api"
        scope = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        tail = f"/{quote(name, safe='')}" if name else ""
        return f"{root}/{version or self.version}{scope}/{self.plural}{tail}"


def _table() -> Iterator[Resource]:
    for line in _KINDS.strip().splitlines():
        group_version, *kinds = line.split()
        group, _, version = group_version.rpartition("/")
        for item in kinds:
            kind, _, plural = item.rstrip("*").partition("=")
            yield Resource(group, kind, version, plural or f"{kind.lower()}s", not item.endswith("*"))


# apiVersion, then kinds; "=" gives an irregular plural, "*" marks cluster-scoped ones.
_KINDS = """
v1 ConfigMap Secret Service ServiceAccount Pod PersistentVolumeClaim LimitRange ResourceQuota=resourcequotas
v1 Namespace* PersistentVolume* ReplicationController PodTemplate
apps/v1 Deployment StatefulSet DaemonSet ReplicaSet
batch/v1 Job CronJob
networking.k8s.io/v1 NetworkPolicy=networkpolicies Ingress=ingresses IngressClass=ingressclasses*
rbac.authorization.k8s.io/v1 Role RoleBinding ClusterRole* ClusterRoleBinding*
apiextensions.k8s.io/v1 CustomResourceDefinition*
admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy=validatingadmissionpolicies*
admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding* ValidatingWebhookConfiguration*
admissionregistration.k8s.io/v1 MutatingWebhookConfiguration*
policy/v1 PodDisruptionBudget
scheduling.k8s.io/v1 PriorityClass=priorityclasses*
storage.k8s.io/v1 StorageClass=storageclasses* CSIDriver*
node.k8s.io/v1 RuntimeClass=runtimeclasses*
autoscaling/v2 HorizontalPodAutoscaler
coordination.k8s.io/v1 Lease
apiregistration.k8s.io/v1 APIService*
"""
BUILT_IN: Mapping[Kind, Resource] = {(r.group, r.kind): r for r in _table()}


def defined_by(crd: DesiredObject) -> Resource:
    """The resource that a CustomResourceDefinition defines, in its storage version."""
    spec = orjson.loads(crd.body)["spec"]
    versions = spec["versions"]
    stored = next((v for v in versions if v.get("storage")), versions[0])
    names = spec["names"]
    return Resource(
        spec["group"], names["kind"], stored["name"], names["plural"], spec["scope"] == "Namespaced"
    )


class Kinds:
    """The resources of one member, as far as they are known; discovery fills the rest once."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._known: dict[Kind, Resource] = dict(BUILT_IN)
        self._discovered = False
        self._lock = asyncio.Lock()

    def learn(self, resources: Iterable[Resource]) -> None:
        """Adds what a record or a CRD says; the built-in table is not overruled."""
        for resource in resources:
            if (resource.group, resource.kind) not in BUILT_IN:
                self._known[resource.group, resource.kind] = resource

    def learn_desired(self, desired: Desired) -> None:
        """Adds what the desired CRDs define."""
        self.learn(defined_by(item) for item in desired.objects if (item.ref.group, item.ref.kind) == CRD)

    async def find(self, kind: Kind) -> Resource:
        """The resource of a kind. Raises UnknownKindError, and what the transport raises."""
        found = self._known.get(kind)
        if found is None:
            await self._discover()
            found = self._known.get(kind)
        if found is None:
            name = ".".join(part for part in (kind[1], kind[0]) if part)
            raise errors.UnknownKindError("unknown kind", got=name)
        return found

    async def listable(self) -> list[Resource]:
        """Every kind that the API server lists, in its preferred version. Raises MemberError."""
        asked = (Request("GET", path, accept=_DISCOVERY, large=True) for path in ("/api", "/apis"))
        answers = await together(*map(self._transport.send, asked))
        found = [one for answer in answers for one in resources_of(answer.json(), verb="list")]
        self.learn(found)
        return found

    async def _discover(self) -> None:
        async with self._lock:
            if self._discovered:
                return
            asked = (Request("GET", path, accept=_DISCOVERY, large=True) for path in ("/api", "/apis"))
            for answer in await together(*map(self._transport.send, asked)):
                for resource in resources_of(answer.json()):
                    self._known.setdefault((resource.group, resource.kind), resource)
            self._discovered = True


def resources_of(answer: Any, verb: str = "") -> Iterator[Resource]:
    """The main resources of an APIGroupDiscoveryList (v2); each kind in its preferred version.

    With ``verb`` only those that have it.
    """
    seen: set[Kind] = set()
    try:
        for group in answer["items"]:
            name = group["metadata"].get("name", "")
            for version in group["versions"]:
                for item in version.get("resources", ()):
                    kind = item.get("responseKind", {}).get("kind", "")
                    if kind and (name, kind) not in seen and (not verb or verb in item.get("verbs", ())):
                        seen.add((name, kind))
                        namespaced = item["scope"] == "Namespaced"
                        yield Resource(name, kind, version["version"], item["resource"], namespaced)
    except (KeyError, TypeError, AttributeError) as error:
        raise errors.NotKubernetesError("not an API discovery answer") from error
