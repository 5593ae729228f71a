"""Refused requests on their way into the log: each is told of, and none of them can fill it.

Rules: the first refusal of its kind (code, name, token; the last two of who was believed) in a window of
``WINDOW`` becomes an entry at once; those alike after it are counted, and become one entry when the window
ends. There are at most ``MAX_KINDS`` kinds a window: what comes after that counts by its code alone.

>>> from datetime import UTC
>>> now = datetime(2026, 1, 1, tzinfo=UTC)
>>> refusals = Refusals()
>>> [refusals.note("FW1740", "", "", "192.0.2.1", now) for _ in range(3)]
[1, 0, 0]
>>> [(one.code, one.count) for one in refusals.take("ci", now + WINDOW)]
[('FW1740', 1), ('FW1740', 2)]
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.audit.entry import JoinRefused
from reconciler.audit.fields import clip

WINDOW = timedelta(seconds=60)
MAX_KINDS = 50
_Kind = tuple[str, str, str]  # code, name, token


@dataclass(slots=True)
class Refusals:
    """See the module."""

    _begun: datetime | None = None
    _first: list[tuple[_Kind, str]] = field(default_factory=list)  # not logged yet
    _more: dict[_Kind, tuple[str, int]] = field(default_factory=dict)  # address, count

    def note(self, code: str, cluster: str, token: str, address: str, now: datetime) -> int:
        """Count a refusal; 1 if it should be logged at once (``take``), else 0."""
        if self._begun is None:
            self._begun = now
        kind = (code, clip(cluster, 100), token)
        if kind not in self._more and len(self._more) >= MAX_KINDS:
            kind = (code, "", "")
        if kind not in self._more and len(self._more) < 2 * MAX_KINDS:
            self._more[kind] = (address, 0)
            self._first.append((kind, address))
            return 1
        where, count = self._more.get(kind, (address, 0))
        self._more[kind] = (where, count + 1)
        return 0

    def take(self, actor: str, now: datetime, *, everything: bool = False) -> list[JoinRefused]:
        """The entries that are due now; ``everything`` also those whose window has not ended."""
        due = [_entry(actor, kind, address, 1) for kind, address in self._first]
        self._first = []
        if self._begun is not None and (everything or now - self._begun >= WINDOW):
            due += [_entry(actor, kind, where, count) for kind, (where, count) in self._more.items() if count]
            self._begun, self._more = None, {}
        return due


def _entry(actor: str, kind: _Kind, address: str, count: int) -> JoinRefused:
    code, cluster, token = kind
    return JoinRefused(
        actor=actor, code=code, cluster=cluster, token=token, address=clip(address, 100), count=count
    )
