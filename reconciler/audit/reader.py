"""Reading a log so that every byte is checked against the signed checkpoint.

Rules: the right edge was checked against the root when the log was opened; a full tile must hash to its
entry in the tile above, a bundle's entries to their tile of level 0. So an altered file is found when it
is read, wherever it is, at the cost of one tile a level.

``FW1808: ... tile/0/001: a tile is missing or altered`` is what a flipped bit reads like.
"""

from __future__ import annotations

from reconciler.audit.codes import LogDamagedError, LogFormatError
from reconciler.audit.frontier import Frontier, partial_levels
from reconciler.audit.merkle import leaf_hash, root_of
from reconciler.audit.store import Store
from reconciler.audit.tiles import (
    MAX_BUNDLE_BYTES,
    MAX_TILE_BYTES,
    WIDTH,
    bundle_path,
    parse_bundle,
    parse_tile,
    tile_path,
    width_of,
)

_CACHED_TILES = 512
_RESTORE = "restore this file from a copy of the log"


def damaged(path: str, what: str) -> LogDamagedError:
    """The error for a file that the checkpoint does not vouch for."""
    return LogDamagedError(what, where=path, hint=_RESTORE)


def load_tile(store: Store, level: int, n: int, width: int) -> list[bytes]:
    """The hashes of a tile as stored, not checked; a partial tile may be cut from the full one."""
    data, path = store.read(tile_path(level, n, width), MAX_TILE_BYTES), tile_path(level, n, width)
    if data is None and width < WIDTH:
        full = store.read(tile_path(level, n), MAX_TILE_BYTES)
        data = full[: width * 32] if full and len(full) == MAX_TILE_BYTES else None
    if data is None:
        raise damaged(path, "a tile is missing")
    try:
        return parse_tile(data, width)
    except LogFormatError as error:
        raise damaged(path, f"a tile is malformed: {error.message}") from error


def load_bundle(store: Store, n: int, width: int) -> list[bytes]:
    """The entries of a bundle as stored, not checked; a partial bundle may be cut from the full one."""
    path = bundle_path(n, width)
    data, stored = store.read(path, MAX_BUNDLE_BYTES), width
    if data is None and width < WIDTH:
        data, stored = store.read(bundle_path(n), MAX_BUNDLE_BYTES), WIDTH
    if data is None:
        raise damaged(path, "an entry bundle is missing")
    try:
        return parse_bundle(data, stored)[:width]
    except LogFormatError as error:
        raise damaged(path, f"an entry bundle is malformed: {error.message}") from error


def load_frontier(store: Store, size: int) -> Frontier:
    """The right edge of a tree of ``size``, not checked."""
    return Frontier(
        load_tile(store, level, n, width) if width else () for level, n, width in partial_levels(size)
    )


class TreeReader:
    """Checked tiles, bundles and nodes of one tree, whose ``frontier`` is known to be right."""

    def __init__(self, store: Store, frontier: Frontier) -> None:
        self._store = store
        self._frontier = frontier
        self._tiles: dict[tuple[int, int], list[bytes]] = {}
        self._bundle: tuple[int, list[bytes]] = (-1, [])

    @property
    def size(self) -> int:
        """Number of entries."""
        return self._frontier.size

    def tile(self, level: int, n: int) -> list[bytes]:
        """The hashes of a tile. Raises LogDamagedError."""
        if width_of(level, n, self.size) < WIDTH:
            return self._frontier.edges[level]
        hashes = self._tiles.get((level, n))
        if hashes is None:
            expected = self.tile(level + 1, n // WIDTH)[n % WIDTH]
            hashes = load_tile(self._store, level, n, WIDTH)
            if root_of(hashes) != expected:
                raise damaged(tile_path(level, n), "a tile is not what the checkpoint vouches for")
            if len(self._tiles) >= _CACHED_TILES:
                self._tiles.clear()
            self._tiles[level, n] = hashes
        return hashes

    def bundle(self, n: int) -> list[bytes]:
        """The entries of bundle ``n``. Raises LogDamagedError."""
        if self._bundle[0] != n:
            width = width_of(0, n, self.size)
            entries, hashes = load_bundle(self._store, n, width), self.tile(0, n)
            for at, entry in enumerate(entries):
                if leaf_hash(entry) != hashes[at]:
                    raise damaged(bundle_path(n, width), f"entry {n * WIDTH + at} was altered")
            self._bundle = (n, entries)
        return self._bundle[1]

    def node(self, level: int, index: int) -> bytes:
        """The hash of a complete subtree, as ``merkle.Node``."""
        tile_level, height = divmod(level, 8)
        first = index << height
        hashes = self.tile(tile_level, first // WIDTH)
        return root_of(hashes[first % WIDTH : first % WIDTH + (1 << height)])
