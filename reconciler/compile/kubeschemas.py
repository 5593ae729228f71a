"""Kubernetes' own JSON schemas, as the installed package ``kubernetes_validate`` ships them.

The one module of this room that reads files, and only files of installed packages: the strict schemas
(unknown fields are errors) and this package's sources, whose digest keys cached results.

Rules kept here
- A member is judged by the newest schemas that are not newer than the member.
- A kind's validator is compiled from the definitions that it refers to and no others, once per process.
- The shipped schemas are tightened where that is cheap and the API server does the same: integers keep to
  their width, quantities, base64, label keys and values, and names to their syntax.
- ``kubernetes_validate`` is located, not imported: importing it costs more than all its schemas.

>>> schemas_for("1.36.2").version, schemas_for("1.20") is None
('1.36', True)
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from reconciler.compile.formats import DNS_LABEL, DNS_SUBDOMAIN, PATH_SEGMENT, Rules, metadata_rules, tighten
from reconciler.errors import CompileError
from reconciler.model import Json

META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
# Kinds whose names the API server lets be any path segment, rather than DNS-1123 subdomains.
_FREE_NAMES = frozenset(
    {
        "rbac.authorization.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "apiregistration.k8s.io",
        "certificates.k8s.io",
    }
)
_DECIDING = ("kubernetes_validate-", "jsonschema_rs-", "jsonpatch-", "orjson-")
Gvk = tuple[str, str, str]  # group, version, kind


@dataclass(frozen=True, slots=True)
class Validator:
    """One kind's schema, and the same compiled: ``compiled`` is a ``jsonschema_rs`` validator."""

    schema: Json
    compiled: Any

    def siblings(self, schema_path: Sequence[str | int]) -> list[str]:
        """The fields that are known where an unknown one was found, [] when that cannot be told."""
        place = self.schema
        for step in schema_path[:-1]:
            place = place.get(step, {}) if isinstance(place, dict) else place[int(step)]
        return list(place.get("properties", {})) if isinstance(place, dict) else []


class Schemas:
    """The definitions of one Kubernetes version ("1.36"); validators are made when first asked for."""

    def __init__(self, version: str, definitions: dict[str, Json]) -> None:
        self.version = version
        self._definitions = definitions
        self._names = dict(_kinds(definitions))
        self._validators: dict[Gvk, Validator | None] = {}
        self._served: dict[tuple[str, str], list[str]] = {}
        for group, api_version, kind in self._names:
            self._served.setdefault((group, kind), []).append(api_version)
        self.groups = frozenset(group for group, _ in self._served)

    @property
    def kinds(self) -> list[Gvk]:
        """All kinds, sorted."""
        return sorted(self._names)

    def served(self, group: str, kind: str) -> list[str]:
        """The versions in which Kubernetes has the kind, [] for none."""
        return sorted(self._served.get((group, kind), []))

    def validator(self, group: str, version: str, kind: str) -> Validator | None:
        """The kind's validator, None when this Kubernetes does not have it."""
        gvk = (group, version, kind)
        if gvk not in self._validators:
            name = self._names.get(gvk)
            self._validators[gvk] = self._compile(self._kind_schema(name, group, kind)) if name else None
        return self._validators[gvk]

    def custom_validator(self, schema: dict[str, Json]) -> Validator:
        """A validator for a custom resource: ``schema`` with the definitions that its metadata needs.

        Raises ValueError for a schema that cannot be compiled.
        """
        return self._compile(schema | {"$defs": self._closure({"$ref": f"#/$defs/{META}"}, DNS_SUBDOMAIN)})

    def _compile(self, schema: dict[str, Json]) -> Validator:
        import jsonschema_rs

        whole = {"$schema": DRAFT, **schema}
        # RE2's dialect, linear in the value, as in Go: a custom kind's patterns mean what they say.
        linear = jsonschema_rs.RegexOptions()
        compiled = jsonschema_rs.Draft202012Validator(
            whole, validate_formats=True, offline=True, pattern_options=linear
        )
        return Validator(whole, compiled)

    def _kind_schema(self, name: str, group: str, kind: str) -> dict[str, Json]:
        free = group in _FREE_NAMES or kind == "IPAddress"
        short = DNS_LABEL if (group, kind) == ("", "Namespace") else DNS_SUBDOMAIN
        root = {"$ref": f"#/$defs/{name}"}
        needed = {"required": ["apiVersion", "kind", "metadata"]}
        return {**root, **needed, "$defs": self._closure(root, PATH_SEGMENT if free else short)}

    def _closure(self, root: Json, name: Rules) -> dict[str, Json]:
        """Every definition that ``root`` reaches, tightened."""
        found: dict[str, Json] = {}
        waiting = list(_references(root))
        while waiting:
            definition = waiting.pop()
            if definition not in found:
                found[definition] = tighten(self._definitions[definition])
                waiting += _references(self._definitions[definition])
        if META in found:
            found[META] = metadata_rules(found[META], name)
        return found


