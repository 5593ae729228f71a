"""What every workflow must be, whoever writes the next one: zizmor, actionlint, and our own rules."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.sandbox import files
from reconciler.sandbox.binaries import cache_directory
from reconciler.sandbox.golang import find_go

ROOT = Path(__file__).resolve().parents[2]
OURS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TEMPLATE = sorted((ROOT / "template" / ".github" / "workflows").glob("*.yml"))
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
SHA = r"[0-9a-f]{40}"

every_workflow = pytest.mark.parametrize(
    "workflow", [*OURS, *TEMPLATE], ids=lambda path: str(path.relative_to(ROOT))
)


def parsed(file: Path) -> dict[Any, Any]:
    value = yaml.safe_load(file.read_text())
    assert isinstance(value, dict)
    return value


def steps(document: dict[Any, Any]) -> Iterator[dict[str, Any]]:
    for job in document.get("jobs", {"action": document.get("runs", {})}).values():
        yield from job["steps"]


@pytest.mark.real
@pytest.mark.timeout(900)
def test_actionlint_is_silent() -> None:
    done = subprocess.run(
        [str(actionlint()), "-no-color", *map(str, [*OURS, *TEMPLATE])],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def actionlint() -> Path:
    """The program from the cache, installed there on first use."""
    folder = cache_directory() / "bin" / f"actionlint-{ACTIONLINT.rpartition('@')[2]}"
    program = folder / "actionlint"
    with files.locked(folder.with_name(f".{folder.name}.lock"), lambda: None):
        if not program.is_file():
            environment = {**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0", "GOWORK": "off"}
            subprocess.run([str(find_go()), "install", ACTIONLINT], env=environment, check=True, timeout=600)
    return program


def test_zizmor_finds_nothing() -> None:
    zizmor = Path(sys.executable).parent / "zizmor"
    # Template placeholders aside, the template is what people run: it is judged like our own.
    places = [".github", "action.yml", "template/.github"]
    done = subprocess.run(
        [str(zizmor), "--offline", "--no-progress", "--format", "json", *places],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert [finding["ident"] for finding in json.loads(done.stdout) if not finding.get("ignored")] == []
    assert done.returncode == 0, done.stderr


@every_workflow
def test_least_permissions_and_time_limits(workflow: Path) -> None:
    document = parsed(workflow)
    assert document["permissions"] == {}
    for name, job in document["jobs"].items():
        assert "timeout-minutes" in job, name
        assert "permissions" in job, name
        assert "write-all" not in str(job["permissions"]), name


@every_workflow
def test_no_expression_reaches_a_shell(workflow: Path) -> None:
    for step in steps(parsed(workflow)):
        assert "${{" not in step.get("run", ""), step["name"]


def test_no_expression_reaches_a_shell_of_the_action() -> None:
    for step in steps(parsed(ROOT / "action.yml")):
        assert "${{" not in step.get("run", ""), step["name"]


@every_workflow
def test_what_runs_strangers_code_has_no_rights(workflow: Path) -> None:
    triggers = parsed(workflow)[True]  # YAML 1.1 reads `on` as a boolean
    assert "pull_request_target" not in triggers
    if "pull_request" in triggers:
        assert "secrets." not in workflow.read_text()
        for job in parsed(workflow)["jobs"].values():
            assert set(job["permissions"].values()) <= {"read"}
    if "workflow_run" in triggers:
        assert [step for step in steps(parsed(workflow)) if "uses" in step] == []


@every_workflow
def test_checkouts_keep_no_credentials(workflow: Path) -> None:
    for step in steps(parsed(workflow)):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_actions_are_pinned_by_digest_with_their_version_and_everywhere_the_same() -> None:
    pins: dict[str, set[str]] = {}
    for file in [*OURS, *TEMPLATE, ROOT / "action.yml"]:
        for line in re.findall(r"^[^#\n]*uses: (?!\./)(.+)", file.read_text(), re.M):
            found = re.fullmatch(rf"(\S+)@({SHA}) # (v(?:\d+\.\d+\.\d+|@PRODUCT_VERSION@))", line)
            assert found, f"{file.name}: {line}"
            pins.setdefault(found[1], set()).add(f"{found[2]} {found[3]}")
    assert {name: len(found) for name, found in pins.items()} == dict.fromkeys(pins, 1)


def test_reconcile_runs_are_never_cancelled_nor_side_by_side() -> None:
    for folder in (ROOT, ROOT / "template"):
        document = parsed(folder / ".github" / "workflows" / "reconcile.yml")
        assert document["concurrency"] == {"group": "reconcile", "cancel-in-progress": False}


def test_the_template_comments_in_the_same_way() -> None:
    ours, theirs = (folder / ".github/workflows/comment.yml" for folder in (ROOT, ROOT / "template"))
    assert ours.read_text() == theirs.read_text()


@pytest.mark.parametrize("name", ["validate.yml", "reconcile.yml"])
def test_the_template_runs_the_same_commands(name: str) -> None:
    ours, theirs = (parsed(folder / ".github/workflows" / name) for folder in (ROOT, ROOT / "template"))
    assert [step["run"] for step in steps(ours) if "run" in step] == [
        step["run"] for step in steps(theirs) if "run" in step
    ]


def test_ci_calls_targets_that_exist() -> None:
    commands = [step["run"] for step in steps(parsed(ROOT / ".github/workflows/ci.yml")) if "run" in step]
    assert len(commands) == 3
    for command in commands:
        words = command.split()
        assert words[0] == "make"
        make = shutil.which("make")
        assert make
        subprocess.run([make, "--dry-run", *words[1:]], cwd=ROOT, check=True, capture_output=True, timeout=60)
