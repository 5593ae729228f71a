"""One document's way to its objects: overrides, compiler, labels and digest, validation.

Rules kept here
- The same steps for every kind, in this order; each collects findings, none raises for what a document says.
- An object is kept even if it has findings, as long as it can be written as JSON.

>>> Unit().objects
()
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reconciler.compile.codes import found
from reconciler.compile.context import Compiler, Context
from reconciler.compile.objects import finished, labelled, ownership_findings
from reconciler.compile.stored import Unit
from reconciler.compile.validate import validate
from reconciler.documents import Document
from reconciler.model import DesiredObject, Finding


def compile_document(document: Document, compiler: Compiler, context: Context) -> Unit:
    """The Unit of a document whose overrides have been applied."""
    result = compiler.compile(document, context)
    objects: list[DesiredObject] = []
    findings: list[Finding] = list(result.findings)
    for body in result.objects:
        findings += _finish(body, document, context, objects)
    return Unit(tuple(objects), tuple(findings))


def _finish(
    body: dict[str, Any], document: Document, context: Context, objects: list[DesiredObject]
) -> Sequence[Finding]:
    """Appends the finished object; findings about it."""
    owned = tuple(ownership_findings(body, document))
    ours = labelled(body, document.source.path)
    try:
        objects.append(finished(ours, document))
    except TypeError as error:
        message = f"{document.kind} {document.name} cannot be written as JSON: {error}"
        return (*owned, found("FW1427", message, source=document.source, subject=document.subject))
    return (*owned, *validate(ours, document, context))
