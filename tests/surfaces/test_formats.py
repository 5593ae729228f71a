"""Formats: the same facts in every form, and nothing from outside that acts on a terminal or a page."""

from __future__ import annotations

import unicodedata
from xml.etree import ElementTree

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.model import ClusterName, Finding, ObjectRef, Severity, SourceRef
from reconciler.plan import Action, Change, FieldChange, Plan
from reconciler.surfaces.formats import findings, plans
from reconciler.surfaces.formats.safe import safe

BAD = Finding(
    "FW1510",
    "every verb on every resource",
    SourceRef("policies/rbac/a b.yaml", 7),
    subject="FederatedRole/admin",
    rule="rbac.wildcard",
    expected="named verbs",
    got="*",
    hint="list the verbs",
)
WARN = Finding("FW1511", "reads secrets", severity=Severity.WARNING, subject="federation")


@given(st.text())
def test_nothing_unprintable_survives(text: str) -> None:
    shown = safe(text)
    assert not any(unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp", "Cs"} for char in shown)
    if text.isprintable() and text.isascii():
        assert shown == text


def test_text_gives_place_code_facts_and_the_way_out() -> None:
    assert findings.text([WARN, BAD]) == (
        "policies/rbac/a b.yaml:7: error FW1510 [rbac.wildcard]: every verb on every resource\n"
        "    in FederatedRole/admin\n"
        "    expected named verbs, got *\n"
        "    fix: list the verbs\n"
        "federation: warning FW1511: reads secrets\n"
    )


def test_sarif_has_a_rule_and_a_relative_uri_for_every_result() -> None:
    (run,) = findings.sarif([BAD, WARN], "1.2.3")["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["FW1510", "FW1511"]
    first, second = run["results"]
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "policies/rbac/a%20b.yaml"
    assert place["region"]["startLine"] == 7
    assert (first["level"], second["level"]) == ("error", "warning")
    assert "Fix: list the verbs" in first["message"]["text"]


def test_junit_fails_for_errors_only_and_passes_when_clean() -> None:
    suite = ElementTree.fromstring(findings.junit([BAD, WARN], 9)).find("testsuite")  # noqa: S314  ours
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert len(suite.findall("testcase/failure")) == 1
    clean = ElementTree.fromstring(findings.junit([], 9)).find("testsuite")  # noqa: S314  ours
    assert clean is not None
    assert (clean.get("tests"), clean.get("failures")) == ("1", "0")


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_workflow_command_cannot_be_broken_out_of(path: str, message: str) -> None:
    shown = findings.github([Finding("FW1", message, SourceRef(path, 1))])
    assert shown.count("\n") == 1
    assert shown.startswith("::error file=")
    assert shown.removeprefix("::error ").partition("::")[0].count(",") == 2


@given(st.text(), st.text())
@example("\ufffe", "a\uffffb")
def test_every_format_takes_any_text(subject: str, message: str) -> None:
    odd = [Finding("FW1", message, SourceRef(subject, 3), subject=subject, hint=message)]
    findings.text(odd)
    orjson.dumps(findings.sarif(odd, "1"), default=str)
    ElementTree.fromstring(findings.junit(odd, 1))  # noqa: S314  ours


def plan(*changes: Change) -> Plan:
    return Plan(ClusterName("member-a"), "", "sha256:d", changes, 3, 3)


def change(action: Action = Action.UPDATE, name: str = "a", value: str = "2") -> Change:
    ref = ObjectRef("", "ConfigMap", "shop", name)
    field = FieldChange(".data.key", "1", value)
    return Change(action, ref, "sha256:1", "sha256:2", "changed", fields=(field,))


def test_a_plan_reads_like_a_diff() -> None:
    assert plans.text([plan(change(), change(Action.DELETE, "b"))]) == (
        "member-a: 0 to create, 1 to update, 1 to delete, 3 unchanged\n"
        "  ~ ConfigMap shop/a  (changed)\n"
        '      ~ .data.key: "1" -> "2"\n'
        "  - ConfigMap shop/b  (changed)\n"
    )


def test_a_plan_as_json_counts_everything() -> None:
    shown = orjson.loads(orjson.dumps(plans.as_dict(plan(change()))))
    assert shown["counts"] == {
        "create": 0, "update": 1, "delete": 0, "conflict": 0, "refused": 0, "keep": 3,
    }  # fmt: skip
    assert shown["changes"][0]["fields"] == [{"path": ".data.key", "before": "1", "after": "2"}]


def test_markdown_folds_members_and_survives_backticks() -> None:
    comment = plans.markdown([plan(change(value="```\n</details>"))], base="a" * 40, head="b" * 40)
    assert comment.startswith("<!-- fleetward:plan -->")
    assert "| member-a | 0 | 1 | 0 | 3 |" in comment
    assert "````diff" in comment
    assert "No changes on any of 1 clusters." in plans.markdown([plan()], base="a", head="b")


def test_markdown_stays_below_what_a_forge_takes() -> None:
    many = plan(*(change(name=f"n{n}", value="x" * 100) for n in range(400)))
    comment = plans.markdown([many] * 5, base="a", head="b")
    assert len(comment) < 65_000
    assert "more clusters change" in comment


@pytest.mark.parametrize("paint", [findings.plain, lambda text, style: f"<{style}>{text}"])
def test_paint_only_adds(paint: findings.Paint) -> None:
    assert "ConfigMap shop/a" in plans.text([plan(change())], paint)
