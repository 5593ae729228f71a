"""Desired objects as a YAML stream, in an order that ``kubectl apply -f -`` can take."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import yaml

from reconciler.model import DesiredObject

_FIRST = ("Namespace", "CustomResourceDefinition")


def yaml_stream(objects: Sequence[DesiredObject]) -> str:
    """One document an object; namespaces and CRDs first, each with a comment that names its source."""
    ordered = sorted(objects, key=lambda item: (item.ref.kind not in _FIRST, item.ref))
    return "".join(_document(item) for item in ordered)


def _document(item: DesiredObject) -> str:
    body = yaml.dump(
        orjson.loads(item.body),
        Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper),
        sort_keys=False,
        allow_unicode=True,
        width=1000,
    )
    return f"---\n# {item.source}\n{body}"
