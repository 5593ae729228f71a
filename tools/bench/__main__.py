"""``python -m tools.bench [--quick] [PART ...]``: measure these parts, or all; write docs/benchmarks.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.bench.measure import Figure
from tools.bench.page import put, section

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"


@dataclass(frozen=True, slots=True)
class Part:
    """A section of the page: ``measure`` gets a folder of its own and whether it has to be quick."""

    title: str
    measure: Callable[[Path, bool], list[Figure]]
    notes: str


def _offline(folder: Path, quick: bool) -> list[Figure]:
    from tools.bench.offline import check_figures, help_figures

    figures = [*help_figures(folder / "help"), *check_figures(folder / "check-1000", 1000)]
    return figures if quick else [*figures, *check_figures(folder / "check-10000", 10_000)]


def _members(folder: Path, quick: bool) -> list[Figure]:
    from tools.bench.members import SIZES, member_figures

    return member_figures(folder, SIZES[:1] if quick else SIZES)


def _commits(folder: Path, quick: bool) -> list[Figure]:
    from tools.bench.commits import commit_figures

    return commit_figures(folder, 100 if quick else 1000)


def _log(folder: Path, quick: bool) -> list[Figure]:
    from tools.bench.logs import log_figures

    return log_figures(folder, 100_000 if quick else 1_000_000)


PARTS = {
    "offline": Part(
        "Command line and check",
        _offline,
        "- Whole processes, start of the interpreter included.",
    ),
    "members": Part(
        "Members",
        _members,
        """
- API servers and client share the cores.
- *first apply* is one member's whole part of a run: observe, plan, gate, signed change set, durable intent,
  apply, record, durable outcome. The raw side does nothing but send the same bytes.
- *unchanged member* is connect, observe and plan, against one connection that lists and parses nothing.
- `reconcile` is a whole process, start of the interpreter included.
""",
    ),
    "commits": Part(
        "Signed commits",
        _commits,
        """
- Each commit changes one of 100 files and is signed by git with an Ed25519 key. All are whole processes.
  git verifies signatures, and starts `ssh-keygen` for each, however many commits it is given. `trust explain`
  also reads every tree, judges paths, rules and root versions, and prints it.
""",
    ),
    "log": Part(
        "Log",
        _log,
        """
- *durable append* goes into a new log in a directory. Ours returns once the entries' checkpoint is signed and
  published; tessera's once they are integrated, its checkpoint follows later. The plain side appends the same
  bytes to one file and syncs it: no tree, no names, no signature.
- *audit verify* is a whole process. Of every four entries two name a body, and ours reads every body, holds
  every entry against its schema and against what came before it; fsck hashes bundles and tiles, on all cores.
- *a tlog-proof* is the mean of 1000 spread over the log, file format and checkpoint signature included. Both
  sides keep the tiles that they read.
""",
    ),
}


def main() -> int:
    """Measure; print the sections and write the page."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description="Measure, as ratios.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all if none")
    parser.add_argument("--quick", action="store_true", help="smaller sizes; writes nothing")
    given = parser.parse_args()
    if unknown := set(given.parts) - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    for name in given.parts or PARTS:
        with tempfile.TemporaryDirectory(prefix="fleetward-bench-") as folder:
            figures = PARTS[name].measure(Path(folder), given.quick)
        body = section(figures, PARTS[name].notes)
        print(body)
        if not given.quick:
            PAGE.write_text(put(PAGE.read_text(encoding="utf-8"), PARTS[name].title, body), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
