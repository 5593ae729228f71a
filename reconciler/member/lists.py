"""Metadata lists (``PartialObjectMetadataList``), parsed straight into what a plan compares.

>>> web = Resource("", "ConfigMap", "v1", "configmaps", namespaced=True)
>>> item = b'{"metadata": {"name": "a", "namespace": "n", "uid": "u", "resourceVersion": "7"}}'
>>> parse_list(b'{"metadata": {}, "items": [' + item + b"]}", web).live
{ObjectRef(group='', kind='ConfigMap', namespace='n', name='a'): \
LiveMeta(uid='u', resource_version='7', digest='', version='v1')}
"""

from __future__ import annotations

import gc
from dataclasses import dataclass, field

import orjson

from reconciler.member import errors
from reconciler.member.discovery import Resource
from reconciler.member.refs import Refs
from reconciler.model import ANNOTATION_DIGEST, Json, LiveMeta, ObjectRef

LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
Live = dict[ObjectRef, LiveMeta]


@dataclass(frozen=True, slots=True)
class Page:
    """A metadata list: what there is, which of it is being deleted, where the list goes on."""

    live: Live = field(default_factory=dict)
    leaving: set[ObjectRef] = field(default_factory=set)
    token: str = ""


def parse_list(body: bytes, resource: Resource, refs: Refs | None = None) -> Page:
    """A PartialObjectMetadataList. Raises NotKubernetesError."""
    collecting = gc.isenabled()
    gc.disable()  # see record.decode
    try:
        return _page(orjson.loads(body), resource, refs or Refs())
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise errors.NotKubernetesError("not a metadata list") from error
    finally:
        if collecting:
            gc.enable()


def _page(value: Json, resource: Resource, refs: Refs) -> Page:
    page = Page(token=value["metadata"].get("continue", ""))
    live, group, kind, version = page.live, resource.group, resource.kind, resource.version
    known = refs.of(group, kind)
    for item in value["items"] or ():  # Go writes an empty list as null
        meta = item["metadata"]
        annotations = meta.get("annotations")
        namespace, name = meta.get("namespace", ""), meta["name"]
        ref = known.get((namespace, name)) or ObjectRef(group, kind, namespace, name)
        digest = annotations.get(ANNOTATION_DIGEST, "") if annotations else ""
        live[ref] = LiveMeta(meta["uid"], meta["resourceVersion"], digest, version)
        if "deletionTimestamp" in meta:
            page.leaving.add(ref)
    return page
