"""Overrides: a document as one cluster gets it.

Rules kept here
- A dict is a JSON Merge Patch (RFC 7386), a list a JSON Patch (RFC 6902). They apply to the whole document,
  in order, each to the result of the one before; the document itself is never changed.
- Only the overrides whose selector matches the cluster apply.
- What a document is cannot be overridden: apiVersion, kind, metadata.name, metadata.namespace.
- A patch that does not apply ends the document's way to this cluster: nothing half-patched is compiled.
- What comes out must pass the kind's schemas again, the product's and the fleet's.
- ``copy`` can double a document with each step, so the result may not outgrow ``MAX_BYTES``.

>>> merge_patch({"a": 1, "b": {"c": 2}}, {"a": None, "b": {"d": 3}})
{'b': {'c': 2, 'd': 3}}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace

import orjson

from reconciler.compile.codes import found
from reconciler.documents import GROUP, Document, Override
from reconciler.documents.fleet import Validator
from reconciler.documents.schema import own_schemas
from reconciler.model import Finding, Json

MAX_BYTES = 2 * 1024 * 1024  # as canonical JSON; etcd refuses objects of 1.5 MiB


class OverrideError(ValueError):
    """A patch that does not apply; ``code`` is the finding's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def apply_overrides(
    document: Document, overrides: Sequence[Override], schemas: Mapping[str, Sequence[Validator]]
) -> tuple[Document | None, tuple[Finding, ...]]:
    """The document with these overrides, or None and findings (FW1401 to FW1403).

    ``schemas`` are the fleet's, by kind; a kind that they do not name has to pass the product's own.
    """
    body: Json = document.body
    for index, override in enumerate(overrides):
        try:
            body = _apply(document, body, override.patch)
        except OverrideError as error:
            message = f"override {index + 1} of those for this cluster: {error}"
            finding = found(
                error.code, message, source=document.source, subject=document.subject, rule="overrides"
            )
            return None, (finding,)
    patched = replace(document, body=body)
    spoiled = tuple(_schema_findings(patched, schemas))
    return None if spoiled else patched, spoiled


def _schema_findings(document: Document, schemas: Mapping[str, Sequence[Validator]]) -> Iterator[Finding]:
    """FW1403. A manifest is held against Kubernetes' schemas later, like every other object."""
    if document.group != GROUP:
        return
    own = own_schemas().get(document.kind)
    checks = schemas.get(document.kind) or ((own,) if own else ())
    for error in (error for check in checks for error in check.errors(document.body)):
        place = "/".join(str(step) for step in error.instance_path)
        message = f"after the overrides for this cluster, {place or 'the document'} is not valid"
        rule = f"patched:/{place}"
        yield found("FW1403", message, source=document.source, subject=document.subject, rule=rule)


def _apply(document: Document, body: Json, patch: Json) -> Json:
    patched = merge_patch(body, patch) if isinstance(patch, dict) else json_patch(body, patch)
    if _size(patched) > MAX_BYTES:
        raise OverrideError("FW1401", f"the result is larger than {MAX_BYTES} bytes")
    if _identity(patched) != _identity(document.body):
        raise OverrideError("FW1402", f"expected {_identity(document.body)}, got {_identity(patched)}")
    return patched


def merge_patch(target: Json, patch: Json) -> Json:
    """RFC 7386, section 2. ``target`` is not changed; unchanged parts are shared with it."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


def json_patch(target: Json, patch: Sequence[Json]) -> Json:
    """RFC 6902. ``target`` is not changed. Raises OverrideError."""
    import jsonpatch

    result = deepcopy(target)
    for operation in patch:
        try:
            result = jsonpatch.JsonPatch([operation]).apply(result, in_place=True)
        except jsonpatch.JsonPatchTestFailed as error:
            raise OverrideError("FW1401", _told(operation, "the value is another one")) from error
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
            # The library's text quotes the document, which may hold a secret.
            raise OverrideError("FW1401", _told(operation, "there is no such place")) from error
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            # The library walks into values without looking: a step through a number, an index into text.
            raise OverrideError("FW1401", _told(operation, "the path does not fit the document")) from error
        if operation.get("op") == "copy" and _size(result) > MAX_BYTES:
            raise OverrideError("FW1401", f"the result is larger than {MAX_BYTES} bytes")
    return result


def _told(operation: Json, reason: str) -> str:
    op, path = (operation.get("op"), operation.get("path")) if isinstance(operation, dict) else ("?", "?")
    return f"{str(op)[:20]} {str(path)[:200]}: {reason}"


def _size(body: Json) -> int:
    try:
        return len(orjson.dumps(body))
    except TypeError as error:
        raise OverrideError("FW1401", f"the result is not JSON: {error}") from error


def _identity(body: Json) -> tuple[Json, ...]:
    if not isinstance(body, dict) or not isinstance(body.get("metadata"), dict):
        return ()
    metadata = body["metadata"]
    return body.get("apiVersion"), body.get("kind"), metadata.get("name"), metadata.get("namespace")
