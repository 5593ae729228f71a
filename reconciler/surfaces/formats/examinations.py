"""``fleetward doctor`` as text and JSON: the host first, then one block a cluster.

Text is short where all is well; what failed or warns has what was expected, what was found and what to do.
``found`` is what others say, a certificate's names or an API server's words: it is escaped and cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reconciler.member.diagnosis.results import Grade, Result
from reconciler.pipeline.examining import Examination
from reconciler.pipeline.examining_fleet import Examined
from reconciler.surfaces.formats.findings import Paint, plain
from reconciler.surfaces.formats.safe import safe
from reconciler.surfaces.formats.words import counted

_STYLES = {Grade.OK: "good", Grade.WARNING: "warning", Grade.FAILED: "error", Grade.SKIPPED: "dim"}
_BAD = (Grade.FAILED, Grade.WARNING)
_LONGEST = 1000  # characters of what was found
HOST = "this host"


def as_dict(examined: Examined) -> dict[str, Any]:
    """The JSON form: every check, also those that are well; absent facts are left out."""
    return {
        "ok": examined.ok,
        "commit": examined.commit,
        "host": [_result(result) for result in examined.host],
        "clusters": [
            {
                "cluster": one.cluster,
                "ok": not one.count(Grade.FAILED),
                "version": one.version,
                "results": [_result(result) for result in one.results],
            }
            for one in examined.members
        ],
    }


def _result(result: Result) -> dict[str, Any]:
    facts = {"check": str(result.check), "result": result.grade.value}
    named = ("code", "where", "expected", "found", "hint")
    return facts | {name: getattr(result, name) for name in named if getattr(result, name)}


def text(examined: Examined, paint: Paint = plain, *, verbose: bool = False) -> str:
    """One line a group, then what is wrong in it; everything with ``verbose``."""
    lines = [*_group(HOST, examined.host, paint, verbose=verbose)]
    for one in examined.members:
        lines += _group(one.cluster, one.results, paint, verbose=verbose, note=_version(one))
    return "\n".join(lines) + "\n"


def _version(one: Examination) -> str:
    return f", {safe(one.version)}" if one.version else ""


def _group(
    name: str, results: Sequence[Result], paint: Paint, *, verbose: bool, note: str = ""
) -> Iterator[str]:
    yield f"{paint(safe(name), 'heading')}: {_summary(results, paint)}{note}"
    for result in results:
        if verbose or result.grade in _BAD:
            yield from _lines(result, paint)


def _summary(results: Sequence[Result], paint: Paint) -> str:
    number = {grade: sum(result.grade is grade for result in results) for grade in Grade}
    failed, warnings = number[Grade.FAILED], number[Grade.WARNING]
    words = [paint(f"{failed} failed", _STYLES[Grade.FAILED])] if failed else []
    words += [paint(counted(warnings, "warning"), _STYLES[Grade.WARNING])] if warnings else []
    words.append(paint(f"{number[Grade.OK]} ok", _STYLES[Grade.OK]))
    if number[Grade.SKIPPED]:
        words.append(f"{number[Grade.SKIPPED]} skipped")
    return ", ".join(words)


def _lines(result: Result, paint: Paint) -> Iterator[str]:
    label = paint(result.grade.value.ljust(7), _STYLES[result.grade])
    where = f"  {safe(result.where)}" if result.where else ""
    code = f"  {result.code}" if result.code else ""
    if result.grade not in _BAD:
        yield f"  {label}  {result.check}{where}: {_cut(result.found)}"
        return
    yield f"  {label}  {result.check}{code}{where}"
    for name, value in (("expected", result.expected), ("found", result.found), ("fix", result.hint)):
        if value:
            yield f"      {name}: {_cut(value)}"


def _cut(value: str) -> str:
    value = safe(value)
    return value if len(value) <= _LONGEST else f"{value[: _LONGEST - 3]}..."