def _references(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        target = value.get("$ref")
        if isinstance(target, str):
            yield target.removeprefix("#/$defs/")
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _kinds(definitions: dict[str, Json]) -> Iterator[tuple[Gvk, str]]:
    for name, schema in definitions.items():
        for gvk in schema.get("x-kubernetes-group-version-kind") or ():
            if "metadata" in schema.get("properties", {}) and not gvk["kind"].endswith("List"):
                yield (gvk["group"], gvk["version"], gvk["kind"]), name


def _minor(version: str) -> tuple[int, int]:
    """(1, 36) of "1.36", "v1.36.3" or "1.36.0-local-strict". Raises CompileError."""
    try:
        major, minor = version.removeprefix("v").split("-")[0].split(".")[:2]
        return int(major), int(minor)
    except ValueError as error:
        raise CompileError(
            "a Kubernetes version that cannot be read", expected="1.36", got=version
        ) from error


@cache
def _package() -> Path:
    spec = importlib.util.find_spec("kubernetes_validate")
    if spec is None or not spec.submodule_search_locations:
        raise CompileError("Kubernetes' schemas are missing", hint="install the package kubernetes-validate")
    return Path(spec.submodule_search_locations[0])


@cache
def _folders() -> dict[tuple[int, int], Path]:
    root = _package() / "kubernetes-json-schema"
    return {_minor(folder.name): folder for folder in sorted(root.glob("v*-local-strict"))}


@cache
def schemas_for(version: str) -> Schemas | None:
    """The newest schemas not newer than ``version`` ("1.36" or "1.36.3"); None for an older Kubernetes.

    Raises CompileError for a version that cannot be read, and when the schemas are not installed.
    """
    newest = _newest(version)
    return _load(newest) if newest else None


def is_covered(version: str) -> bool:
    """Whether ``schemas_for`` has an answer, without reading it. Raises as it does."""
    return _newest(version) is not None


def _newest(version: str) -> tuple[int, int] | None:
    wanted = _minor(version)
    return max((have for have in _folders() if have <= wanted), default=None)


@cache
def _load(version: tuple[int, int]) -> Schemas:
    raw = (_folders()[version] / "_definitions.json").read_bytes()
    return Schemas("{}.{}".format(*version), orjson.loads(raw)["$defs"])


@cache
def code_digest() -> str:
    """Changes with this package's code and the schemas: what cached results depend on beside their input."""
    sources = b"\0".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    # Names like "orjson-3.11.0.dist-info" tell versions; importlib.metadata needs 50 ms for the same.
    beside = _package().parent.glob("*.dist-info")
    versions = sorted(path.name for path in beside if path.name.startswith(_DECIDING))
    return hashlib.sha256(sources + " ".join(versions).encode()).hexdigest()[:32]
