"""Every object against Kubernetes' schemas of the member's version, or the CRDs of the same commit.

Rules kept here
- Unknown fields are errors: the API server would drop some of them without a word.
- A kind of a built-in group that this Kubernetes does not serve is an error. A kind of another group that no
  definition of the commit describes is a warning, since the member may have its definition already.
- All errors of an object are told, up to ``MAX_FINDINGS``. Values are not shown: they may be secrets.
- ``rule`` is ``schema:<JSON pointer>`` into the manifest; for what we compiled it is ``compiled:<pointer>``,
  because that pointer is not one into the document.

>>> pointer(["metadata", "labels", "a/b", 0])
'/metadata/labels/a~1b/0'
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from reconciler.compile import custom
from reconciler.compile.codes import found
from reconciler.compile.context import Context
from reconciler.compile.kubeschemas import Schemas, Validator, schemas_for
from reconciler.documents import GROUP, Document
from reconciler.model import Finding, Json, Severity

MAX_FINDINGS = 20  # of one object


def validate(body: dict[str, Any], document: Document, context: Context) -> tuple[Finding, ...]:
    """Findings FW1441 to FW1446 about one object; () when Kubernetes would take it."""
    schemas = schemas_for(context.version)
    if schemas is None:
        return ()  # FW1447, once for the cluster
    group, _, version = body["apiVersion"].rpartition("/")
    kind = body["kind"]
    validator = schemas.validator(group, version, kind)
    if validator is None:
        return _custom(body, document, context, schemas)
    return () if validator.compiled.is_valid(body) else tuple(_errors(validator, body, document))


def _custom(
    body: dict[str, Any], document: Document, context: Context, schemas: Schemas
) -> tuple[Finding, ...]:
    group, _, version = body["apiVersion"].rpartition("/")
    kind = context.custom.get((group, body["kind"]))
    if kind is None:
        return (_unknown_kind(body, document, schemas),)
    if version not in kind.served:
        message = f"{body['kind']} is not served as {body['apiVersion']}"
        return (
            _about(
                document, "FW1445", message, "/apiVersion", expected=" or ".join(kind.served), got=version
            ),
        )
    schema = kind.schemas[version]
    if not schema:
        return ()
    try:
        validator = custom.validator(schema, context.version)
    except ValueError as error:
        message = f"the definition of {body['kind']} cannot be used: {str(error).splitlines()[0][:200]}"
        return (_about(document, "FW1446", message, "/kind"),)
    return () if validator.compiled.is_valid(body) else tuple(_errors(validator, body, document))


def _unknown_kind(body: dict[str, Any], document: Document, schemas: Schemas) -> Finding:
    group = body["apiVersion"].rpartition("/")[0]
    api_version, kind = body["apiVersion"], body["kind"]
    if group not in schemas.groups:
        message = f"no definition of {kind} ({api_version}) is placed on this cluster"
        return _about(document, "FW1444", message, "/kind", severity=Severity.WARNING)
    served = [f"{group}/{version}" if group else version for version in schemas.served(group, kind)]
    message = f"Kubernetes {schemas.version} does not serve {kind} as {api_version}"
    return _about(document, "FW1443", message, "/apiVersion", expected=" or ".join(served), got=api_version)


def _errors(validator: Validator, body: Json, document: Document) -> Iterator[Finding]:
    for error in islice(validator.compiled.iter_errors(body), MAX_FINDINGS):
        path = list(error.instance_path)
        if error.kind.name == "additionalProperties":
            known = validator.siblings(error.schema_path)
            yield from (_unknown_field(document, path, name, known) for name in error.kind.unexpected)
        else:
            yield _about(document, "FW1441", f"{_field(path)} {_reason(error)}", pointer(path))


def _unknown_field(document: Document, path: Sequence[str | int], name: str, known: Sequence[str]) -> Finding:
    close = difflib.get_close_matches(name, known, n=1)
    where = [*path, name]
    return _about(
        document, "FW1442", f"{_field(where)} is no field", pointer(where), expected="".join(close), got=name
    )


def _reason(error: Any) -> str:
    """What was expected, without the value: it may be a secret."""
    kind = error.kind
    match kind.name:
        case "required":
            return f"lacks the field {kind.property}"
        case "type":
            return f"must be {' or '.join(t for t in kind.types if t != 'null')}"
        case "enum":
            return f"must be one of {', '.join(str(option) for option in kind.options)}"
        case "pattern":
            return f"must match {kind.pattern}"
        case "minimum" | "maximum" | "minLength" | "maxLength" | "minItems" | "maxItems":
            return f"breaks {kind.name} {kind.limit}"
        case name:
            return f"breaks {name}"


def _field(path: Sequence[str | int]) -> str:
    return ".".join(str(step) for step in path) or "the object"


def pointer(path: Sequence[str | int]) -> str:
    """RFC 6901, "" for the whole document."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)


def _about(
    document: Document,
    code: str,
    message: str,
    at: str,
    *,
    expected: str = "",
    got: str = "",
    severity: Severity = Severity.ERROR,
) -> Finding:
    rule = f"{'compiled' if document.group == GROUP else 'schema'}:{at}"
    return found(
        code,
        message,
        source=document.source,
        subject=document.subject,
        rule=rule,
        expected=expected,
        got=got,
        severity=severity,
    )
