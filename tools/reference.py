"""Makes docs/reference.md from schemas/: one table a kind, with every field, its type, default and meaning.

    python -m tools.reference            writes docs/reference.md
    python -m tools.reference --check    exits 1 when docs/reference.md is not what would be written

The schemas are the only source: a field without a description is an error here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import yaml

from tools.generated import ROOT, main

FOLDERS = {
    "Federation": "federation.yaml",
    "Cluster": "clusters/",
    "FederatedRole": "policies/rbac/",
    "FederatedRoleBinding": "policies/rbac/",
    "FederatedNetworkRule": "policies/rules/",
    "PolicyException": "policies/exceptions/",
    "Join": "",
}
SHARED = {"labels", "annotations", "placement", "overrides", "selector"}  # described once, at the end
HEAD = """<!-- Made by tools/reference.py from schemas/. Do not edit. -->

# Reference

Every document has `apiVersion: fleetward.io/v1alpha1`. A `*` after a field means that it is required where
its parent is given. Unknown fields are refused. For completion and checks while typing, start a file with

```yaml
# yaml-language-server: $schema=https://fleetward.io/schemas/v1alpha1/<Kind>.json
```
"""
MANIFESTS = """## Plain manifests

Folder: `policies/manifests/` (YAML or JSON, any Kubernetes kind). Needs apiVersion, kind and metadata.name;
`generateName`, `status` and what only an API server sets are refused. A `v1` `List` counts as its items.
Annotations say where and how an object is placed; they never reach a cluster.

| annotation | content |
|---|---|
| `fleetward.io/placement` | YAML or JSON text of a [placement](#placement) |
| `fleetward.io/overrides` | YAML or JSON text of a list of [overrides](#overrides) |
| `fleetward.io/conflict` | `take`: apply takes over fields that another manager owns |

```yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: shop
  annotations:
    fleetward.io/placement: |
      clusterSelector: {matchLabels: {environment: production}}
    fleetward.io/overrides: |
      - clusterSelector: {matchLabels: {tier: critical}}
        patch: {data: {replicas: "3"}}
data:
  replicas: "1"
```
"""


def page() -> str:
    """The whole page."""
    schemas = {kind: _schema(kind) for kind in FOLDERS}
    shared = {name: body for schema in schemas.values() for name, body in schema["$defs"].items()}
    sections = [_kind(kind, schema) for kind, schema in schemas.items()]
    parts = [_shared(name, shared) for name in ("placement", "overrides", "selector")]
    return "\n".join([HEAD, *sections, MANIFESTS, *parts])


def _schema(kind: str) -> dict[str, Any]:
    path = ROOT / "schemas" / "v1alpha1" / f"{kind}.json"
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


def _kind(kind: str, schema: dict[str, Any]) -> str:
    example = yaml.safe_dump(schema["examples"][0], sort_keys=False, width=100).rstrip()
    properties = schema["properties"]
    rows = [
        *_rows("metadata", properties["metadata"], schema["$defs"]),
        *_rows("spec", properties["spec"], schema["$defs"]),
    ]
    lines = [
        f"## {kind}",
        "",
        _cell(schema["description"]),
        "",
        *([f"Place: `{FOLDERS[kind]}`", ""] if FOLDERS[kind] else []),
        *_table(rows),
    ]
    return "\n".join([*lines, "", "```yaml", example, "```", ""])


def _shared(name: str, shared: dict[str, Any]) -> str:
    body = shared[name]
    path = name if body["type"] == "object" else f"{name}[]"
    items = body if body["type"] == "object" else _resolve(body["items"], shared)
    rows = list(_rows(path, items, shared))
    return "\n".join([f"## {name}", "", body["description"], "", *_table(rows), ""])


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    return [
        "| field | type | default | description |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _rows(path: str, node: dict[str, Any], shared: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """One row for each property below a node, depth first."""
    required = node.get("required", ())
    for name, raw in node.get("properties", {}).items():
        field = _resolve(raw, shared)
        mark = "*" if name in required else ""
        default = f"`{json.dumps(field['default'])}`" if "default" in field else ""
        yield f"`{path}.{name}`{mark}", _type(raw, field, shared), default, _cell(field["description"])
        if raw.get("$ref", "").rpartition("/")[2] not in SHARED:
            yield from _below(f"{path}.{name}", field, shared)


def _below(path: str, field: dict[str, Any], shared: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    while "items" in field and "properties" not in field:
        if field["items"].get("$ref", "").rpartition("/")[2] in SHARED:
            return
        path, field = f"{path}[]", _resolve(field["items"], shared)
    yield from _rows(path, field, shared)


def _resolve(raw: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    """A field with its definition filled in; what stands beside ``$ref`` wins."""
    if "$ref" not in raw:
        return raw
    return {**shared[raw["$ref"].rpartition("/")[2]], **raw}


def _type(raw: dict[str, Any], field: dict[str, Any], shared: dict[str, Any]) -> str:
    name = raw.get("$ref", "").rpartition("/")[2]
    if name in SHARED - {"annotations", "labels"}:
        return f"[{name}](#{name})"
    if "enum" in field:
        return " or ".join(f"`{json.dumps(value)}`" for value in field["enum"])
    types = field.get("type", "any")
    text = " or ".join(types) if isinstance(types, list) else str(types)
    if text == "array":
        item = field["items"]
        return f"list of {_type(item, _resolve(item, shared), shared)}"
    if "additionalProperties" in field and field["additionalProperties"] is not False:
        return "map of strings"
    return text


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")


if __name__ == "__main__":
    sys.exit(main("docs/reference.md", page, "make docs"))
