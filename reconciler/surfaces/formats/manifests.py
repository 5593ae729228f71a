"""Desired objects as a YAML stream, in an order that ``kubectl apply -f -`` can take."""

from __future__ import annotations

import re
from collections.abc import Sequence

import orjson
import yaml

from reconciler.model import DesiredObject

_FIRST = ("Namespace", "CustomResourceDefinition")
# What every YAML reader takes for a string, unquoted. kubectl's reader follows YAML 1.1 and its own ways
# ("y", "1e3", "08", "0o17" are no strings), so everything else is quoted.
_PLAIN = re.compile(r"(?!(?:y|n|yes|no|on|off|true|false|null|nan|inf)\Z)[A-Za-z][A-Za-z0-9_./-]*\Z", re.I)


class _Dumper(yaml.SafeDumper):
    """Strings are quoted unless they cannot be taken for anything else; long texts are blocks."""


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None if _PLAIN.match(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _represent_text)


def yaml_stream(objects: Sequence[DesiredObject]) -> str:
    """One document an object; namespaces and CRDs first, each with a comment that names its source."""
    ordered = sorted(objects, key=lambda item: (item.ref.kind not in _FIRST, item.ref))
    return "".join(_document(item) for item in ordered)


def _document(item: DesiredObject) -> str:
    body = yaml.dump(
        orjson.loads(item.body),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=1000,
    )
    return f"---\n# {item.source}\n{body}"
