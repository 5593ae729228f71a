"""What a newcomer sees first: the demo, as ``make demo`` runs it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.sandbox.local import Sandbox

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]  # a slow machine is no failure
ROOT = Path(__file__).resolve().parents[2]


def test_the_demo_shows_every_step_and_ends_by_itself(sandbox: Sandbox) -> None:  # components are built
    command = [sys.executable, "tools/demo.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    last = done.stdout.rstrip().splitlines()[-1]
    assert re.fullmatch(r"demo: 3 clusters, [1-9][0-9]+ objects, [1-9][0-9]+ log entries verified", last)
