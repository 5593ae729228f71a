"""Sets of label values, as label selectors can describe them: intersection, complement, inclusion.

Rules kept here
- A selector is a conjunction over keys, and keys are independent, so a set of labelled things is one
  ``Values`` per key. ``Values(absent, negated, names)``: whether a thing without the key is in the set, and
  the values that are (``names``) or all but those (``negated``).
- ``expressible`` values are those that matchExpressions can say: In, NotIn, Exists, Exists with NotIn,
  DoesNotExist. "Absent or one of S" cannot be said and comes as two (De Morgan), see ``complement``.
- Semantics of the operators: ``labels.Requirement.Matches`` of k8s.io/apimachinery (NotIn holds for an
  absent key).

>>> [values.requirements("app") for values in complement(parse_requirement("Exists", ())) ]
[[{'key': 'app', 'operator': 'DoesNotExist'}]]
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.model import Json


@dataclass(frozen=True, slots=True)
class Values:
    """What one label key may be; see the module's docstring."""

    absent: bool
    negated: bool
    names: frozenset[str]

    @property
    def empty(self) -> bool:
        """Nothing at all is in the set. (Label values are unbounded, so a negated set never is empty.)"""
        return not self.absent and not self.negated and not self.names

    @property
    def full(self) -> bool:
        """Everything is in the set: the key does not matter."""
        return self.absent and self.negated and not self.names

    def __and__(self, other: Values) -> Values:
        absent = self.absent and other.absent
        if self.negated and other.negated:
            return Values(absent, True, self.names | other.names)
        if self.negated:
            return Values(absent, False, other.names - self.names)
        return Values(absent, False, self.names - other.names if other.negated else self.names & other.names)

    def __le__(self, other: Values) -> bool:
        return self & other == self

    def requirements(self, key: str) -> list[dict[str, Json]]:
        """matchExpressions items that mean this set; it must be expressible and not full."""
        names = sorted(self.names)
        if not self.negated:
            return [_item(key, "In", names) if names else _item(key, "DoesNotExist", [])]
        exists = [] if self.absent else [_item(key, "Exists", [])]
        return exists + ([_item(key, "NotIn", names)] if names else [])


def _item(key: str, operator: str, values: list[str]) -> dict[str, Json]:
    return (
        {"key": key, "operator": operator, "values": values} if values else {"key": key, "operator": operator}
    )


def parse_requirement(operator: str, values: Iterable[str]) -> Values:
    """The set that one matchExpressions item means. Raises ValueError for an unknown operator."""
    names = frozenset(values)
    if operator in {"In", "NotIn"}:
        return Values(operator == "NotIn", operator == "NotIn", names)
    if operator in {"Exists", "DoesNotExist"}:
        return Values(operator == "DoesNotExist", operator == "Exists", frozenset())
    raise ValueError(f"expected In, NotIn, Exists or DoesNotExist, got {operator}")


def complement(values: Values) -> tuple[Values, ...]:
    """Expressible sets whose union is everything else; none of them is empty."""
    absent, names = not values.absent, values.names
    if absent and values.negated and names:  # "absent or one of names": two selectors
        return Values(True, False, frozenset()), Values(False, False, names)
    rest = Values(absent, not values.negated, names)
    return () if rest.empty else (rest,)


Selector = dict[str, Values]


def parse_selector(selector: dict[str, Json]) -> Selector:
    """A metav1.LabelSelector as one set per key; {} is everything. Raises ValueError."""
    pairs = [
        (key, parse_requirement("In", [value])) for key, value in (selector.get("matchLabels") or {}).items()
    ]
    pairs += [
        (item["key"], parse_requirement(item["operator"], item.get("values") or []))
        for item in selector.get("matchExpressions") or []
    ]
    parsed: Selector = {}
    for key, values in pairs:
        parsed[key] = parsed[key] & values if key in parsed else values
    return parsed


def render_selector(selector: Selector) -> dict[str, Json]:
    """The LabelSelector that means the same, in one form: single values as matchLabels, keys sorted."""
    labels: dict[str, Json] = {}
    expressions: list[Json] = []
    for key, values in sorted(selector.items()):
        if not values.negated and len(values.names) == 1:
            labels[key] = next(iter(values.names))
        elif not values.full:
            expressions += values.requirements(key)
    rendered: dict[str, Json] = {"matchLabels": labels} if labels else {}
    return rendered | ({"matchExpressions": expressions} if expressions else {})
