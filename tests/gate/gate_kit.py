"""Documents, sources and gates for the gate's tests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reconciler.gate import ContentInput, Gate, GateDocument, GateSource, Module
from reconciler.model import Snapshot

NOW = datetime(2026, 7, 25, 12, 30, tzinfo=UTC)
OWN = "fleetward.io/v1alpha1"
RBAC = "rbac.authorization.k8s.io/v1"


def document(
    kind: str, name: str, *, api: str = OWN, path: str = "a.yaml", origin: str = "", **body: Any
) -> GateDocument:
    whole = {"apiVersion": api, "kind": kind, "metadata": {"name": name}, **body}
    digest = hashlib.sha256(json.dumps(whole).encode()).hexdigest()
    return GateDocument(f"{path}#0", whole, digest, origin)


def content(*documents: GateDocument, federation: Any = None, exceptions: Any = ()) -> ContentInput:
    return ContentInput(federation or {}, [], list(exceptions), tuple(documents))


def module(topic: str, text: str, path: str = "") -> Module:
    return Module(path or f"policies/gate/{topic}.rego", f"package fleetward.gate.{topic}\n\n{text}\n")


def source(*modules: Module, name: str = "fleet") -> GateSource:
    return GateSource(name, modules)


def gate_of(opa: str, *modules: Module, timeout: float = 10.0, **options: Any) -> Gate:
    return Gate(source(*modules), opa=Path(opa), timeout=timeout, **options)


class Memory(dict[str, bytes]):
    """The cache port in memory."""

    def put(self, key: str, value: bytes) -> None:
        self[key] = value


class Files:
    """The blob port in memory: the blob id is the path."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files

    def read(self, blob: str) -> bytes:
        return self.files[blob]


def snapshot(files: Mapping[str, bytes]) -> Snapshot:
    return Snapshot("c" * 40, "t" * 40, {path: path for path in sorted(files)}, Files(files))
