"""The right edge of a tree: all that is needed to append to it and to know its root. Pure.

``edges[l]`` are the hashes of the partial tile of level ``l``. A tile that fills up is emitted, and its
root moves into the edge above; tiles that are already full are never needed again.

>>> from reconciler.audit.merkle import leaf_hash
>>> edge = Frontier()
>>> [(tile.level, tile.n, len(tile.hashes)) for tile in edge.extend([leaf_hash(b"x")] * 257)]
[(0, 0, 256), (0, 1, 1), (1, 0, 1)]
>>> edge.size, edge.root() == root_of([leaf_hash(b"x")] * 257)
(257, True)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from reconciler.audit.merkle import root_of
from reconciler.audit.tiles import WIDTH


@dataclass(frozen=True, slots=True)
class Tile:
    """Tile ``n`` of ``level`` with 1 to 256 hashes."""

    level: int
    n: int
    hashes: tuple[bytes, ...]


class Frontier:
    """A tree's right edge; ``extend`` changes it, so copy it where an append may fail."""

    def __init__(self, edges: Iterable[Sequence[bytes]] = ()) -> None:
        self.edges = [list(edge) for edge in edges]
        self.size = sum(len(edge) << 8 * level for level, edge in enumerate(self.edges))

    def copy(self) -> Frontier:
        """One that can be extended without changing this one."""
        return Frontier(self.edges)

    def extend(self, leaves: Iterable[bytes]) -> list[Tile]:
        """Append leaf hashes; every tile that this made: full ones, then the partial ones that changed."""
        tiles: list[Tile] = []
        touched = 0
        for leaf in leaves:
            touched = max(touched, self._push(0, leaf, tiles) + 1)
        tiles += [self._partial(level) for level in range(touched) if self.edges[level]]
        return tiles

    def _push(self, level: int, value: bytes, tiles: list[Tile]) -> int:
        """Put a hash into the edge of ``level``; the highest level that changed."""
        if level == len(self.edges):
            self.edges.append([])
        if level == 0:
            self.size += 1
        edge = self.edges[level]
        edge.append(value)
        if len(edge) < WIDTH:
            return level
        tiles.append(Tile(level, (self.size >> 8 * (level + 1)) - 1, tuple(edge)))
        self.edges[level] = []
        return self._push(level + 1, root_of(edge), tiles)

    def _partial(self, level: int) -> Tile:
        return Tile(level, self.size >> 8 * (level + 1), tuple(self.edges[level]))

    def root(self) -> bytes:
        """The root of the whole tree, 32 bytes."""
        total: bytes | None = None
        for edge in self.edges:
            if edge:
                total = root_of(edge, total)
        return root_of((), total)


def partial_levels(size: int) -> Iterator[tuple[int, int, int]]:
    """(level, tile, width) of every level of a tree of ``size``; width 0 where no partial tile exists."""
    level = 0
    while size >> 8 * level:
        at_level = size >> 8 * level
        yield level, at_level >> 8, at_level % WIDTH
        level += 1
