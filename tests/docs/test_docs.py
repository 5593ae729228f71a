"""The documentation is true to the repository: links lead somewhere, codes are explained, commands exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def tool(name: str) -> ModuleType:
    """A script of tools/, which is a part of the checkout and not of the package."""
    spec = spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


runbook = tool("runbook")

# Sections of the generated page: their links count there.
FRAGMENTS = ROOT / "docs" / "runbook.d"
NOT_OURS = {".venv", ".git", ".hypothesis", "node_modules", "dist", "build"}
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^ *(```+).*?^ *\1", re.MULTILINE | re.DOTALL)
QUOTED_CODE = re.compile(r"""["'](FW\d{4})["']""")  # a class's code, a finding's, a constant, a table's key
ANY_CODE = re.compile(r"\bFW\d{4}\b")


def pages() -> list[Path]:
    """Every Markdown file of the repository."""
    found = [path for path in ROOT.rglob("*.md") if not NOT_OURS & set(path.relative_to(ROOT).parts)]
    return sorted(path for path in found if FRAGMENTS not in path.parents)


def links(path: Path) -> Iterator[str]:
    """The targets of a page's relative links."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if not re.match(r"[a-z]+:", target):
            yield target


@cache
def anchors(path: Path) -> frozenset[str]:
    """The anchors of a page's headings."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return frozenset(runbook.anchor(re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", title)) for title in titles)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_decision_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    decisions = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("*.md"))
    assert [name for name in decisions if f"decisions/{name}" not in index] == []
    numbers = [name[:4] for name in decisions]
    assert len(numbers) == len(set(numbers))


def test_the_runbook_is_what_the_tables_and_sections_make() -> None:
    assert (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8") == runbook.page()


def test_every_table_of_codes_is_in_the_runbook() -> None:
    sources = [path for path in (ROOT / "reconciler").rglob("*.py") if has_table(path)]
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sources}
    assert names == set(runbook.TABLES)
    page = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    assert [code for code in runbook.codes() if f"\n| {code} |" not in page] == []


def has_table(path: Path) -> bool:
    return re.search(r"^CODES\b.*=", path.read_text(encoding="utf-8"), re.MULTILINE) is not None


def test_every_code_in_the_source_is_explained() -> None:
    explained = runbook.codes()
    used: dict[str, str] = {}
    for path in sorted((ROOT / "reconciler").rglob("*.py")):
        for code in QUOTED_CODE.findall(path.read_text(encoding="utf-8")):
            used.setdefault(code, str(path.relative_to(ROOT)))
    assert {code: place for code, place in used.items() if code not in explained} == {}
    assert len(used) > 100


def test_pages_and_messages_name_no_code_that_does_not_exist() -> None:
    explained = runbook.codes()
    sources = [*pages(), *FRAGMENTS.glob("*.md"), *(ROOT / "reconciler").rglob("*.py")]
    unknown = {
        str(path.relative_to(ROOT)): sorted(codes)
        for path in sources
        if (codes := set(ANY_CODE.findall(path.read_text(encoding="utf-8"))) - explained.keys())
    }
    examples = {"reconciler/errors.py", "CHANGELOG.md"}  # they show what a code looks like
    assert {path: codes for path, codes in unknown.items() if path not in examples} == {}


def commands(page: Path) -> Iterator[list[str]]:
    """Every fleetward command line of a page, as words; what stands for something is left in."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")  # a line that goes on
    for line in re.findall(r"(?:^ *(?:\$ )?|`)(fleetward(?: [^`\n]*)?)", text, re.MULTILINE):
        words = shlex.split(line.replace("'", ""), comments=True)
        yield words[1:]


def shown() -> list[tuple[str, ...]]:
    """Each (command path, options...) that the pages show, once."""
    found = set()
    for page in [*pages(), *FRAGMENTS.glob("*.md")]:
        for words in commands(page):
            path = [word for word in words[:2] if re.fullmatch(r"[a-z]+(?:-[a-z]+)*", word)]
            options = sorted({word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)})
            found.add((" ".join(path), *options))
    return sorted(found)


@cache
def help_of(path: str) -> str:
    program = Path(sys.executable).with_name("fleetward")
    environment = {"PATH": os.environ["PATH"], "COLUMNS": "200"}
    done = subprocess.run(
        [program, *path.split(), "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )
    return done.stdout if done.returncode == 0 else ""


@pytest.mark.parametrize("command", shown(), ids=" ".join)
def test_commands_in_the_pages_exist(command: tuple[str, ...]) -> None:
    path, *options = command
    text = help_of(path)
    if not text and "\nCommands:" not in (outer := help_of(path.partition(" ")[0])):
        text = outer  # the second word is an argument
    assert text, f"`fleetward {path}` is no command"
    assert [option for option in options if not re.search(rf"(?<![\w-]){option}\b", text)] == []
