"""What an entry is, what a batch of them does to the stored tree, and what a finding is.

Knows limits and the shape of everything that is stored. Refuses to know where it is stored, who signs, and
what the bytes of an entry mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from apostille.ledger.labels import LOOSE, Segment, label, packed
from apostille.tlog.checkpoint import Checkpoint
from apostille.tlog.merkle import leaf_hash
from apostille.tlog.tiles import ENTRY_LIMIT, Edge, Tile
from apostille.vocabulary import Reason, Refusal

SALT = 32
"""Bytes of an opening, where there is one."""
FIELD_LIMIT = 64
"""Characters of the longest field name."""
_TIMES = 1 << 62


class Entry(NamedTuple):
    """One thing to be recorded.

    Attributes:
        data: at most 65,535 bytes (C2SP tlog-tiles); this is what the tree vouches for.
        lookups: (field, value) pairs to find it by later. The tree does not vouch for them.
        opening: a secret salt of 32 bytes that is kept beside the tree and never in it; empty when there is
            none.
        at: its time, to search by.
    """

    data: bytes
    lookups: tuple[tuple[str, str], ...] = ()
    opening: bytes = b""
    at: int = 0


class Found(NamedTuple):
    """What an entry is found by, as somebody says who can read it."""

    lookups: tuple[tuple[str, str], ...]
    at: int


class Reads(Protocol):
    """Reads entries, which the ledger cannot."""

    def __call__(self, data: bytes) -> Found | None:
        """What the entry is found by; None if it cannot be read."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry in its place.

    Attributes:
        index: from 0, without gaps.
        data: as it was given to the ledger.
        opening: the salt that is kept beside it, or empty.
    """

    index: int
    data: bytes
    opening: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a stored ledger.

    Attributes:
        where: `entry 17`, `tile 0/3 offset 5`, `checkpoint`, ...
        text: what is wrong, as a sentence.
    """

    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Between:
    """A search among the entries of a time: from `low` up to, not including, `high`."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Batch:
    """All that one append changes in storage, to be made durable whole or not at all.

    Attributes:
        replaces: the checkpoint that must still be the stored one; empty when there must be none.
        checkpoint: the signed note that takes its place.
        entries: (index, sealed data), in order.
        tiles: new tiles, and rewritten ones of the right edge.
        labels: how the entries are found; None if there are none.
        openings: (index, salt).
    """

    replaces: str
    checkpoint: str
    entries: tuple[tuple[int, bytes], ...] = ()
    tiles: tuple[Tile, ...] = ()
    labels: Segment | None = None
    openings: tuple[tuple[int, bytes], ...] = ()


class Overtaken(Exception):
    """Another writer replaced the checkpoint that a batch builds on; nothing was stored."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a writer knows of the stored ledger.

    Attributes:
        note: the signed checkpoint as stored.
        edge: the right edge of the tree that it vouches for.
    """

    note: str
    edge: Edge

    def checkpoint(self, origin: str) -> Checkpoint:
        """The text to be signed for this edge."""
        return Checkpoint(origin, self.edge.size, self.edge.frontier.root())


def expect(entries: Sequence[Entry]) -> None:
    """Check that entries can be stored; whether their lookups can, `placed` says.

    Raises:
        Refusal: (malformed) there is none, the data of one is too long, its opening has another length, or its time is none.
    """
    if not entries:
        raise Refusal(Reason.MALFORMED, "there is nothing to record")
    for data, _, opening, at in entries:
        if len(data) > ENTRY_LIMIT:
            raise Refusal(Reason.MALFORMED, f"an entry of {len(data)} bytes; at most {ENTRY_LIMIT} fit")
        if opening and len(opening) != SALT:
            raise Refusal(Reason.MALFORMED, f"an opening of {len(opening)} bytes; it has {SALT} or none")
        if not -_TIMES < at < _TIMES:
            raise Refusal(Reason.MALFORMED, "a time that is none")


def expect_lookup(field: str, value: str) -> bytes:
    """The label of a field and a value.

    Raises:
        Refusal: (malformed) the field is empty, longer than 64 characters or holds NUL, or they are no Unicode text.
    """
    if not 0 < len(field) <= FIELD_LIMIT or "\0" in field:
        raise Refusal(Reason.MALFORMED, "a lookup has a field of 1 to 64 characters, and no NUL")
    try:
        return label(field, value)
    except UnicodeEncodeError:
        raise _no_text() from None


def _no_text() -> Refusal:
    return Refusal(Reason.MALFORMED, "a lookup is Unicode text")


def placed(entries: Sequence[Entry], sealed: Sequence[bytes], edge: Edge) -> tuple[Edge, Batch]:
    """What appending does to the tree and to storage; the batch still lacks its two checkpoints.

    Raises:
        Refusal: (malformed) an entry cannot be found by one of its lookups.
    """
    grown, tiles = edge.grown([leaf_hash(data) for data in sealed])
    first = edge.size
    times = [entry.at for entry in entries]
    return grown, Batch(
        replaces="",
        checkpoint="",
        entries=tuple(enumerate(sealed, first)),
        tiles=tuple(tiles),
        labels=Segment(LOOSE, first, grown.size, min(times), max(times), _labels(entries, first)),
        openings=tuple((index, entry.opening) for index, entry in enumerate(entries, first) if entry.opening),
    )


def _labels(entries: Sequence[Entry], first: int) -> bytes:
    try:
        data, fields = packed([entry.lookups for entry in entries], first)
    except UnicodeEncodeError:
        raise _no_text() from None
    for field in fields:
        expect_lookup(field, "")
    return data


def fits(found: Found, lookups: Sequence[tuple[str, str]], between: Between | None) -> bool:
    """Whether an entry is what was searched for."""
    return (between is None or between.low <= found.at < between.high) and all(one in found.lookups for one in lookups)
