"""docs/joining.md, tried as a newcomer would: its blocks are run as they stand, in one shell."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.sandbox.commands import down
from reconciler.sandbox.components import free_port
from reconciler.sandbox.local import Sandbox

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]  # a slow machine is no failure
DOC = Path(__file__).resolve().parents[2] / "docs" / "joining.md"
SERVE = "fleetward serve\n"


@pytest.fixture
def folder(sandbox: Sandbox, tmp_path: Path) -> Iterator[Path]:  # components are built
    yield tmp_path
    down(tmp_path / ".sandbox", report=lambda _: None)


def script() -> str:
    """The blocks in order. Serving is done in the background, on a free port, and answers before the next."""
    text = DOC.read_text(encoding="utf-8").partition("## Try it")[2].partition("\n## ")[0]
    blocks = re.findall("```sh\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 4
    assert blocks[1] == SERVE
    serving = "exec 3< <(fleetward serve)\nserver=$!\ntrap 'kill $server' EXIT\nread -r _ <&3\n"
    whole = "".join(serving if block == SERVE else block for block in blocks)
    return "set -euo pipefail\n" + whole.replace(
        "--address 127.0.0.1", f"--address 127.0.0.1 --port {free_port()}"
    )


def test_three_clusters_from_nothing(folder: Path) -> None:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FLEETWARD_", "GIT_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    whole = f"{script()}\nfleetward use --list --quiet"
    done = subprocess.run(
        ["bash", "-c", whole], cwd=folder, env=kept | {"PATH": path}, capture_output=True, text=True,
        timeout=800, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "observed: 5 to create" in done.stdout
    states = dict(line.split()[:2] for line in done.stdout.partition("\nCLUSTER ")[2].splitlines()[1:4])
    assert states == dict.fromkeys(("member-a", "member-b", "primary"), "synced")
    listed = [line.split() for line in done.stdout.splitlines()[-3:]]
    assert [line[:2] for line in listed if "primary" in line[1:]] == [["primary", "primary"]]
    assert [line[0] for line in listed] == ["member-a", "member-b", "primary"]
