"""What the tools that make pages have in common: write the page, or with ``--check`` say that it is stale."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(target: str, contents: Callable[[], str], tool: str) -> int:
    """Write or compare ``target``, a path from the root; the exit code. ``tool`` mends a stale one."""
    path, text = ROOT / target, contents()
    if "--check" not in sys.argv[1:]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return 0
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return 0
    print(f"{target} is stale: run `{tool}`", file=sys.stderr)
    return 1
