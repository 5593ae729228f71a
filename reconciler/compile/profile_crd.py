"""The definition of ClusterProfile (KEP-4322, KEP-5339), as ``promote`` installs it and ``check`` knows it.

Rules kept here
- It is written from the API's documented fields: names, types and bounds are the API's, so that what passes
  here passes there. A definition that a commit or a primary has itself comes before this one.
- The kind belongs to SIG Multicluster; fleetward only installs it where nobody did.

Source: https://github.com/kubernetes-sigs/cluster-inventory-api (v1alpha1).

>>> profile_crd()["metadata"]["name"], sorted(PROFILE_KIND.schemas)
('clusterprofiles.multicluster.x-k8s.io', ['v1alpha1'])
"""

from __future__ import annotations

import orjson

from reconciler.compile.custom import CRD_GROUP, CRD_KIND, CustomKind
from reconciler.model import Json

GROUP, VERSION, KIND, PLURAL = "multicluster.x-k8s.io", "v1alpha1", "ClusterProfile", "clusterprofiles"
PROFILE = (GROUP, KIND)
CRD_NAME = f"{PLURAL}.{GROUP}"
MANAGER = "fleetward"  # as other tools know us: spec.clusterManager.name
LABEL_MANAGER = "x-k8s.io/cluster-manager"
_TYPE = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"  # noqa: E501
_REASON = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"


def profile_crd() -> dict[str, Json]:
    """The CustomResourceDefinition."""
    version = {
        "name": VERSION, "served": True, "storage": True, "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": _schema()},
    }  # fmt: skip
    return {
        "apiVersion": f"{CRD_GROUP}/v1",
        "kind": CRD_KIND,
        "metadata": {"name": CRD_NAME},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": "clusterprofile",
            },
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def _schema() -> dict[str, Json]:
    manager = _object({"name": _text("The name of the cluster manager.")}, ["name"])
    manager |= {
        "description": "Who publishes this cluster.",
        "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "ClusterManager is immutable"}],
    }
    spec = {"clusterManager": manager, "displayName": _text("A name for people.")}
    fields = {
        "apiVersion": _text("multicluster.x-k8s.io/v1alpha1"), "kind": _text("ClusterProfile"),
        "metadata": {"type": "object"}, "spec": _object(spec, ["clusterManager"]), "status": _status(),
    }  # fmt: skip
    return {"description": "One cluster of an inventory.", **_object(fields, ["spec"])}


def _status() -> dict[str, Json]:
    return _object(
        {
            "version": _object({"kubernetes": _text("The cluster's Kubernetes version.")}),
            "conditions": _map("type", _condition()),
            "properties": _map("name", _property()),
            "accessProviders": _map("name", _access()),
            "credentialProviders": _map("name", _access()),  # deprecated: accessProviders by its old name
        }
    )


def _condition() -> dict[str, Json]:
    """meta/v1 Condition."""
    fields = {
        "type": {"type": "string", "maxLength": 316, "pattern": _TYPE},
        "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
        "reason": {"type": "string", "minLength": 1, "maxLength": 1024, "pattern": _REASON},
        "message": {"type": "string", "maxLength": 32768},
        "lastTransitionTime": {"type": "string", "format": "date-time"},
        "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
    }
    return _object(fields, ["type", "status", "reason", "message", "lastTransitionTime"])


def _property() -> dict[str, Json]:
    fields = {
        "name": {"type": "string", "minLength": 1, "maxLength": 253},
        "value": {"type": "string", "minLength": 1, "maxLength": 1024},
        "lastObservedTime": {"type": "string", "format": "date-time"},
    }
    return _object(fields, ["name", "value"])


def _access() -> dict[str, Json]:
    """A name, and client-go's ``Cluster`` (client.authentication.k8s.io)."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    extension = _object({"name": {"type": "string"}, "extension": anything}, ["name", "extension"])
    cluster = {
        "server": _text("The API server's URL."),
        "certificate-authority": _text("The path of a CA file."),
        "certificate-authority-data": {"type": "string", "format": "byte"},
        "tls-server-name": _text("The name in the API server's certificate."),
        "insecure-skip-tls-verify": {"type": "boolean"},
        "proxy-url": _text("A proxy for all requests."),
        "disable-compression": {"type": "boolean"},
        "extensions": {"type": "array", "items": extension},
    }
    return _object({"name": {"type": "string"}, "cluster": _object(cluster, ["server"])}, ["name"])


def _object(properties: dict[str, Json], required: list[str] | None = None) -> dict[str, Json]:
    shape: dict[str, Json] = {"type": "object", "properties": properties}
    return shape | ({"required": required} if required else {})


def _map(key: str, items: dict[str, Json]) -> dict[str, Json]:
    """A list whose items are told apart by ``key``, so that several tools can each own some."""
    kind = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
    return {"type": "array", "items": items, **kind}


def _text(description: str) -> dict[str, Json]:
    return {"type": "string", "description": description}


PROFILE_KIND = CustomKind(
    True, (VERSION,), {VERSION: orjson.dumps(_schema(), option=orjson.OPT_SORT_KEYS)}, f"built-in/{VERSION}"
)
