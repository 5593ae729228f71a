"""The finding codes of this room, what each means and what to do; docs/runbook.md is made from ``CODES``.

Rules kept here
- A code never changes its meaning and is never used again for another one.
- A message shows at most ``MAX_SHOWN`` characters of what it got, control characters escaped.

>>> finding("FW1303", "a.yaml", 3, "the file is not UTF-8").source
SourceRef(path='a.yaml', line=3)
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from reconciler.documents.limits import MAX_SHOWN
from reconciler.model import Finding, Severity, SourceRef

CODES: dict[str, tuple[str, str]] = {
    "FW1301": ("A file is larger than 1 MiB.", "Split it into several files."),
    "FW1302": ("The fleet has more than 100,000 documents or 256 MiB.", "Split the fleet in two."),
    "FW1303": ("A file is not UTF-8.", "Save it as UTF-8, with or without a byte order mark."),
    "FW1304": ("A control character, a direction mark or a byte order mark is in the text.", "Remove it."),
    "FW1305": ("The YAML cannot be read.", "Mend the syntax at the line given."),
    "FW1306": ("A tab is used as indentation.", "Indent with spaces."),
    "FW1307": ("A key is given twice in one mapping.", "Keep one of the two."),
    "FW1308": ("Values are nested deeper than 64 levels.", "Flatten the document."),
    "FW1309": ("A file has over 250,000 values once aliases are expanded.", "Write less, or no aliases."),
    "FW1310": ("A YAML tag such as !!python or !custom is used.", "Remove the tag."),
    "FW1311": ("A key is not a string.", "Put the key in quotes."),
    "FW1312": ("A key such as `on` or `yes` is a boolean in YAML 1.1.", "Put the key in quotes."),
    "FW1313": ("A number is NaN or infinite.", "Write a finite number, or quote a text."),
    "FW1314": ("An integer does not fit into 64 bits.", "Write a smaller number, or quote a text."),
    "FW1315": ("A number such as 08 is read differently by different tools.", "Quote it, or drop the zero."),
    "FW1316": ("A merge key (<<) is used.", "Write the fields out, or use overrides."),
    "FW1317": ("A document is not a mapping.", "Start it with apiVersion, kind and metadata."),
    "FW1318": ("A file has over 100 findings; the others are not shown.", "Mend these, and check again."),
    "FW1320": ("A value is not what the schema asks for.", "Write what the finding says is expected."),
    "FW1321": ("A field is unknown.", "Correct or remove it; docs/reference.md lists all fields."),
    "FW1322": ("A required field is missing.", "Add it."),
    "FW1323": ("A boolean or number stands where a text is expected.", "Put the value in quotes."),
    "FW1324": ("A schema of the fleet cannot be used.", "Mend or remove the file under schemas/."),
    "FW1325": ("The fields of a document contradict each other.", "Change one of the fields named."),
    "FW1330": ("The apiVersion is unknown.", "Use fleetward.io/v1alpha1, or a Kubernetes group and version."),
    "FW1331": ("The kind is unknown.", "Use a kind of docs/reference.md."),
    "FW1332": ("A document or file is in the wrong folder.", "Move it to the folder named."),
    "FW1333": ("A name, label or namespace is not valid.", "Write it as the finding says is expected."),
    "FW1334": ("A cluster's file is not named after the cluster.", "Rename the file or the cluster."),
    "FW1335": ("Two documents have the same kind, namespace and name.", "Remove one, or rename it."),
    "FW1336": ("Two paths differ only in case.", "Rename one of them."),
    "FW1337": ("A document names something that the fleet does not have.", "Correct the name, or add it."),
    "FW1338": ("A field is set that only an API server may set.", "Remove the field."),
    "FW1339": ("A fleetward.io annotation is unknown or out of place.", "Correct or remove it."),
    "FW1340": ("A fleetward.io annotation cannot be read.", "Write YAML or JSON as docs/reference.md shows."),
    "FW1341": ("A URL is not a plain https URL.", "Write https://host[:port][/path] and nothing more."),
    "FW1342": ("A CA bundle has no readable certificate.", "Put PEM certificates into caBundle."),
    "FW1343": ("A credentials path is absolute or leaves its folder.", "Write a relative path without '..'."),
    "FW1344": ("TLS verification is to be skipped.", "Remove it; set caBundle or tlsServerName instead."),
    "FW1345": ("A label selector's values do not fit its operator.", "Give values to In and NotIn only."),
    "FW1346": ("A duration is not one.", 'Write it like "30s", "5m" or "1h30m".'),
    "FW1347": ("There is no usable federation.yaml.", "Add one at the top; `fleetward init` shows how."),
    "FW1348": ("A cluster's exec plugin is not allowed by the Federation.", "Add it to execCommands."),
}


def finding(
    code: str,
    path: str,
    line: int,
    message: str,
    *,
    expected: str = "",
    got: str = "",
    hint: str = "",
    subject: str = "",
    rule: str = "",
    severity: Severity = Severity.ERROR,
) -> Finding:
    """A Finding of this room; without a hint of its own it gets the code's."""
    return Finding(
        code=code,
        message=_one_line(message),
        source=SourceRef(path, line),
        severity=severity,
        subject=_one_line(subject),
        rule=rule,
        expected=expected,
        got=got,
        hint=hint or CODES[code][1],
    )


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding in the making: what is wrong in one file, whose path the reader does not know."""

    code: str
    line: int
    message: str
    expected: str = ""
    got: str = ""
    hint: str = ""

    def at(self, path: str) -> Finding:
        """The Finding, once the path is known."""
        return finding(
            self.code,
            path,
            self.line,
            self.message,
            expected=self.expected,
            got=self.got,
            hint=self.hint,
        )


def _one_line(text: str) -> str:
    return text if text.isprintable() else ascii(text)[1:-1]


def shown(value: Any) -> str:
    """A value as messages show it: one line, bounded, control characters escaped."""
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """``did you mean "placement"?`` for the nearest known word, else ``otherwise``."""
    folded = {candidate.casefold(): candidate for candidate in sorted(known)}
    close = difflib.get_close_matches(word[:MAX_SHOWN].casefold(), list(folded), n=1, cutoff=0.6)
    return f'did you mean "{folded[close[0]]}"?' if close else otherwise
