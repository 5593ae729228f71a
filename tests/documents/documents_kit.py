"""Snapshots from plain dictionaries, and small documents to put into them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from reconciler.errors import RepositoryError
from reconciler.model import Snapshot
from reconciler.product import product_root

Files = dict[str, str | bytes]


class MemoryBlobs:
    """The Blobs port over a dictionary; counts what is read."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.reads = 0

    def read(self, blob: str) -> bytes:
        self.reads += 1
        if blob not in self.contents:
            raise RepositoryError("no such blob", got=blob)
        return self.contents[blob]


class MemoryCache:
    """The Cache port over a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self.kept.get(key)

    def put(self, key: str, value: bytes) -> None:
        self.kept[key] = value

    def get_many(self, keys: Iterable[str]) -> Mapping[str, bytes]:
        return {key: self.kept[key] for key in keys if key in self.kept}

    def put_many(self, items: Mapping[str, bytes]) -> None:
        self.kept.update(items)


def snapshot(files: Files) -> Snapshot:
    """A Snapshot of these files, with Git's own blob ids."""
    blobs = MemoryBlobs()
    paths: dict[str, str] = {}
    for path in sorted(files):
        content = files[path]
        data = content.encode() if isinstance(content, str) else content
        blob = hashlib.sha1(b"blob %d\0%s" % (len(data), data), usedforsecurity=False).hexdigest()
        blobs.contents[blob] = data
        paths[path] = blob
    return Snapshot("c" * 40, "d" * 40, paths, blobs)


def schema_of(kind: str) -> dict[str, Any]:
    """The product's schema of a kind."""
    body: dict[str, Any] = json.loads((product_root() / "schemas/v1alpha1" / f"{kind}.json").read_bytes())
    return body


def example(kind: str, name: str | None = None, **spec: Any) -> dict[str, Any]:
    """The example of a kind's schema, with another name and other fields of spec; None takes a field out."""
    body: dict[str, Any] = schema_of(kind)["examples"][0]
    body["metadata"]["name"] = name or body["metadata"]["name"]
    body["spec"] = {key: value for key, value in {**body["spec"], **spec}.items() if value is not None}
    return body


def text(*bodies: dict[str, Any]) -> str:
    """Documents as YAML."""
    return yaml.safe_dump_all(bodies, sort_keys=False)


def fleet_files(**more: str | bytes) -> Files:
    """A small good fleet: a Federation, two clusters, a role that its gate allows wildcards."""
    files: Files = {
        "federation.yaml": text(example("Federation")),
        "policies/rbac/admin.yaml": text(example("FederatedRole", "platform-admin")),
    }
    for name in ("member-a", "member-b"):
        files[f"clusters/{name}.yaml"] = text(example("Cluster", name))
    return {**files, **more}
