"""Merkle trees as RFC 6962 section 2 has them, SHA-256. Pure: hashes in, hashes out.

Rules: a leaf is hashed with a 0x00 prefix, an inner node with 0x01, so that neither passes for the
other; the left half of a tree is the largest power of two smaller than its size. Proofs are tuples of
32-byte hashes, from the leaf upwards. Checking raises ``ProofError`` and never returns a falsy value.

>>> leaves = [leaf_hash(bytes([i])) for i in range(5)]
>>> def node(level, index):  # any complete subtree, here straight from the leaves
...     return root_of(leaves[index << level : (index + 1) << level])
>>> check_inclusion(leaves[3], 3, 5, inclusion_path(3, 5, node), root_of(leaves))
>>> check_consistency(3, root_of(leaves[:3]), 5, root_of(leaves), consistency_path(3, 5, node))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

from reconciler.audit.codes import ProofError

EMPTY_ROOT = sha256(b"").digest()
HASH_SIZE = 32
Node = Callable[[int, int], bytes]
"""(level, index) -> hash of the complete subtree over leaves [index * 2**level, (index + 1) * 2**level)."""


def leaf_hash(data: bytes) -> bytes:
    """MTH({d}) = SHA-256(0x00 || d)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes], tail: bytes | None = None) -> bytes:
    """The root over hashes of equal complete subtrees, and ``tail``, a smaller tree to their right.

    With leaf hashes and no tail it is the RFC's MTH.
    """
    roots = [_perfect(hashes[low:high]) for low, high in _powers(0, len(hashes))]
    if tail is not None:
        roots.append(tail)
    return _join(roots) if roots else EMPTY_ROOT


def _perfect(hashes: Sequence[bytes]) -> bytes:
    level = list(hashes)
    while len(level) > 1:
        level = [node_hash(level[i], level[i + 1]) for i in range(0, len(level), 2)]
    return level[0]


def _powers(low: int, high: int) -> Iterator[tuple[int, int]]:
    """Cut [low, high) into runs of falling powers of two."""
    while low < high:
        step = 1 << ((high - low).bit_length() - 1)
        yield low, low + step
        low += step


def _join(roots: Sequence[bytes]) -> bytes:
    """Hash trees of falling sizes together, from the right."""
    total = roots[-1]
    for root in reversed(roots[:-1]):
        total = node_hash(root, total)
    return total


def range_hash(low: int, high: int, node: Node) -> bytes:
    """MTH(D[low:high]) where ``low`` is a multiple of the largest power of two in ``high - low``."""
    return _join([node((b - a).bit_length() - 1, a // (b - a)) for a, b in _powers(low, high)])


def tree_root(size: int, node: Node) -> bytes:
    """MTH(D[0:size])."""
    return range_hash(0, size, node) if size else EMPTY_ROOT


def _split(width: int) -> int:
    """The largest power of two smaller than ``width`` (at least 2)."""
    return 1 << ((width - 1).bit_length() - 1)


def inclusion_path(index: int, size: int, node: Node) -> tuple[bytes, ...]:
    """PATH(index, D[size]) of RFC 6962 2.1.1. Raises ProofError unless 0 <= index < size."""
    if not 0 <= index < size:
        raise ProofError("no such entry", expected=f"an index below {size}", got=str(index))
    low, high, path = 0, size, []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(range_hash(middle, high, node))
            high = middle
        else:
            path.append(range_hash(low, middle, node))
            low = middle
    return tuple(reversed(path))


def consistency_path(old: int, size: int, node: Node) -> tuple[bytes, ...]:
    """PROOF(old, D[size]) of RFC 6962 2.1.2; empty for ``old`` 0 or equal to ``size``."""
    if not 0 <= old <= size:
        raise ProofError("no such earlier tree", expected=f"a size from 0 to {size}", got=str(old))
    if old in (0, size):
        return ()
    low, high, path = 0, size, []
    while high != old:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(range_hash(middle, high, node))
            high = middle
        else:
            path.append(range_hash(low, middle, node))
            low = middle
    if low:
        path.append(range_hash(low, high, node))
    return tuple(reversed(path))


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Steps 1 to 5 of RFC 9162 2.1.3.2. Raises ProofError."""
    if not 0 <= index < size:
        raise ProofError("the proof's index is outside its tree", expected=f"below {size}", got=str(index))
    first, last, total = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise ProofError("the inclusion proof is too long", got=f"{len(path)} hashes")
        if first & 1 or first == last:
            total = node_hash(sibling, total)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            total = node_hash(total, sibling)
        first, last = first >> 1, last >> 1
    if last or total != root:
        raise ProofError(
            "the inclusion proof does not lead to the root", expected=root.hex(), got=total.hex()
        )


def check_consistency(old: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> None:
    """RFC 9162 2.1.4.2: the tree of ``size`` starts with the tree of ``old``. Raises ProofError."""
    if not 0 <= old <= size:
        raise ProofError("no consistency between these sizes", got=f"{old} and {size}")
    if old in (0, size):
        if path or (old == size and old_root != root) or (old == 0 and old_root != EMPTY_ROOT):
            raise ProofError("two trees of these sizes need an empty proof and equal roots")
        return
    if not path:
        raise ProofError("the consistency proof is empty", got=f"sizes {old} and {size}")
    first, last, hashes = old - 1, size - 1, list(path)
    while first & 1:
        first, last = first >> 1, last >> 1
    start = old_root if first == 0 else hashes.pop(0)
    if (before := _climb(first, last, start, hashes)) != (old_root, root):
        raise ProofError(
            "the trees are not consistent", expected=f"{old_root.hex()} and {root.hex()}",
            got=" and ".join(value.hex() for value in before),
        )  # fmt: skip


def _climb(first: int, last: int, start: bytes, hashes: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Both roots that the hashes lead to."""
    old = new = start
    for sibling in hashes:
        if last == 0:
            raise ProofError("the consistency proof is too long", got=f"{len(hashes)} hashes")
        if first & 1 or first == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        first, last = first >> 1, last >> 1
    if last:
        raise ProofError("the consistency proof is too short", got=f"{len(hashes)} hashes")
    return old, new
