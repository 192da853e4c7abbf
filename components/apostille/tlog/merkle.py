"""The Merkle tree of RFC 6962: hashes, the right edge of a growing tree, and the two kinds of proof.

Knows only hashes and numbers. Refuses to know tiles, files and signatures: whoever wants a proof hands in a
function that answers with the hash of one perfect subtree.

In this module a *hash* is 32 bytes of SHA-256, a *size* is a number of leaves, and the perfect subtree
`(height, number)` spans the leaves `number * 2**height` up to, not including, `(number + 1) * 2**height`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

HASH = 32
"""Bytes of one hash."""

EMPTY_ROOT = sha256(b"").digest()
"""The root of the tree without leaves (RFC 6962 section 2.1)."""

Node = Callable[[int, int], bytes]
"""`(height, number)` to the hash of that perfect subtree."""


class ProofError(ValueError):
    """A proof that does not prove what it is said to prove, or that a tree cannot give."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf that holds `data` (RFC 6962 section 2.1: SHA-256 over 0x00 and the data)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node over two hashes (RFC 6962 section 2.1: SHA-256 over 0x01 and both)."""
    return sha256(b"\x01" + left + right).digest()


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """The root over a power of two of hashes of equally high subtrees.

    Raises:
        ProofError: the number of hashes is no power of two.
    """
    if not hashes or len(hashes) & (len(hashes) - 1):
        raise ProofError(f"{len(hashes)} hashes do not make a perfect tree")
    row = list(hashes)
    while len(row) > 1:
        row = [sha256(b"\x01" + row[at] + row[at + 1]).digest() for at in range(0, len(row), 2)]
    return row[0]


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a tree: all that is needed to go on appending, and never more than 63 hashes.

    A value: `extended` answers with a new one, so that a writer can forget it when the storage says no.

    Attributes:
        size: leaves so far.
        hashes: roots of the perfect subtrees that `size` falls into, the largest (leftmost) first; as many as
            `size` has one-bits.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def extended(
        self, leaves: Iterable[bytes], completed: Callable[[int, bytes], None] | None = None, every: int = 1
    ) -> Frontier:
        """The right edge after more leaf hashes.

        Args:
            leaves: leaf hashes in order.
            completed: told of each perfect subtree that the new leaves complete, as `(height, hash)`, lower
                ones first; leaves themselves are not told.
            every: of which heights it is told: the multiples of this.
        """
        stack, size = list(self.hashes), self.size
        pop, push = stack.pop, stack.append
        for leaf in leaves:
            node, height, rest = leaf, 0, size
            while rest & 1:
                node = sha256(b"\x01" + pop() + node).digest()
                height, rest = height + 1, rest >> 1
                if completed and height % every == 0:
                    completed(height, node)
            push(node)
            size += 1
        return Frontier(size, tuple(stack))

    def root(self) -> bytes:
        """The root hash of the tree (RFC 6962 section 2.1)."""
        if not self.hashes:
            return EMPTY_ROOT
        node = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            node = node_hash(left, node)
        return node


def _split(width: int) -> int:
    """The largest power of two smaller than `width`, which is 2 or more (`k` in RFC 6962 section 2.1)."""
    return 1 << ((width - 1).bit_length() - 1)


def range_root(node: Node, start: int, end: int) -> bytes:
    """The hash `MTH(D[start:end])` of a range that RFC 6962's recursion meets.

    Raises:
        ProofError: the range is empty, reversed or not one that the recursion meets.
    """
    width = end - start
    if width <= 0 or start < 0 or start % (1 << (width - 1).bit_length()):
        raise ProofError(f"leaves {start} to {end} are no subtree")
    if width & (width - 1) == 0:
        height = width.bit_length() - 1
        return node(height, start >> height)
    middle = start + _split(width)
    return node_hash(range_root(node, start, middle), range_root(node, middle, end))


def root(node: Node, size: int) -> bytes:
    """The root hash of the first `size` leaves."""
    return range_root(node, 0, size) if size else EMPTY_ROOT


def inclusion(node: Node, index: int, size: int) -> list[bytes]:
    """The inclusion proof of a leaf in the tree of `size` leaves, from the leaf upwards.

    RFC 6962 section 2.1.1.

    Raises:
        ProofError: there is no such leaf in such a tree.
    """
    if not 0 <= index < size:
        raise ProofError(f"there is no leaf {index} in a tree of {size}")
    proof, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(range_root(node, middle, end))
            end = middle
        else:
            proof.append(range_root(node, start, middle))
            start = middle
    return proof[::-1]


def consistency(node: Node, old: int, new: int) -> list[bytes]:
    """The proof that the tree of `old` leaves is a prefix of that of `new` leaves (RFC 6962 section 2.1.2).

    Raises:
        ProofError: `old` is greater than `new`, or negative.
    """
    if not 0 <= old <= new:
        raise ProofError(f"a tree of {old} is no prefix of a tree of {new}")
    if old in (0, new):
        return []
    proof, start, end, whole = [], 0, new, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append(range_root(node, middle, end))
            end = middle
        else:
            proof.append(range_root(node, start, middle))
            start, whole = middle, False
    if not whole:
        proof.append(range_root(node, start, end))
    return proof[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf hash `leaf` stands at `index` in the tree of `size` leaves with hash `root`.

    RFC 9162 section 2.1.3.2.

    Raises:
        ProofError: it does not follow from the proof.
    """
    if not 0 <= index < size:
        raise ProofError(f"there is no leaf {index} in a tree of {size}")
    _expect_hashes(leaf, root, *proof)
    place, last, node = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofError("the inclusion proof is too long")
        if place & 1 or place == last:
            node = node_hash(sibling, node)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise ProofError("the inclusion proof is too short")
    if node != root:
        raise ProofError("the inclusion proof does not lead to the root")


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Check that the tree `(new, new_root)` only appended to the tree `(old, old_root)`.

    RFC 9162 section 2.1.4.2.

    Raises:
        ProofError: it does not follow from the proof.
    """
    if not 0 <= old <= new:
        raise ProofError(f"a tree of {old} is no prefix of a tree of {new}")
    _expect_hashes(old_root, new_root, *proof)
    if old in (0, new):
        if proof or old_root != (new_root if old else EMPTY_ROOT):
            raise ProofError("the consistency proof does not lead to the root")
        return
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        raise ProofError("the consistency proof is too short")
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    before = after = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError("the consistency proof is too long")
        if place & 1 or place == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise ProofError("the consistency proof is too short")
    if (before, after) != (old_root, new_root):
        raise ProofError("the consistency proof does not lead to the root")


def _expect_hashes(*hashes: bytes) -> None:
    for one in hashes:
        if len(one) != HASH:
            raise ProofError(f"a hash of {len(one)} bytes")
