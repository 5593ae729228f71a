"""The Merkle tree against the RFC's definitions written down naively, and against known roots."""

import pytest
from audit_helpers import UNHURRIED
from hypothesis import given
from hypothesis import strategies as st

from reconciler.audit.codes import ProofError
from reconciler.audit.frontier import Frontier
from reconciler.audit.merkle import (
    EMPTY_ROOT,
    check_consistency,
    check_inclusion,
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    root_of,
    tree_root,
)

KNOWN_LEAVES = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
KNOWN_ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def mth(d: list[bytes]) -> bytes:
    if not d:
        return EMPTY_ROOT
    if len(d) == 1:
        return d[0]
    k = _k(len(d))
    return node_hash(mth(d[:k]), mth(d[k:]))


def _k(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def path(m: int, d: list[bytes]) -> list[bytes]:
    if len(d) == 1:
        return []
    k = _k(len(d))
    return [*path(m, d[:k]), mth(d[k:])] if m < k else [*path(m - k, d[k:]), mth(d[:k])]


def subproof(m: int, d: list[bytes], whole: bool) -> list[bytes]:
    if m == len(d):
        return [] if whole else [mth(d)]
    k = _k(len(d))
    if m <= k:
        return [*subproof(m, d[:k], whole), mth(d[k:])]
    return [*subproof(m - k, d[k:], False), mth(d[:k])]


def leaves_of(size: int) -> list[bytes]:
    return [leaf_hash(i.to_bytes(2, "big")) for i in range(size)]


def node_over(leaves: list[bytes]):
    return lambda level, index: mth(leaves[index << level : (index + 1) << level])


sizes = st.integers(1, 70)


def test_known_roots_of_certificate_transparency():
    leaves = [leaf_hash(bytes.fromhex(text)) for text in KNOWN_LEAVES]
    for size, root in KNOWN_ROOTS.items():
        assert root_of(leaves[:size]).hex() == root
    assert root_of([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@UNHURRIED
@given(sizes, st.data())
def test_proofs_are_those_of_the_rfc(size: int, data: st.DataObject):
    leaves = leaves_of(size)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    node = node_over(leaves)
    assert tree_root(size, node) == root_of(leaves) == mth(leaves)
    assert list(inclusion_path(index, size, node)) == path(index, leaves)
    assert list(consistency_path(old, size, node)) == subproof(old, leaves, True)


@UNHURRIED
@given(sizes, st.data())
def test_every_proof_checks_and_no_other_does(size: int, data: st.DataObject):
    leaves = leaves_of(size)
    node, root = node_over(leaves), mth(leaves)
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_path(index, size, node)
    check_inclusion(leaves[index], index, size, proof, root)
    for bad in _broken(proof, data):
        with pytest.raises(ProofError):
            check_inclusion(leaves[index], index, size, bad, root)
    with pytest.raises(ProofError):
        check_inclusion(leaf_hash(b"other"), index, size, proof, root)


@UNHURRIED
@given(st.integers(2, 70), st.data())
def test_every_consistency_proof_checks_and_no_other_does(size: int, data: st.DataObject):
    leaves = leaves_of(size)
    root = mth(leaves)
    old = data.draw(st.integers(1, size - 1))
    proof, old_root = consistency_path(old, size, node_over(leaves)), mth(leaves[:old])
    check_consistency(old, old_root, size, root, proof)
    for bad in _broken(proof, data):
        with pytest.raises(ProofError):
            check_consistency(old, old_root, size, root, bad)
    with pytest.raises(ProofError):
        check_consistency(old, leaf_hash(b"other"), size, root, proof)


def _broken(proof: tuple[bytes, ...], data: st.DataObject):
    yield (*proof, bytes(32))
    if proof:
        yield proof[:-1]
        at = data.draw(st.integers(0, len(proof) - 1))
        yield (*proof[:at], bytes(32), *proof[at + 1 :])


@UNHURRIED
@given(st.integers(-3, 9), st.integers(-3, 9), st.lists(st.binary(min_size=32, max_size=32), max_size=6))
def test_checking_arbitrary_proofs_raises_nothing_but_our_error(first: int, second: int, proof: list[bytes]):
    zero = bytes(32)
    try:
        check_inclusion(zero, first, second, proof, zero)
    except ProofError:
        pass
    else:
        assert (first, second, proof) == (0, 1, [])  # a leaf is the root of its own tree
    try:
        check_consistency(first, zero, second, zero, proof)
    except ProofError:
        pass
    else:
        assert first == second > 0
        assert proof == []


def test_proofs_that_are_too_short_or_for_no_tree():
    leaf = leaf_hash(b"x")
    for index, size in ((0, 2), (1, 2), (0, 0), (1, 1), (-1, 1)):
        with pytest.raises(ProofError):
            check_inclusion(leaf, index, size, [], leaf)
    for old, size in ((-1, -1), (2, 1), (1, 2), (-1, 3), (0, 5)):
        with pytest.raises(ProofError):
            check_consistency(old, leaf, size, leaf, [])


@UNHURRIED
@given(st.lists(st.integers(1, 400), min_size=1, max_size=8))
def test_the_frontier_has_the_root_and_tiles_of_the_whole_tree(batches: list[int]):
    leaves = leaves_of(sum(batches))
    frontier, tiles, at = Frontier(), {}, 0
    for batch in batches:
        for tile in frontier.extend(leaves[at : at + batch]):
            tiles[tile.level, tile.n, len(tile.hashes)] = tile.hashes
        at += batch
        assert frontier.size == at
        assert frontier.root() == root_of(leaves[:at])
    for (level, n, _), hashes in tiles.items():
        for i, value in enumerate(hashes):
            first = (n * 256 + i) << 8 * level
            assert value == root_of(leaves[first : first + (1 << 8 * level)])


def test_an_extension_leaves_the_copied_frontier_alone():
    frontier = Frontier()
    frontier.extend(leaves_of(300))
    before = frontier.root()
    frontier.copy().extend(leaves_of(5))
    assert (frontier.size, frontier.root()) == (300, before)
