"""Results of single documents as bytes, for the cache.

Rules kept here
- A key names everything that a result depends on: the code, the document's place and content, the member's
  Kubernetes version, what the compiler reads elsewhere, and the cluster itself only if overrides apply.
  So three members of one version share their entries.
- A value is one line of JSON about the objects and findings, then the objects' bytes, one after the other.
- A value that cannot be read counts as absent: a cache can always be thrown away.

>>> encode(Unit())
b'[[],[]]\\n'
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from reconciler.compile.codes import found
from reconciler.documents import Document
from reconciler.model import DesiredObject, Finding, Json, ObjectRef, Severity


@dataclass(frozen=True, slots=True)
class Unit:
    """What one document comes to on one cluster."""

    objects: tuple[DesiredObject, ...] = ()
    findings: tuple[Finding, ...] = ()


def encode(unit: Unit) -> bytes:
    """See the module's docstring. Sources are not kept: they are the document's."""
    objects = [_object_head(item) for item in unit.objects]
    head = orjson.dumps([objects, [_finding_head(item) for item in unit.findings]])
    return b"\n".join([head, b"".join(item.body for item in unit.objects)])


def _object_head(item: DesiredObject) -> list[Json]:
    ref = item.ref
    return [
        ref.group,
        ref.kind,
        ref.namespace,
        ref.name,
        item.version,
        item.digest,
        item.take_conflicts,
        len(item.body),
    ]


def _finding_head(item: Finding) -> list[Json]:
    return [item.code, item.message, item.severity.value, item.subject, item.rule, item.expected, item.got]


def decode(value: bytes | None, document: Document) -> Unit | None:
    """The Unit that ``encode`` wrote, None for anything else."""
    if not value:
        return None
    try:
        end = value.index(b"\n")
        objects, findings = orjson.loads(value[:end])
        return Unit(
            _objects(objects, value, end + 1, document),
            tuple(_findings(findings, document)) if findings else (),
        )
    except (ValueError, TypeError, KeyError):
        return None


def _objects(heads: list[Any], value: bytes, start: int, document: Document) -> tuple[DesiredObject, ...]:
    objects = []
    for group, kind, namespace, name, version, digest, takes, length in heads:
        body = value[start : start + length]
        start += length
        ref = ObjectRef(group, kind, namespace, name)
        objects.append(DesiredObject(ref, version, digest, body, document.source, takes))
    return tuple(objects)


def _findings(heads: list[Any], document: Document) -> Iterator[Finding]:
    for code, message, severity, subject, rule, expected, got in heads:
        yield found(
            code,
            message,
            source=document.source,
            severity=Severity(severity),
            subject=subject,
            rule=rule,
            expected=expected,
            got=got,
        )
