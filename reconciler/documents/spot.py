"""Where a checked value stands, so that whoever finds something wrong with it need not know files or lines.

>>> path_text(["spec", "rules", 0, "verbs"]), path_text(["metadata", "labels", "a.b/c"])
('spec.rules[0].verbs', 'metadata.labels["a.b/c"]')
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.documents.codes import finding, shown
from reconciler.documents.place import Places
from reconciler.model import Finding

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Spot:
    """Where in the repository a checked value stands: file, document and the path inside the document."""

    path: str
    index: int
    subject: str
    places: Places
    base: tuple[str | int, ...] = ()
    inline: bool = False  # the value is text inside the field ``base``, and has no lines of its own

    def line(self, pointer: Sequence[str | int]) -> int:
        """The line of a path inside the value."""
        return self.places.line(self.index, self.base if self.inline else (*self.base, *pointer))

    def finding(self, code: str, pointer: Sequence[str | int], message: str, **more: Any) -> Finding:
        """A finding at a path inside the value."""
        message = f"in {self.base[-1]}: {message}" if self.inline else message
        return finding(code, self.path, self.line(pointer), message, subject=self.subject, **more)


def path_text(pointer: Sequence[str | int]) -> str:
    """A JSON path as people write it: ``spec.rules[0].verbs``; "the document" for the empty one."""
    text = ""
    for step in pointer:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _WORD.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f'["{shown(step)[1:-1]}"]'
    return text or "the document"
