"""docs/benchmarks.md: one section for each part, each from a run of its own; sections of others stay.

>>> page = put("", "B", "two")
>>> [line for line in put(page, "A", "one").splitlines() if line.startswith("## ")]
['## B', '## A']
>>> put(put(page, "A", "old"), "A", "new").partition("## ")[2]
'B\\n\\ntwo\\n\\n## A\\n\\nnew\\n'
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from tools.bench.measure import Figure, table

HEAD = """# Benchmarks

Made by `make bench`; `make bench BENCH="log commits"` measures these parts again and leaves the others. Read
the ratios: both sides of each were measured in turn, in one run, on one machine. They are of times (of memory
where that is measured), so below 1x is less than the other side took. The times themselves belong to that
machine and hour. A load average above the number of cores says that other work slowed both sides down.
"""


def section(figures: Sequence[Figure], notes: str) -> str:
    """The table of one part, when and where it was measured, and what is to be known of it."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    when = f"Measured on {datetime.now(UTC):%Y-%m-%d}: {machine}, load average {os.getloadavg()[2]:.0f}."
    return f"{when}\n\n{table(figures)}\n{notes.strip()}\n"


def put(page: str, title: str, body: str) -> str:
    """The page with this section in place of the one of that title, or at the end."""
    parts = re.split(r"^## (.+)\n", page, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True)) | {title: f"\n{body}\n"}
    return HEAD + "".join(f"\n## {name}\n\n{text.strip()}\n" for name, text in sections.items())
