"""What an entry is, what a batch of them does to the stored tree, and what a finding is.

Knows limits and the shape of everything that is stored. Refuses to know where it is stored, who signs, and
what the bytes of an entry mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from apostille.tlog.checkpoint import Checkpoint
from apostille.tlog.merkle import leaf_hash
from apostille.tlog.tiles import ENTRY_LIMIT, Edge, Tile
from apostille.vocabulary import Reason, Refusal

SALT = 32
"""Bytes of an opening, where there is one."""
FIELD_LIMIT = 64
"""Characters of the longest field name."""
VALUE_LIMIT = 1024
"""UTF-8 bytes of the longest value that is stored as it is; of a longer one, `term` stores a hash."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to be recorded.

    Attributes:
        data: at most 65,535 bytes (C2SP tlog-tiles); this is what the tree vouches for.
        lookups: (field, value) pairs to find it by later. The tree does not vouch for them.
        opening: a secret salt of 32 bytes that is kept beside the tree and never in it; empty when there is
            none.

    Raises:
        Refusal: (malformed) the data is too long, the opening has another length, a field is empty or longer
        than 64
            characters, or a field or value holds what no database keeps (NUL, lone surrogates).
    """

    data: bytes
    lookups: tuple[tuple[str, str], ...] = ()
    opening: bytes = b""

    def __post_init__(self) -> None:
        if len(self.data) > ENTRY_LIMIT:
            raise Refusal(Reason.MALFORMED, f"an entry of {len(self.data)} bytes; at most {ENTRY_LIMIT} fit")
        if len(self.opening) not in (0, SALT):
            raise Refusal(Reason.MALFORMED, f"an opening of {len(self.opening)} bytes; it has {SALT} or none")
        for field, value in self.lookups:
            expect_lookup(field, value)


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
    """A search for values from `low` up to, not including, `high`, by code point.

    Times in ISO 8601, all in UTC and with the same digits, are in order by code point.
    """

    field: str
    low: str
    high: str


@dataclass(frozen=True, slots=True)
class Batch:
    """All that one append changes in storage, to be made durable whole or not at all.

    Attributes:
        replaces: the checkpoint that must still be the stored one; empty when there must be none.
        checkpoint: the signed note that takes its place.
        entries: (index, sealed data), in order.
        tiles: new tiles, and rewritten ones of the right edge.
        lookups: (field, term, index).
        openings: (index, salt).
    """

    replaces: str
    checkpoint: str
    entries: tuple[tuple[int, bytes], ...] = ()
    tiles: tuple[Tile, ...] = ()
    lookups: tuple[tuple[str, str, int], ...] = ()
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


def expect_lookup(field: str, value: str) -> None:
    """Check that a field and a value can be stored and searched for.

    Raises:
        Refusal: (malformed) they cannot.
    """
    if not 0 < len(field) <= FIELD_LIMIT or "\0" in field + value:
        raise Refusal(Reason.MALFORMED, "a lookup has a field of 1 to 64 characters, and no NUL")
    try:
        (field + value).encode()
    except UnicodeEncodeError:
        raise Refusal(Reason.MALFORMED, "a lookup is Unicode text") from None


def term(value: str) -> str:
    """What is stored and searched for: the value itself, or its hash when it is too long for an index.

    Senders choose message ids, and an index row of PostgreSQL ends at 2,704 bytes.
    """
    raw = value.encode()
    return value if len(raw) <= VALUE_LIMIT else f"sha256:{sha256(raw).hexdigest()}"


def placed(entries: Sequence[Entry], sealed: Sequence[bytes], edge: Edge) -> tuple[Edge, Batch]:
    """What appending does to the tree and to storage; the batch still lacks its two checkpoints."""
    grown, tiles = edge.grown([leaf_hash(data) for data in sealed])
    first = edge.size
    return grown, Batch(
        replaces="",
        checkpoint="",
        entries=tuple(enumerate(sealed, first)),
        tiles=tuple(tiles),
        lookups=tuple(
            (field, value, index)
            for index, entry in enumerate(entries, first)
            for field, value in dict.fromkeys((field, term(value)) for field, value in entry.lookups)
        ),
        openings=tuple((index, entry.opening) for index, entry in enumerate(entries, first) if entry.opening),
    )
