"""Run everything and write docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tools.bench.measure import Figure, table
from tools.bench.members import member_figures
from tools.bench.offline import check_figures, help_figures

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"


def main() -> int:
    """Measure; print the page and write it."""
    with tempfile.TemporaryDirectory(prefix="fleetward-bench-") as name:
        folder = Path(name)
        figures = [*help_figures(folder / "help"), *check_figures(folder / "check-1000", 1000)]
        figures += check_figures(folder / "check-10000", 10_000)
        figures += member_figures(folder)
    page = render(figures)
    PAGE.write_text(page, encoding="utf-8")
    print(page)
    return 0


def render(figures: list[Figure]) -> str:
    """The page."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return f"""# Benchmarks

Made by `make bench` on {datetime.now(UTC):%Y-%m-%d}: {machine}. Read the ratios: both sides of each were
measured in turn, in one run, on one machine. The times themselves belong to that machine and hour. API
servers and client share the cores.

{table(figures)}
- *first apply* is one member's whole part of a run: observe, plan, gate, signed change set, durable intent,
  apply, record, durable outcome. The raw side does nothing but send the same bytes.
- *unchanged member* is connect, observe and plan, against one connection that lists and parses nothing.
- `check` and `reconcile` are whole processes, start of the interpreter included.
"""


if __name__ == "__main__":
    sys.exit(main())
