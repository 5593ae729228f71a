"""OPA's answer turned into findings; an answer of any other shape is refused.

Rules kept here
- In the result of ``data.fleetward.gate`` every ``deny`` and ``warn``, at any depth, is one rule set; other
  values are helpers' and ignored.
- A member of a rule set is a string, or an object with at least ``rule`` and ``message``. Anything else
  (``deny := true``, a misspelt field, a document that was not asked about) is no verdict: GateAnswerError.

>>> rule_sets({"result": {"rbac": {"deny": ["no"], "warn": []}}})
[RuleSet(name='rbac.deny', severity=<Severity.ERROR: 'error'>, values=['no']), \
RuleSet(name='rbac.warn', severity=<Severity.WARNING: 'warning'>, values=[])]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from reconciler.gate.errors import DENY, WARN, GateAnswerError
from reconciler.gate.inputs import GateDocument, Places
from reconciler.model import Finding, Json, Severity, SourceRef

MAX_SHOWN = 200  # characters of a foreign value in an error
MAX_DEPTH = 16  # packages below fleetward.gate
_SEVERITY = {"deny": Severity.ERROR, "warn": Severity.WARNING}
_TEXTS = ("message", "rule", "hint", "expected", "got")
_FIELDS = frozenset((*_TEXTS, "document", "path"))
_HINT = "make it a set of strings or of objects with rule, message, document, path, hint, expected, got"


@dataclass(frozen=True, slots=True)
class RuleSet:
    """One evaluated ``deny`` or ``warn``: "rbac_wildcard.deny"."""

    name: str
    severity: Severity
    values: list[Json]


def rule_sets(answer: Json) -> list[RuleSet]:
    """All rule sets of OPA's answer. Raises GateAnswerError for an undefined result or a wrong shape."""
    if not isinstance(answer, dict) or not isinstance(answer.get("result"), dict):
        raise GateAnswerError(
            "OPA gave no result for data.fleetward.gate",
            got=shown(answer),
            hint="put the rules into packages below fleetward.gate",
        )
    return list(_walk(answer["result"], ()))


def _walk(node: Mapping[str, Json], path: tuple[str, ...]) -> Iterator[RuleSet]:
    if len(path) > MAX_DEPTH:
        raise GateAnswerError("the answer is nested too deeply", expected=f"at most {MAX_DEPTH} packages")
    for key, value in sorted(node.items()):
        name = ".".join((*path, key))
        if key in _SEVERITY:
            if not isinstance(value, list):
                raise GateAnswerError(f"{name} is not a set", expected="a set", got=shown(value), hint=_HINT)
            yield RuleSet(name, _SEVERITY[key], value)
        elif isinstance(value, dict):
            yield from _walk(value, (*path, key))


def findings(sets: Sequence[RuleSet], items: Sequence[Any], places: Places) -> list[Finding]:
    """The findings of rule sets about ``items`` (documents or changes, in the order that OPA saw).

    What is said of a document as written is not said again of what was compiled from it.
    """
    told: set[tuple[str, ...]] = set()
    written: list[Finding] = []
    compiled: list[Finding] = []
    for rules, value in [(each, value) for each in sets for value in each.values]:
        item, finding = _finding(rules, value, items, places)
        if _is_compiled(item):
            compiled.append(finding)
        else:
            told.add(_gist(finding))
            written.append(finding)
    for finding in compiled:
        if _gist(finding) not in told:
            told.add(_gist(finding))
            written.append(finding)
    return written


def _gist(finding: Finding) -> tuple[str, ...]:
    path = finding.source.path if finding.source else ""
    return finding.code, finding.rule, finding.subject, finding.message, path


def _is_compiled(item: Any | None) -> bool:
    return isinstance(item, GateDocument) and item.origin != ""


def _finding(rules: RuleSet, value: Json, items: Sequence[Any], places: Places) -> tuple[Any, Finding]:
    fields = _fields(rules, value)
    item = _item(rules, fields, items)
    return item, Finding(
        code=DENY if rules.severity is Severity.ERROR else WARN,
        severity=rules.severity,
        source=_source(item, _path(rules, fields), places),
        subject=_subject(item),
        **{name: fields.get(name, "") for name in _TEXTS},
    )


def _fields(rules: RuleSet, value: Json) -> dict[str, Json]:
    if isinstance(value, str) and value:
        return {"message": value, "rule": rules.name.rpartition(".")[0] or rules.name}
    if not isinstance(value, dict) or not all(value.get(name) for name in ("rule", "message")):
        raise _wrong(rules, value, "a string, or an object with rule and message")
    if not value.keys() <= _FIELDS:
        raise _wrong(rules, value, f"only the fields {', '.join(sorted(_FIELDS))}")
    if not all(isinstance(value.get(name, ""), str) for name in _TEXTS):
        raise _wrong(rules, value, f"strings in {', '.join(_TEXTS)}")
    return value


def _item(rules: RuleSet, fields: dict[str, Json], items: Sequence[Any]) -> Any | None:
    name = fields.get("document")
    if name is None:
        return None
    if isinstance(name, int) and not isinstance(name, bool) and 0 <= name < len(items):
        return items[name]
    found = next((item for item in items if _key(item) == name), None) if isinstance(name, str) else None
    if found is None:
        raise _wrong(rules, name, "the index or the key of a document in the input")
    return found


def _path(rules: RuleSet, fields: dict[str, Json]) -> tuple[str | int, ...]:
    path = fields.get("path", [])
    if not isinstance(path, list) or not all(isinstance(step, (str, int)) for step in path):
        raise _wrong(rules, path, "a path of strings and numbers")
    return tuple(path)


def _source(item: Any | None, path: tuple[str | int, ...], places: Places) -> SourceRef | None:
    if item is None:
        return None
    if not isinstance(item, GateDocument):
        return places.sources.get(_key(item)) or _written(str(item.get("source") or ""))
    if path and places.locate and not _is_compiled(item):  # a compiled one's paths are not its source's
        return places.locate(item.key, path)
    return places.sources.get(item.key)


def _written(text: str) -> SourceRef | None:
    """ "path:line" of a change."""
    path, _, line = text.rpartition(":")
    if path and line.isdecimal():
        return SourceRef(path, int(line))
    return SourceRef(text) if text else None


def _key(item: Any) -> str:
    return item.key if isinstance(item, GateDocument) else str(item.get("key", ""))


def _subject(item: Any | None) -> str:
    if item is None:
        return ""
    if isinstance(item, GateDocument):
        metadata = item.body.get("metadata")
        named = metadata if isinstance(metadata, dict) else {}
        return item.origin or _joined(item.body.get("kind"), named.get("namespace"), named.get("name"))
    changed = item.get("object") or {}
    return _joined(changed.get("kind"), changed.get("namespace"), changed.get("name"))


def _joined(*parts: Json) -> str:
    return "/".join(part for part in parts if isinstance(part, str) and part)


def _wrong(rules: RuleSet, got: Json, expected: str) -> GateAnswerError:
    return GateAnswerError(
        f"a value of {rules.name} is no finding", expected=expected, got=shown(got), hint=_HINT
    )


def shown(value: Json) -> str:
    """The start of a value as JSON, for messages."""
    try:
        text = orjson.dumps(value).decode()
    except (TypeError, ValueError):
        text = ascii(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
