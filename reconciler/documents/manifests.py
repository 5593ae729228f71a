"""What a plain Kubernetes manifest must have and must not have, and what our annotations on it say.

Rules kept here
- apiVersion, kind and metadata.name are there and well-formed; ``generateName`` is refused, since an object
  that is named anew each time can be neither compared nor removed.
- What only an API server may set (``status``, ``metadata.uid`` ...) is refused; an explicit null is harmless.
- Of ``fleetward.io/*`` annotations only ``placement``, ``overrides`` and ``conflict: take`` exist, and what
  they hold passes the same schema as ``spec.placement`` and ``spec.overrides`` of our own kinds.

Whether the rest of the object is valid is asked of Kubernetes' own schemas, in ``compile``.

>>> API_VERSION_TEXT.fullmatch("apps/v1") is not None, API_VERSION_TEXT.fullmatch("apps/") is not None
(True, False)
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.documents.codes import did_you_mean, shown
from reconciler.documents.explain import explain
from reconciler.documents.formats import is_dns_label, is_rbac_name, is_subdomain
from reconciler.documents.placement import ANNOTATION_CONFLICT, ANNOTATION_OVERRIDES, ANNOTATION_PLACEMENT
from reconciler.documents.reader import read
from reconciler.documents.schema import definition
from reconciler.documents.spot import Spot, path_text
from reconciler.model import Finding, Json

API_VERSION_TEXT = re.compile(r"(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/)?v[0-9][a-z0-9]*", re.ASCII)
_KIND_TEXT = re.compile(r"[A-Z][A-Za-z0-9]{0,62}", re.ASCII)
_RBAC_GROUP = "rbac.authorization.k8s.io/"
_PREFIX = "fleetward.io/"
_DEFINITIONS = {ANNOTATION_PLACEMENT: "placement", ANNOTATION_OVERRIDES: "overrides"}
_KNOWN = (ANNOTATION_PLACEMENT, ANNOTATION_OVERRIDES, ANNOTATION_CONFLICT)
_SERVER_FIELDS = (
    "uid",
    "resourceVersion",
    "managedFields",
    "creationTimestamp",
    "deletionTimestamp",
    "generation",
    "selfLink",
)


def manifest_findings(body: dict[str, Json], spot: Spot) -> Iterator[Finding]:
    """Everything that is wrong with a plain manifest, as far as this room judges it."""
    yield from _text(body, "apiVersion", API_VERSION_TEXT, 'such as "v1" or "apps/v1"', spot)
    yield from _text(body, "kind", _KIND_TEXT, 'such as "ConfigMap"', spot)
    if body.get("kind") == "List":
        yield spot.finding("FW1331", ["kind"], "a List inside a List is not read", hint="list the items once")
    if body.get("status") is not None:
        yield spot.finding("FW1338", ["status"], "status is set by the API server only")
    metadata = body.get("metadata")
    if isinstance(metadata, dict):
        yield from _metadata(metadata, str(body.get("apiVersion")), spot)
        yield from annotation_findings(metadata, spot, own=False)
    else:
        yield spot.finding("FW1322", ["metadata"], "metadata is missing", hint="add metadata with a name")


def annotation_findings(metadata: dict[str, Json], spot: Spot, *, own: bool) -> Iterator[Finding]:
    """What is wrong with the ``fleetward.io/*`` annotations; ``own``: of a document of our own kinds."""
    annotations = metadata.get("annotations")
    if not isinstance(annotations, dict):
        return
    for name, value in annotations.items():
        if not name.startswith(_PREFIX) or not isinstance(value, str):
            continue
        pointer = ["metadata", "annotations", name]
        if name not in _KNOWN:
            hint = did_you_mean(name, _KNOWN, f"known ones: {', '.join(_KNOWN)}")
            yield spot.finding("FW1339", pointer, f"the annotation {shown(name)} is unknown", hint=hint)
        elif name == ANNOTATION_CONFLICT:
            if value != "take":
                message = f"the annotation {name} cannot be read"
                yield spot.finding("FW1340", pointer, message, expected='"take"', got=shown(value))
        elif own:
            hint = f"write it as spec.{_DEFINITIONS[name]}"
            yield spot.finding("FW1339", pointer, f"{name} is for plain manifests only", hint=hint)
        else:
            yield from _content(name, value, spot)


def _content(name: str, text: str, spot: Spot) -> Iterator[Finding]:
    """What is wrong with the text of a placement or overrides annotation."""
    pointer = ("metadata", "annotations", name)
    result = read(text.encode(errors="surrogateescape"))
    for problem in result.problems:
        message = f"the annotation {name} cannot be read: {problem.message}"
        yield spot.finding("FW1340", pointer, message, expected=problem.expected, got=problem.got)
    if result.problems:
        return
    if len(result.documents) != 1:
        yield spot.finding("FW1340", pointer, f"the annotation {name} cannot be read", expected="one value")
        return
    schema = definition(_DEFINITIONS[name])
    inside = Spot(spot.path, spot.index, spot.subject, spot.places, pointer, inline=True)
    for error in schema.errors(result.documents[0].value):
        yield from explain(schema, error, inside)


def _metadata(metadata: dict[str, Json], api_version: str, spot: Spot) -> Iterator[Finding]:
    yield from _name(metadata, api_version.startswith(_RBAC_GROUP), spot)
    namespace = metadata.get("namespace")
    if namespace is not None and not (isinstance(namespace, str) and is_dns_label(namespace)):
        got = shown(namespace)
        yield spot.finding("FW1333", ["metadata", "namespace"], "metadata.namespace is not valid", got=got)
    for field in _SERVER_FIELDS:
        if metadata.get(field) is not None:
            message = f"metadata.{field} is set by the API server only"
            yield spot.finding("FW1338", ["metadata", field], message)
    for field in ("labels", "annotations"):
        yield from _texts(metadata.get(field), ["metadata", field], spot)


def _name(metadata: dict[str, Json], rbac: bool, spot: Spot) -> Iterator[Finding]:
    if metadata.get("generateName") is not None:
        message = "metadata.generateName is not allowed: every object needs a name that stays"
        yield spot.finding("FW1333", ["metadata", "generateName"], message, hint="write metadata.name")
        return
    name = metadata.get("name")
    if name is None:
        yield spot.finding("FW1322", ["metadata"], "metadata.name is missing", hint="add name")
    elif not isinstance(name, str):
        yield from _not_text(name, ["metadata", "name"], spot)
    elif not (is_rbac_name(name) if rbac else is_subdomain(name)):
        yield spot.finding("FW1333", ["metadata", "name"], "metadata.name is not valid", got=shown(name))


def _texts(value: Json, pointer: list[str | int], spot: Spot) -> Iterator[Finding]:
    """A mapping of texts, as labels and annotations are."""
    if value is not None and not isinstance(value, dict):
        yield spot.finding(
            "FW1320", pointer, f"metadata.{pointer[-1]} is not a mapping", expected="a mapping"
        )
        return
    for name, text in (value or {}).items():
        if not isinstance(text, str):
            yield from _not_text(text, [*pointer, name], spot)


def _not_text(value: Json, pointer: list[str | int], spot: Spot) -> Iterator[Finding]:
    name = path_text(pointer)
    if isinstance(value, bool | int | float):
        written = spot.places.plain_text(spot.index, pointer)
        hint = f'quote it: "{written}"' if written else ""
        message = f"{name} is a {'boolean' if isinstance(value, bool) else 'number'}: quote it"
        yield spot.finding("FW1323", pointer, message, expected="string", got=shown(value), hint=hint)
    else:
        yield spot.finding("FW1320", pointer, f"{name} is not of the right type", expected="string")


def _text(
    body: dict[str, Json], field: str, pattern: re.Pattern[str], expected: str, spot: Spot
) -> Iterator[Finding]:
    value = body.get(field)
    if value is None:
        yield spot.finding("FW1322", [], f"{field} is missing", expected=expected, hint=f"add {field}")
    elif not isinstance(value, str) or not pattern.fullmatch(value):
        code = "FW1330" if field == "apiVersion" else "FW1331"
        yield spot.finding(code, [field], f"{field} is not valid", expected=expected, got=shown(value))
