"""action.yml and the pre-commit hook: installed from this checkout for real, then run."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from workflow_expressions import evaluate, expand
from workflow_fleet import make_fleet
from workflow_runner import Ran, Runner

from reconciler import __version__

ROOT = Path(__file__).resolve().parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())


def use(runner: Runner, given: Mapping[str, str]) -> tuple[list[Ran], dict[str, Any]]:
    """Run the composite action's own steps; setup-python and cache are the other side of a protocol."""
    inputs = {name: given.get(name, value["default"]) for name, value in ACTION["inputs"].items()}
    steps: dict[str, Any] = {"python": {"outputs": {"python-path": sys.executable}}}
    runner_context = {"os": "Linux", "arch": "X64", "temp": str(runner.temp)}
    context = {"inputs": inputs, "steps": steps, "runner": runner_context}
    runner.environment["GITHUB_ACTION_PATH"] = str(ROOT)
    ran: list[Ran] = []
    for step in ACTION["runs"]["steps"]:
        if "uses" in step or not evaluate(step.get("if", "'yes'"), context) or any(one.code for one in ran):
            continue
        env = {name: expand(str(value), context) for name, value in step.get("env", {}).items()}
        one, outputs = runner.execute(step["name"], step["run"], env)
        steps[step["id"]] = {"outputs": outputs}
        ran.append(one)
        put_on_path(runner)
    outputs = {name: expand(value["value"], context) for name, value in ACTION["outputs"].items()}
    return ran, outputs


def put_on_path(runner: Runner) -> None:
    """What the runner does with GITHUB_PATH after each step."""
    added = runner.folder / "path"
    if added.exists():
        runner.environment["PATH"] = os.pathsep.join([*added.read_text().split(), os.environ["PATH"]])


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A machine whose package cache is warm: the locked packages are those of the tests' own environment."""
    machine = Runner(tmp_path, {}, {}, {})
    for folder in (machine.workspace, machine.temp):
        folder.mkdir(parents=True)
    # All but fleetward itself is found satisfied, so pip downloads nothing and installs the product alone.
    environment = machine.temp / "fleetward" / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True, timeout=120)
    purelib = sysconfig.get_path("purelib", vars={"base": str(environment), "platbase": str(environment)})
    (Path(purelib) / "warm.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return machine


@pytest.mark.real
def test_the_action_installs_this_checkout_and_runs_a_command(runner: Runner) -> None:
    ran, outputs = use(runner, {"command": "init", "args": "--help", "output-file": "help.txt"})
    assert [one.code for one in ran] == [0, 0, 0], "\n".join(one.text for one in ran)
    assert outputs == {"exit-code": "0", "version": __version__}
    assert "Usage: fleetward init" in (runner.workspace / "help.txt").read_text()
    installed = (runner.temp / "fleetward" / "venv").rglob("reconciler/_product/template/.gitignore")
    assert list(installed), "the product that was installed is not this checkout's wheel"


@pytest.mark.real
def test_the_action_refuses_another_version_than_expected(runner: Runner) -> None:
    ran, _ = use(runner, {"version": "99.0.0"})
    assert ran[-1].code == 1
    assert f"expected version 99.0.0, got {__version__}" in ran[-1].text


@pytest.mark.parametrize(
    ("command", "code", "outcome"), [("plan", 1, 0), ("plan", 2, 2), ("check", 1, 1), ("check", 0, 0)]
)
def test_changes_are_no_failure_and_findings_are(
    tmp_path: Path, command: str, code: int, outcome: int
) -> None:
    runner, step = said_by_a_program(tmp_path, f"exit {code}")
    ran, outputs = runner.execute("Run", step, {"COMMAND": command, "ARGUMENTS": "", "OUTPUT_FILE": ""})
    assert (ran.code, outputs) == (outcome, {"exit-code": str(code)})


def test_arguments_are_taken_as_they_are(tmp_path: Path) -> None:
    runner, step = said_by_a_program(tmp_path, 'printf "<%s>" "$@"')
    arguments = "--rev\na b\n$(touch pwned)\n\n*\n"
    ran, _ = runner.execute("Run", step, {"COMMAND": "check", "ARGUMENTS": arguments, "OUTPUT_FILE": ""})
    assert ran.text == "<check><--rev><a b><$(touch pwned)><*>"
    assert list(tmp_path.rglob("pwned")) == []


def said_by_a_program(folder: Path, body: str) -> tuple[Runner, str]:
    """A runner where ``fleetward`` is a program with this body, and the action's last run block."""
    runner = Runner(folder, {}, {}, {})
    runner.workspace.mkdir(parents=True)
    program = folder / "bin" / "fleetward"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    runner.environment["PATH"] = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    return runner, ACTION["runs"]["steps"][-1]["run"]


@pytest.mark.real
@pytest.mark.parametrize("source", ["the hook of this repository", "the hook of a new fleet"])
def test_the_pre_commit_hook_finds_what_is_wrong_in_the_work_tree(tmp_path: Path, source: str) -> None:
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    if source == "the hook of a new fleet":
        [repository] = yaml.safe_load((ROOT / "template" / ".pre-commit-config.yaml").read_text())["repos"]
        [hook] = repository["hooks"]
    fleet = make_fleet(tmp_path / "made")
    assert run_hook(hook, fleet.folder).returncode == 0, run_hook(hook, fleet.folder).stdout
    (fleet.folder / "policies/rules/typo.yaml").write_text("kind: FederatedNetworkRul\n")
    done = run_hook(hook, fleet.folder)
    assert done.returncode == 1
    assert "policies/rules/typo.yaml" in done.stdout


def run_hook(hook: Mapping[str, Any], folder: Path) -> subprocess.CompletedProcess[str]:
    program, *arguments = hook["entry"].split()
    return subprocess.run(
        [str(Path(sys.executable).parent / program), *arguments], cwd=folder, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
