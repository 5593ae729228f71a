"""Whether a live object is what was applied: by structure, for somebody who may only read.

- Every field that was applied has to be there with its value. What the API server adds (defaults, status)
  does not count, nor how it spells a quantity, nor that it leaves out an empty value of a built-in kind.
- Lists have to be of the same length, in order; items that were applied with a ``name`` are found by it.
- Whatever somebody has written beside that is named (``managed_fields``).
- In RBAC objects, network policies and admission policies a field more inside a rule means another rule:
  there nothing but the API server's known defaults may be more.

>>> live = {"kind": "ConfigMap", "metadata": {"uid": "u"}, "data": {"colour": "red"}}
>>> unlike({"kind": "ConfigMap", "data": {"colour": "blue"}}, live)
('.data.colour is "red"',)
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

import orjson

from reconciler.model import Json
from reconciler.pipeline.managed_fields import foreign_fields, join

_RBAC: Final = "rbac.authorization.k8s.io"
_ANY: Final = object()
# What the API server adds to kinds in which nothing else may be more: API group -> field -> its default.
# An empty selector is the default where a policy says what it judges; in a network policy it means everybody.
_DEFAULTS: Mapping[str, Mapping[str, object]] = {
    _RBAC: {"apiGroup": _ANY},
    "networking.k8s.io": {"protocol": "TCP", "policyTypes": _ANY},
    "admissionregistration.k8s.io": {
        "scope": "*", "matchPolicy": "Equivalent", "failurePolicy": "Fail",
        "namespaceSelector": {}, "objectSelector": {},
    },
}  # fmt: skip
_STRICT_KINDS: Final = {
    "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "NetworkPolicy",
    "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
}  # fmt: skip
_BUILT_IN = re.compile(r"(?:v1|(?:apps|batch|autoscaling|policy|[a-z.]+\.k8s\.io)/.*)\Z")
# Absent means something else here than false or "", although the API server leaves those out elsewhere.
_POINTERS: Final = {
    "automountServiceAccountToken",
    "allowPrivilegeEscalation",
    "hostUsers",
    "storageClassName",
}
_MAPS: Final = {"labels", "annotations", "matchLabels", "nodeSelector", "selector", "data", "binaryData"}
_QUANTITIES: Final = {
    "limits", "requests", "hard", "capacity", "default", "defaultRequest", "min", "max",
    "maxLimitRequestRatio", "overhead", "sizeLimit", "divisor",
}  # fmt: skip
_QUANTITY = re.compile(r"([+-]?[0-9.]+)(?:([KMGTPE]i)|([numkMGTPE]?)|[eE]([+-]?[0-9]{1,2}))\Z")
_DECIMAL = {unit: Decimal(10) ** (3 * n) for n, unit in enumerate(("n", "u", "m", "", "k", *"MGTPE"), -3)}
_BINARY = {f"{unit}i": Decimal(1024) ** n for n, unit in enumerate("KMGTPE", 1)}
_MOST = 20  # differences that are named


def unlike(applied: Json, live: Json) -> tuple[str, ...]:
    """How ``live`` differs from what was ``applied``, at most 20 lines; () when it does not.

    Values are shown, except a Secret's.
    """
    compare = _Comparison(applied)
    lines = dict.fromkeys(compare.walk("", _prepared(applied), _visible(live)))
    lines |= dict.fromkeys(foreign_fields(_prepared(applied), live))
    return tuple(lines)[:_MOST]


class _Comparison:
    def __init__(self, applied: Json) -> None:
        version, kind = str(applied.get("apiVersion", "")), str(applied.get("kind", ""))
        self._strict = _DEFAULTS.get(version.rpartition("/")[0], {}) if kind in _STRICT_KINDS else None
        self._built_in = _BUILT_IN.match(version) is not None
        self._hidden = kind == "Secret"
        self._aggregated = "aggregationRule" in applied

    def walk(self, path: str, applied: Json, live: Json, key: str = "") -> Iterator[str]:
        if isinstance(applied, dict) and isinstance(live, dict):
            yield from self._maps(path, applied, live, key)
        elif isinstance(applied, list) and isinstance(live, list):
            yield from self._lists(path, applied, live, key)
        elif (type(applied) is not type(live) or applied != live) and not _same_quantity(key, applied, live):
            yield f"{path} is {self._shown(path, live)}"

    def _maps(self, path: str, applied: Json, live: Json, key: str) -> Iterator[str]:
        for name, value in applied.items():
            inner = join(path, name)
            if name in live:
                # The names below "limits" are free; what they have in common is their parent.
                yield from self.walk(inner, value, live[name], key if key in _QUANTITIES else name)
            elif not (value is None or (self._built_in and _left_out(name, value))):
                yield f"{inner} is missing"
        if self._strict is not None and not path.startswith(".metadata"):
            yield from self._more(path, applied, live)

    def _more(self, path: str, applied: Json, live: Json) -> Iterator[str]:
        defaults = self._strict or {}
        for name in live.keys() - applied.keys():
            default = defaults.get(name)
            known = default is _ANY or (default is not None and live[name] == default)
            rules = not path and self._aggregated and name == "rules"
            if not known and not rules and not (not path and live[name] is None):
                yield f"{join(path, name)} is {self._shown(path, live[name])}"

    def _lists(self, path: str, applied: list[Json], live: list[Json], key: str) -> Iterator[str]:
        if len(applied) != len(live):
            yield f"{path} has {len(live)} items instead of {len(applied)}"
            return
        names = [item.get("name") if isinstance(item, dict) else None for item in live]
        for index, item in enumerate(applied):
            name = item.get("name") if isinstance(item, dict) else None
            at = names.index(name) if name is not None and names.count(name) == 1 else index
            yield from self.walk(f"{path}[{at}]", item, live[at], key)

    def _shown(self, path: str, value: Json) -> str:
        if self._hidden and path.startswith((".data", ".stringData")):
            return "another value"
        text = orjson.dumps(value).decode()
        return text if len(text) <= 80 else f"{text[:77]}..."


def _visible(live: Json) -> Json:
    """Without what the API server alone writes."""
    metadata = {key: value for key, value in live.get("metadata", {}).items() if key != "managedFields"}
    return {key: value for key, value in live.items() if key != "status"} | {"metadata": metadata}


def _prepared(applied: Json) -> Json:
    """As the API server keeps it: a Secret's ``stringData`` goes into its data; status is not applied."""
    body = {key: value for key, value in applied.items() if key != "status"}
    if body.get("kind") == "Secret" and isinstance(body.get("stringData"), dict):
        texts = body.pop("stringData")
        coded = {key: base64.b64encode(str(value).encode()).decode() for key, value in texts.items()}
        body["data"] = {**(body.get("data") or {}), **coded}
    return body


def _left_out(name: str, value: Json) -> bool:
    """Whether the API server leaves out such a value of a built-in kind (Go's ``omitempty``)."""
    if value == {}:
        return name in _MAPS
    return not value and name not in _POINTERS


def _same_quantity(key: str, applied: Json, live: Json) -> bool:
    if key not in _QUANTITIES or isinstance(applied, bool) or not isinstance(live, str):
        return False
    one, other = _quantity(str(applied)), _quantity(live)
    return one is not None and one == other


def _quantity(text: str) -> Decimal | None:
    """The number of a Kubernetes quantity: "500m", "1Gi", "1e3"; None for anything else.

    >>> _quantity("1000m") == _quantity("1"), _quantity("1Ki")
    (True, Decimal('1024'))
    """
    match = _QUANTITY.match(text) if len(text) <= 64 else None
    if match is None:
        return None
    number, binary, decimal, exponent = match.groups()
    try:
        if exponent:
            return Decimal(number) * Decimal(10) ** int(exponent)
        return Decimal(number) * (_BINARY[binary] if binary else _DECIMAL[decimal or ""])
    except (InvalidOperation, KeyError):
        return None
