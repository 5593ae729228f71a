"""What a compiler may know beside its document, and what it gives back.

Rules kept here
- A compiler sees no cluster: whatever differs between clusters reaches it through its document (overrides are
  already applied) or through this Context. So one result serves every cluster with an equal Context.
- A compiler that looks at other documents says so with ``reads``: the text that it returns is part of the key
  under which its result is cached. What ``reads`` does not mention, ``compile`` must not use.

>>> Compiler(lambda document, context: Result(({"kind": document.kind},))).reads(None, None)
''
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from reconciler.compile.custom import CustomKind
from reconciler.compile.kubeschemas import schemas_for
from reconciler.documents import Document
from reconciler.model import Finding, Json


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """A FederatedRole as its bindings need it, overrides applied; ``placed``: on this cluster."""

    scope: str  # "Cluster" or "Namespace"
    namespaces: tuple[str, ...]
    placed: bool


@dataclass(frozen=True, slots=True)
class Context:
    """``version`` is the member's Kubernetes version; ``roles`` by name; ``custom`` by (group, kind).

    ``registered`` is every registration, on the cluster that mirrors the fleet.
    """

    version: str
    roles: Mapping[str, RoleFacts] = field(default_factory=dict)
    custom: Mapping[tuple[str, str], CustomKind] = field(default_factory=dict)
    registered: tuple[tuple[str, Mapping[str, str]], ...] = ()  # name, labels; where the fleet is mirrored

    def builtin(self, group: str, kind: str) -> bool:
        """Whether the member's Kubernetes has the kind by itself."""
        schemas = schemas_for(self.version)
        return schemas is not None and bool(schemas.served(group, kind))


@dataclass(frozen=True, slots=True)
class Result:
    """Objects without our labels and annotations, and what was found."""

    objects: tuple[Json, ...] = ()
    findings: tuple[Finding, ...] = ()


def reads_nothing(_document: Document, _context: Context) -> str:
    """For compilers that look at their document alone."""
    return ""


@dataclass(frozen=True, slots=True)
class Compiler:
    """One kind's way to Kubernetes objects; see the module's docstring for ``reads``."""

    compile: Callable[[Document, Context], Result]
    reads: Callable[[Document, Context], str] = reads_nothing
