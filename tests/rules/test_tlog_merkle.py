"""Laws of RFC 6962 trees, against the definition in section 2.1 written down as it stands."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apostille.tlog import merkle
from apostille.tlog.merkle import EMPTY_ROOT, Frontier, ProofError, leaf_hash, node_hash

MOST = 600
LEAVES = [leaf_hash(bytes([number & 0xFF, number >> 8])) for number in range(MOST)]
# the eight leaves of the certificate transparency project's own tests, and the roots over the first 1..8 of them
KNOWN_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
KNOWN_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@cache
def mth(start: int, end: int) -> bytes:
    if end == start:
        return EMPTY_ROOT
    if end - start == 1:
        return LEAVES[start]
    k = 1
    while k * 2 < end - start:
        k *= 2
    return node_hash(mth(start, start + k), mth(start + k, end))


def node(height: int, number: int) -> bytes:
    return mth(number << height, (number + 1) << height)


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8 % len(data)] ^= 1 << bit % 8
    return bytes(changed)


def test_roots_are_those_of_the_certificate_transparency_vectors() -> None:
    frontier = Frontier()
    for leaf, root in zip(KNOWN_LEAVES, KNOWN_ROOTS, strict=True):
        frontier = frontier.extended([leaf_hash(bytes.fromhex(leaf))])
        assert frontier.root().hex() == root


def test_the_empty_tree_has_the_root_of_the_rfc() -> None:
    assert Frontier().root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.root(node, 0) == EMPTY_ROOT


def test_a_growing_edge_has_the_root_of_the_definition_at_every_size() -> None:
    frontier = Frontier()
    for size in range(1, MOST + 1):
        frontier = frontier.extended(LEAVES[size - 1 : size])
        assert frontier.root() == mth(0, size) == merkle.root(node, size)
        assert len(frontier.hashes) == size.bit_count()


@given(st.integers(0, MOST), st.integers(0, MOST))
def test_growing_in_two_steps_is_growing_in_one(first: int, second: int) -> None:
    first, second = sorted((first, second))
    assert Frontier().extended(LEAVES[:first]).extended(LEAVES[first:second]) == Frontier().extended(
        LEAVES[:second]
    )


def test_every_leaf_of_every_small_tree_is_proved() -> None:
    for size in range(1, 70):
        for index in range(size):
            proof = merkle.inclusion(node, index, size)
            merkle.verify_inclusion(LEAVES[index], index, size, proof, mth(0, size))


def test_every_small_tree_is_proved_to_be_a_prefix_of_every_larger_one() -> None:
    for new in range(70):
        for old in range(new + 1):
            proof = merkle.consistency(node, old, new)
            merkle.verify_consistency(old, new, proof, mth(0, old), mth(0, new))


@given(st.data())
def test_a_leaf_is_proved_at_its_own_place_only(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, MOST))
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion(node, index, size)
    merkle.verify_inclusion(LEAVES[index], index, size, proof, mth(0, size))
    other = data.draw(st.integers(0, size).filter(lambda one: one != index))
    with pytest.raises(ProofError):
        merkle.verify_inclusion(LEAVES[index], other, size, proof, mth(0, size))


@given(st.data())
def test_an_inclusion_proof_with_any_bit_flipped_is_refused(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, MOST))
    index = data.draw(st.integers(0, size - 1))
    parts = [LEAVES[index], mth(0, size), *merkle.inclusion(node, index, size)]
    which = data.draw(st.integers(0, len(parts) - 1))
    parts[which] = flipped(parts[which], data.draw(st.integers(0, 255)))
    with pytest.raises(ProofError):
        merkle.verify_inclusion(parts[0], index, size, parts[2:], parts[1])


@given(st.data())
def test_a_consistency_proof_with_any_bit_flipped_is_refused(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, MOST))
    old = data.draw(st.integers(1, new))
    parts = [mth(0, old), mth(0, new), *merkle.consistency(node, old, new)]
    merkle.verify_consistency(old, new, parts[2:], parts[0], parts[1])
    which = data.draw(st.integers(0, len(parts) - 1))
    parts[which] = flipped(parts[which], data.draw(st.integers(0, 255)))
    with pytest.raises(ProofError):
        merkle.verify_consistency(old, new, parts[2:], parts[0], parts[1])


@given(st.data())
def test_a_proof_that_is_longer_or_shorter_is_refused(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, MOST))
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion(node, index, size)
    for wrong in (proof[:-1], proof[1:], [*proof, proof[0]], [*proof[:-1], proof[-1][:31]]):
        with pytest.raises(ProofError):
            merkle.verify_inclusion(LEAVES[index], index, size, wrong, mth(0, size))
    old = data.draw(st.integers(1, size - 1))
    chain = merkle.consistency(node, old, size)
    for wrong in (chain[:-1], [*chain, LEAVES[0]], [*chain[:-1], chain[-1] + b"\0"]):
        with pytest.raises(ProofError):
            merkle.verify_consistency(old, size, wrong, mth(0, old), mth(0, size))


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_a_leaf_that_is_not_in_the_tree_is_not_proved(index: int, size: int) -> None:
    with pytest.raises(ProofError):
        merkle.inclusion(node, index, size)
    with pytest.raises(ProofError):
        merkle.verify_inclusion(LEAVES[0], index, size, [], LEAVES[0])


@pytest.mark.parametrize(("old", "new"), [(4, 3), (-1, 3)])
def test_a_larger_tree_is_no_prefix_of_a_smaller_one(old: int, new: int) -> None:
    with pytest.raises(ProofError):
        merkle.consistency(node, old, new)
    with pytest.raises(ProofError):
        merkle.verify_consistency(old, new, [], LEAVES[0], LEAVES[0])


def test_equal_sizes_need_equal_roots_and_the_empty_tree_its_own() -> None:
    with pytest.raises(ProofError):
        merkle.verify_consistency(3, 3, [], LEAVES[0], LEAVES[1])
    with pytest.raises(ProofError):
        merkle.verify_consistency(0, 3, [], LEAVES[0], LEAVES[1])
    with pytest.raises(ProofError):
        merkle.verify_consistency(0, 3, [LEAVES[0]], EMPTY_ROOT, LEAVES[1])


@pytest.mark.parametrize(("start", "end"), [(0, 0), (3, 2), (1, 3), (-4, -2)])
def test_a_range_that_is_no_subtree_has_no_root(start: int, end: int) -> None:
    with pytest.raises(ProofError):
        merkle.range_root(node, start, end)


@pytest.mark.parametrize("width", [0, 3, 5])
def test_a_perfect_tree_stands_over_a_power_of_two(width: int) -> None:
    with pytest.raises(ProofError):
        merkle.perfect_root(LEAVES[:width])
