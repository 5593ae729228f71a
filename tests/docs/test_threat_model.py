"""The threat model names codes, files and attacks: none that does not exist, and no attack is left out."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "threat-model.md"
TEXT = PAGE.read_text(encoding="utf-8")
ATTACKS = ROOT / "tests" / "attacks"
SECTIONS = ("From the repository", "On the log", "On a member")


def explained() -> frozenset[str]:
    """Every code that the runbook explains."""
    spec = spec_from_file_location("runbook", ROOT / "tools" / "runbook.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return frozenset(module.codes())


def rows(section: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    part = TEXT.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_every_code_exists() -> None:
    named = set(re.findall(r"\bFW\d{4}\b", TEXT))
    assert named - explained() == set()
    assert len(named) > 50


def test_every_file_exists() -> None:
    files = set(re.findall(r"`(reconciler/[\w/]+\.py)`", TEXT))
    assert {name for name in files if not (ROOT / name).is_file()} == set()
    assert len(files) > 40


def test_every_attack_is_named_and_no_other() -> None:
    named = set(re.findall(r"`(test_\w+\.py)`", TEXT))
    assert named == {path.name for path in ATTACKS.glob("test_*.py")}


@pytest.mark.parametrize("section", SECTIONS)
def test_every_row_is_whole(section: str) -> None:
    """A threat, files, codes that its own test asks for, one test, and what remains."""
    found = rows(section)
    assert len(found) > 10
    for row in found:
        assert len(row) == 5, row
        threat, files, codes, test, remains = row
        assert threat and remains, row
        assert re.findall(r"`(reconciler/[\w/]+\.py)`", files), row
        (name,) = re.findall(r"`(test_\w+\.py)`", test)
        source = (ATTACKS / name).read_text(encoding="utf-8")
        wanted = re.findall(r"FW\d{4}", codes)
        assert wanted, row
        assert [code for code in wanted if code not in source] == [], name


def test_every_row_about_joining_is_whole() -> None:
    """An attack, codes that its test asks for, and one test: a file of attacks, or a function elsewhere."""
    found = rows("Joining")
    assert len(found) > 10
    for attack, codes, test in found:
        name, _, function = test.strip("`").partition("::")
        source = (ROOT / "tests" / name if function else ATTACKS / name).read_text(encoding="utf-8")
        _, _, body = source.partition(f"def {function}(") if function else ("", "", source)
        body = body.partition("\n\n\n")[0] if function else body
        wanted = re.findall(r"FW\d{4}", codes)
        assert attack and body and wanted, test
        assert [code for code in wanted if code not in body] == [], test


def test_no_test_has_two_rows() -> None:
    tests = [row[3] for section in SECTIONS for row in rows(section)]
    tests += [row[2] for row in rows("Joining")]
    assert len(tests) == len(set(tests))


def test_the_page_is_found() -> None:
    for name in ("docs/README.md", "SECURITY.md"):
        assert "threat-model.md" in (ROOT / name).read_text(encoding="utf-8"), name
