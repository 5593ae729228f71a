"""JSON lines: every entry exactly as it is in the log, with its index and leaf hash.

``{"index":7,"leafHash":"<64 hex digits>","entry":{...}}``: the canonical bytes of ``entry`` (sorted keys, no
spaces) hash to ``leafHash`` after a zero byte (RFC 6962), so a line can be held against a proof.

>>> from datetime import UTC, datetime
>>> from reconciler.audit.entry import Drift
>>> entry = Drift(actor="ci", time=datetime(2026, 1, 1, tzinfo=UTC), cluster="a", commit="0" * 40, objects=(),
...     count=0)
>>> next(lines(iter([Row("log.example", 7, bytes(32), entry)])))[:23]
b'{"index":7,"leafHash":"'
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.audit.entry import encode
from reconciler.audit.export.rows import Row


def lines(rows: Iterator[Row]) -> Iterator[bytes]:
    """One line an entry."""
    for row in rows:
        # An entry has one form, so writing it again gives the bytes that the leaf hash is of.
        head = b'{"index":%d,"leafHash":"%s","entry":' % (row.index, row.leaf.hex().encode())
        yield head + encode(row.entry) + b"}\n"
