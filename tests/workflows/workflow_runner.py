"""Runs the ``run`` blocks of one job as a runner would: same shell, same files, same order.

Rules kept here
- A step runs in ``bash -e -o pipefail`` in the workspace, with the job's and its own ``env``, the files that
  GitHub gives (``GITHUB_OUTPUT``, ``GITHUB_EVENT_PATH`` ...), and of the tests' environment only ``PATH``.
- After a failed step only those with ``if: always()`` run.
- ``uses`` is the other side of a protocol: the test gives one function for each action, by its name without
  digest.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from workflow_expressions import evaluate, expand

LIMIT_SECONDS = 240


@dataclass
class Ran:
    """What one step did; ``code`` is None when its condition skipped it."""

    name: str
    code: int | None
    text: str = ""  # stdout and stderr
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Runner:
    """A machine with an event: ``actions`` maps ``actions/checkout`` to what it does with its inputs."""

    folder: Path
    event: Mapping[str, Any]
    github: Mapping[str, str]
    actions: Mapping[str, Callable[[Runner, Mapping[str, str]], None]]
    secrets: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    @property
    def temp(self) -> Path:
        return self.folder / "temp"

    @property
    def summary(self) -> str:
        file = self.folder / "summary.md"
        return file.read_text() if file.exists() else ""

    def run(self, workflow: Path, job: str) -> list[Ran]:
        """Every step of ``job`` in order; [] when the job's own condition skips it."""
        definition = yaml.safe_load(workflow.read_text())["jobs"][job]
        context = self._context()
        if not evaluate(str(definition.get("if", "'yes'")), context):
            return []
        job_environment = _expanded(definition.get("env", {}), context)
        done: list[Ran] = []
        for step in definition["steps"]:
            context["env"] = job_environment
            done.append(self._step(step, context, job_environment, failed=any(ran.code for ran in done)))
        return done

    def _context(self) -> dict[str, Any]:
        for folder in (self.workspace, self.temp):
            folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "event.json").write_text(json.dumps(self.event))
        github = {"workspace": str(self.workspace), "token": "ghs_test", **self.github, "event": self.event}
        runner = {"temp": str(self.temp), "os": "Linux", "arch": "X64"}
        return {
            "github": github,
            "runner": runner,
            "secrets": self.secrets,
            "vars": self.variables,
            "steps": {},
        }

    def _step(self, step: Any, context: dict[str, Any], env: Mapping[str, str], *, failed: bool) -> Ran:
        condition = str(step.get("if", ""))
        if (failed and "always()" not in condition) or (condition and not evaluate(condition, context)):
            return Ran(step["name"], None)
        if "uses" in step:
            return self._use(step, context)
        ran, outputs = self.execute(
            step["name"], step["run"], {**env, **_expanded(step.get("env", {}), context)}
        )
        if "id" in step:
            context["steps"][step["id"]] = {"outputs": outputs}
        return ran

    def _use(self, step: Any, context: dict[str, Any]) -> Ran:
        action = step["uses"].partition("@")[0]
        self.used.append(action)
        self.actions[action](self, _expanded(step.get("with", {}), context))
        return Ran(step["name"], 0)

    def execute(self, name: str, script: str, env: Mapping[str, str]) -> tuple[Ran, dict[str, str]]:
        """One run block; returns it and the outputs that it set."""
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            file, outputs = Path(scratch) / "step.sh", Path(scratch) / "outputs"
            file.write_text(script)
            outputs.touch()
            environment = self._environment(env, outputs)
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(file)],
                cwd=self.workspace, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, errors="replace", timeout=LIMIT_SECONDS, check=False,
            )  # fmt: skip
            pairs = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
        return Ran(name, done.returncode, done.stdout, environment), pairs

    def _environment(self, env: Mapping[str, str], outputs: Path) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_EVENT_PATH": str(self.folder / "event.json"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
            "GITHUB_PATH": str(self.folder / "path"),
            "GITHUB_OUTPUT": str(outputs),
            "RUNNER_TEMP": str(self.temp),
            **self.environment,
            **env,
        }


def _expanded(values: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, str]:
    return {name: expand(str(value), context) for name, value in values.items()}
