"""Findings as text, JSON, SARIF 2.1.0, JUnit XML and workflow commands.

Every format says the same: code, place, message, expected and got, what to do. Findings are sorted by
place, so that two runs over the same commit print the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from reconciler.model import Finding, Severity
from reconciler.surfaces.formats.safe import safe

Paint = Callable[[str, str], str]  # text, style name -> text


def plain(text: str, style: str) -> str:  # noqa: ARG001
    """The Paint of a pipe: no colours."""
    return text


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """By severity, place, code and message."""
    return sorted(findings, key=_order)


def _order(finding: Finding) -> tuple[bool, str, int, str, str]:
    place = finding.source
    path, line = (place.path, place.line) if place else ("", 0)
    return finding.severity is Severity.WARNING, path, line, finding.code, finding.message


def as_dict(finding: Finding) -> dict[str, Any]:
    """The JSON form; absent facts are left out."""
    facts: dict[str, Any] = {"code": finding.code, "severity": finding.severity.value}
    if finding.source:
        facts |= {"path": finding.source.path, "line": finding.source.line}
    for name in ("subject", "rule", "message", "expected", "got", "hint"):
        if value := getattr(finding, name):
            facts[name] = value
    return facts


def text(findings: Sequence[Finding], paint: Paint = plain) -> str:
    """One block a finding: place, code, message; then the facts and the way out, indented."""
    return "".join(_text(finding, paint) for finding in sort_findings(findings))


def _text(finding: Finding, paint: Paint) -> str:
    place = safe(str(finding.source or finding.subject or "fleet"))
    label = paint(finding.severity.value, finding.severity.value)
    rule = f" [{safe(finding.rule)}]" if finding.rule else ""
    lines = [f"{paint(place, 'place')}: {label} {finding.code}{rule}: {safe(finding.message)}"]
    if finding.subject and finding.source:
        lines.append(f"    in {safe(finding.subject)}")
    if finding.expected or finding.got:
        facts = [f"expected {safe(finding.expected)}"] if finding.expected else []
        facts += [f"got {safe(finding.got)}"] if finding.got else []
        lines.append(f"    {', '.join(facts)}")
    if finding.hint:
        lines.append(f"    {paint('fix:', 'hint')} {safe(finding.hint)}")
    return "\n".join(lines) + "\n"


def sarif(findings: Sequence[Finding], version: str) -> dict[str, Any]:
    """SARIF 2.1.0 (OASIS): one run, one rule per code, paths relative to the repository's root."""
    ordered = sort_findings(findings)
    codes = sorted({finding.code for finding in ordered})
    driver = {
        "name": "fleetward",
        "semanticVersion": version,
        "rules": [{"id": code, "name": code} for code in codes],
    }
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": [_sarif_result(finding, codes.index(finding.code)) for finding in ordered],
            }
        ],
    }


def _sarif_result(finding: Finding, rule_index: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": rule_index,
        "level": "error" if finding.severity is Severity.ERROR else "warning",
        "message": {"text": _one_line(finding)},
    }
    # Code scanning shows only results with a place; what has none belongs to the federation as a whole.
    path, line = (finding.source.path, finding.source.line) if finding.source else ("federation.yaml", 0)
    result["locations"] = [
        {"physicalLocation": {"artifactLocation": {"uri": _uri(path)}, "region": {"startLine": max(line, 1)}}}
    ]
    return result


def _uri(path: str) -> str:
    from urllib.parse import quote

    return quote(path)


def _one_line(finding: Finding) -> str:
    parts = [f"[{finding.rule}] " if finding.rule else "", finding.message]
    parts.append(f" Expected {finding.expected}." if finding.expected else "")
    parts.append(f" Got {finding.got}." if finding.got else "")
    parts.append(f" Fix: {finding.hint}" if finding.hint else "")
    return safe("".join(parts))


def junit(findings: Sequence[Finding], documents: int) -> str:
    """JUnit XML: one failing case a finding, and one passing case where there are none."""
    from xml.etree.ElementTree import Element, SubElement, tostring

    ordered = sort_findings(findings)
    errors = [finding for finding in ordered if finding.severity is Severity.ERROR]
    suite = Element("testsuite", name="fleetward check", tests=str(max(len(ordered), 1)))
    suite.set("failures", str(len(errors)))
    if not ordered:
        SubElement(suite, "testcase", name=f"{documents} documents", classname="fleetward")
    for finding in ordered:
        place = safe(str(finding.source or finding.subject or "fleet"))
        case = SubElement(suite, "testcase", name=f"{finding.code} {place}", classname="fleetward")
        if finding.severity is Severity.ERROR:
            SubElement(case, "failure", message=safe(finding.message), type=finding.code).text = _one_line(
                finding
            )
        else:
            SubElement(case, "system-out").text = _one_line(finding)
    suites = Element("testsuites")
    suites.append(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suites, encoding="unicode") + "\n"


def github(findings: Sequence[Finding]) -> str:
    """Workflow commands (``::error file=...``), which the forge shows beside the lines."""
    return "".join(_github(finding) for finding in sort_findings(findings))


def _github(finding: Finding) -> str:
    properties = [f"title={_property(finding.code)}"]
    if finding.source:
        properties.insert(0, f"file={_property(finding.source.path)},line={max(finding.source.line, 1)}")
    return f"::{finding.severity.value} {','.join(properties)}::{_data(_one_line(finding))}\n"


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(safe(value)).replace(":", "%3A").replace(",", "%2C")
