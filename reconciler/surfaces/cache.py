"""The on-disk cache of derived values: a SQLite file that can be deleted at any time.

Keys are digests of everything that a value follows from, so nothing is ever stale and nothing needs to be
invalidated. A cache that cannot be read or written costs time, never a result: it behaves as empty.

>>> with FileCache(Path("/nowhere/at/all")) as cache:
...     cache.put_many({"a": b"1"})
...     cache.get_many(["a"])
{}
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_SCHEMA = "CREATE TABLE IF NOT EXISTS cached (key TEXT PRIMARY KEY, value BLOB, day INTEGER) WITHOUT ROWID"
_CHUNK = 10_000  # bound variables of one statement; SQLite allows 32,766
_KEEP_DAYS = 30
_DAY = 86_400  # seconds


class FileCache:
    """Digest -> bytes in ``directory/cache.sqlite``; satisfies the Cache ports of the rooms."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "cache.sqlite"
        self._today = int(time.time()) // _DAY
        self._lock = threading.Lock()  # one connection serves the gate's threads too
        self._connection: sqlite3.Connection | None = None
        self._connection = self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget what nobody asked for in a month, and close the file."""
        if self._connection is None:
            return
        try:
            with self._connection as transaction:
                transaction.execute("DELETE FROM cached WHERE day < ?", (self._today - _KEEP_DAYS,))
        except sqlite3.Error as error:
            self._discard(error)
        else:
            self._connection.close()

    def get(self, key: str) -> bytes | None:
        """The value, or None."""
        return self.get_many([key]).get(key)

    def put(self, key: str, value: bytes) -> None:
        """Keep one value."""
        self.put_many({key: value})

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Those of the keys that are there."""
        found: dict[str, bytes] = {}
        keys = list(keys)
        for start in range(0, len(keys), _CHUNK):
            with self._lock:
                found.update(self._get_chunk(keys[start : start + _CHUNK]))
        return found

    def put_many(self, items: Mapping[str, bytes]) -> None:
        """Keep all values, in one transaction."""
        if self._connection is None:
            return
        rows = [(key, value, self._today) for key, value in items.items()]
        try:
            with self._lock, self._connection as transaction:
                transaction.executemany("INSERT OR REPLACE INTO cached VALUES (?, ?, ?)", rows)
        except sqlite3.Error as error:
            self._discard(error)

    def _get_chunk(self, keys: Sequence[str]) -> dict[str, bytes]:
        if self._connection is None:
            return {}
        marks = ",".join("?" * len(keys))
        query = f"SELECT key, value, day FROM cached WHERE key IN ({marks})"  # noqa: S608  only marks
        try:
            rows = self._connection.execute(query, keys).fetchall()
            self._touch([key for key, _, day in rows if day != self._today])
        except sqlite3.Error as error:
            self._discard(error)
            return {}
        return {key: value for key, value, _ in rows}

    def _touch(self, keys: Sequence[str]) -> None:
        if keys and self._connection is not None:
            with self._connection as transaction:
                updates = [(self._today, key) for key in keys]
                transaction.executemany("UPDATE cached SET day = ? WHERE key = ?", updates)

    def _open(self) -> sqlite3.Connection | None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=5, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")  # losing a cache to a power cut is no loss
            connection.execute(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            self._discard(error)
            return None
        return connection

    def _discard(self, error: Exception) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        damaged = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
        if damaged:  # busy, full or read-only is not damaged: others may be using it
            self._path.unlink(missing_ok=True)
