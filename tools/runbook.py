"""Makes docs/runbook.md from docs/runbook.d/*.md and the CODES tables of the rooms.

    python -m tools.runbook            writes docs/runbook.md
    python -m tools.runbook --check    exits 1 when docs/runbook.md is not what would be written

The situations are written by hand, one file each, in the order of their names; each starts with its heading.
The codes come from the code only: a code with two tables is an error here.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module

from tools.generated import ROOT, main

TABLES = (
    "reconciler.surfaces.codes",
    "reconciler.repository.errors",
    "reconciler.trust.errors",
    "reconciler.pipeline.codes",
    "reconciler.pipeline.membership.codes",
    "reconciler.documents.codes",
    "reconciler.compile.codes",
    "reconciler.gate.errors",
    "reconciler.plan.authorize",
    "reconciler.member.errors",
    "reconciler.audit.codes",
)
GROUPS = {
    "FW10": ("Settings and use", "The command line: flags, variables, folders."),
    "FW11": (
        "Repository",
        "Git: locations, revisions, commits, trees. Nothing is applied when one stops a run.",
    ),
    "FW12": ("Trust", "Who signed what, the reconciler's key, change sets, and which commit is accepted."),
    "FW13": ("Documents", "YAML, schemas, places, names. All are findings with file and line."),
    "FW14": ("Compile", "What documents become for one cluster. All but FW1400 are findings."),
    "FW15": ("Gate", "OPA and its rules. A gate without a verdict refuses the commit."),
    "FW16": ("Plan", "The guards. They refuse one member's plan; the other members go on."),
    "FW17": ("Member", "One cluster: connection, login, rights, apply. The other members go on."),
    "FW18": (
        "Audit log",
        "What cannot be read, believed or made durable. Nothing is applied without the log.",
    ),
    "FW19": ("Sandbox and programs", "Local control planes, and the programs that fleetward builds."),
}
HEAD = """<!-- Made by tools/runbook.py from docs/runbook.d/ and the tables of codes. Do not edit. -->

# Runbook

First situations, then every code. In all output a code stands beside what happened, with what was expected,
what was there, and what to do. `--output json` has the same facts for programs.

Exit codes: 0 good; 1 the answer is no (findings, changes, not converged); 2 an error. After an exit 2 of
`reconcile`, nothing was begun on any member unless the message is about the log (FW18xx): then read
[The log cannot be written](#the-log-cannot-be-written).

In the commands, `STATE` is the folder that `--state` or `FLEETWARD_STATE` names. By default it is
`fleetward/<fleet>-<digest>` in the user's state folder (`~/.local/state` on Linux). `CACHE` is the folder of
`--cache` or `FLEETWARD_CACHE`, by default `fleetward` in the user's cache folder; `CREDENTIALS` that of
`--credentials` or `FLEETWARD_CREDENTIALS`, by default `STATE/credentials`.
"""


class StaleError(Exception):
    """The tables or sections cannot become one page."""


def page() -> str:
    """The whole page."""
    sections = situations()
    titles = [section.partition("\n")[0].removeprefix("## ") for section in sections]
    listed = codes()
    groups = [_group(prefix, listed) for prefix in GROUPS]
    contents = [f"- [{title}](#{anchor(title)})" for title in titles]
    contents += [f"- Codes: {', '.join(f'[{name}](#{anchor(name)})' for name, _ in GROUPS.values())}"]
    return "\n".join([HEAD, *contents, "", *sections, "# Codes", "", *groups])


def situations() -> list[str]:
    """The hand-written sections. Raises StaleError for one without a heading."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs" / "runbook.d").glob("*.md"))]
    if bad := [text[:40] for text in texts if not text.startswith("## ")]:
        raise StaleError(f"a section does not start with its heading: {bad}")
    return texts


def codes() -> dict[str, tuple[str, str]]:
    """Code -> (meaning, what to do) of all tables. Raises StaleError for a code that two tables have."""
    found: dict[str, tuple[str, str]] = {}
    for name in TABLES:
        table = import_module(name).CODES
        if double := found.keys() & table.keys():
            raise StaleError(f"two tables have {', '.join(sorted(double))}")
        found |= table
    if strange := sorted(code for code in found if code[:4] not in GROUPS):
        raise StaleError(f"codes of no group: {', '.join(strange)}")
    return found


def anchor(title: str) -> str:
    """The anchor that forges give a heading.

    >>> anchor("The log is behind a member's record")
    'the-log-is-behind-a-members-record'
    """
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _group(prefix: str, listed: dict[str, tuple[str, str]]) -> str:
    title, about = GROUPS[prefix]
    rows = [
        f"| {code} | {_sentence(meaning)} | {_sentence(advice)} |"
        for code, (meaning, advice) in sorted(listed.items())
        if code.startswith(prefix)
    ]
    return "\n".join([f"## {title}", "", about, "", "| code | means | do |", "|---|---|---|", *rows, ""])


def _sentence(text: str) -> str:
    """A cell: a capital first, a full stop last, no character that would end it."""
    text = " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
    text = re.sub(r"`[^`]*`", lambda code: code.group().replace("&lt;", "<"), text)
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


if __name__ == "__main__":
    sys.exit(main("docs/runbook.md", page, "make docs"))
