"""From a plain body to the DesiredObject that is sent: our labels and annotations, canonical bytes, digests.

Rules kept here
- Canonical JSON: keys sorted by code point, no spaces, UTF-8, numbers as written.
- ``digest`` is sha256 over the canonical body without ``fleetward.io/digest``, which is then added.
- ``fleetward.io/source`` is a path without a line: moving lines changes nothing on a member.
- Labels that are ours are set on every object; a manifest that sets them to something else is refused, and so
  is a name that fleetward keeps for itself on a member.

>>> canonical({"b": 1, "a": [True, None]})
b'{"a":[true,null],"b":1}'
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from reconciler.compile.codes import found
from reconciler.documents import ANNOTATION_CONFLICT, GROUP, Document
from reconciler.model import (
    ANNOTATION_DIGEST,
    ANNOTATION_SOURCE,
    APPLYSET_ID,
    FIELD_MANAGER,
    LABEL_MANAGED_BY,
    LABEL_PART_OF,
    MEMBER_NAMESPACE,
    RECONCILER_USER,
    DesiredObject,
    Finding,
    Json,
    ObjectRef,
)

OUR_LABELS = {LABEL_MANAGED_BY: FIELD_MANAGER, LABEL_PART_OF: APPLYSET_ID}
# Names of what joining a member puts there: the namespace, the account and its roles, the parent, the guard.
_RESERVED_NAMES = ("fleetward", RECONCILER_USER.rpartition(":")[2])
_GUARDED_GROUPS = frozenset({"admissionregistration.k8s.io", "rbac.authorization.k8s.io"})


def canonical(body: Json) -> bytes:
    """The one way to write a JSON value. Raises TypeError for what JSON cannot carry."""
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def labelled(body: dict[str, Any], path: str) -> dict[str, Any]:
    """A copy of the body with our labels and the source annotation."""
    metadata = body["metadata"]
    labels = {**(metadata.get("labels") or {}), **OUR_LABELS}
    annotations = {**(metadata.get("annotations") or {}), ANNOTATION_SOURCE: path}
    return {**body, "metadata": {**metadata, "labels": labels, "annotations": annotations}}


def finished(body: dict[str, Any], document: Document) -> DesiredObject:
    """The object as it will be sent. ``body`` comes from ``labelled`` and gets its digest here.

    Raises TypeError for a value that JSON cannot carry.
    """
    digest = f"sha256:{hashlib.sha256(canonical(body)).hexdigest()}"
    body["metadata"]["annotations"][ANNOTATION_DIGEST] = digest
    group, _, version = body["apiVersion"].rpartition("/")
    metadata = body["metadata"]
    ref = ObjectRef(group, body["kind"], metadata.get("namespace") or "", metadata["name"])
    return DesiredObject(ref, version, digest, canonical(body), document.source, takes_conflicts(document))


def takes_conflicts(document: Document) -> bool:
    """``fleetward.io/conflict: take`` on the document."""
    annotations = document.body["metadata"].get("annotations")
    return bool(annotations) and annotations.get(ANNOTATION_CONFLICT) == "take"


def ownership_findings(body: dict[str, Any], document: Document) -> Iterator[Finding]:
    """FW1424 for labels that are ours, FW1425 for names that are."""
    labels = body["metadata"].get("labels") or {}
    for name, value in OUR_LABELS.items():
        if labels.get(name, value) != value:
            pointer = f"/metadata/labels/{name.replace('/', '~1')}"
            yield _about(document, "FW1424", f"the label {name} is fleetward's own", pointer)
    if _reserved(body):
        message = f"{body['kind']} {body['metadata']['name']} is a name that fleetward keeps for itself"
        yield _about(document, "FW1425", message, "/metadata/name")


def _reserved(body: dict[str, Any]) -> bool:
    name, namespace = body["metadata"]["name"], body["metadata"].get("namespace") or ""
    group, _, _ = body["apiVersion"].rpartition("/")
    if (group, body["kind"], name) == ("", "Namespace", MEMBER_NAMESPACE):
        return True
    guarded = namespace == MEMBER_NAMESPACE or (not namespace and group in _GUARDED_GROUPS)
    return guarded and name.startswith(_RESERVED_NAMES)


def _about(document: Document, code: str, message: str, pointer: str) -> Finding:
    where = "spec:" if document.group == GROUP else "schema:"
    rule = f"{where}{pointer}"
    return found(code, message, source=document.source, subject=document.subject, rule=rule)


def desired_digest(objects: Iterable[DesiredObject]) -> str:
    """ "sha256:<hex>" over the objects' identities and digests, in their order."""
    lines = [f"{o.ref.group}\0{o.ref.kind}\0{o.ref.namespace}\0{o.ref.name}\0{o.digest}\n" for o in objects]
    return f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"
