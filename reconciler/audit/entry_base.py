"""What all kinds of entries share.

>>> Entry(actor="ann@laptop").body_digests()
()
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar

from reconciler.audit import fields as f


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What all kinds share; ``actor`` is who ran it, ``time`` is set by the log."""

    kind: ClassVar[str] = ""
    actor: f.Name
    time: Annotated[datetime | None, f.TIME] = None

    def body_digests(self) -> tuple[str, ...]:
        """The bodies that the log must hold for this entry."""
        return ()
