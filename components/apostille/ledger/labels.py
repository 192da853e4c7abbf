"""How entries are found: for each word of an entry a label of eight bytes, appended now and sorted later.

Knows how labels are made, packed and searched. Refuses to know words: a label holds a checksum of one, so a search can find
an entry too many and never one too few; who can read entries looks at what was found. A row for each word in an index of the
database would be exact, and cost more than everything else that an append does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from struct import pack, unpack
from zlib import crc32

HASH = 4
"""Bytes of a label that stand for the word; the rest are the low bytes of the entry's index."""
LABEL = 8
"""Bytes of a label."""
PARTS = 256
"""Into how many parts, by the first byte of their labels, segments are sorted."""
LOOSE = -1
"""The part of a segment that is not sorted yet: it holds labels of all parts."""
SPAN = 1 << 8 * (LABEL - HASH)
"""Entries that a segment can stand for at most."""
FOLD = 1 << 14
"""Whenever the ledger passes a multiple of so many entries, loose segments are sorted into parts."""


def label(field: str, value: str) -> bytes:
    """What a label holds of a word (a field and a value).

    Whoever may choose words can make two with one checksum, and gains nothing: they could have chosen one word twice. A hash
    that is cut to as few bytes would be no better, and is five times as dear.

    Raises:
        UnicodeEncodeError: it is no Unicode text.
    """
    return crc32(value.encode(), _seed(field)).to_bytes(HASH, "big")


def _seed(field: str) -> int:
    return crc32(f"{field}\0".encode())


def packed(words: Iterable[Iterable[tuple[str, str]]], first: int) -> tuple[bytes, set[str]]:
    """The labels of neighbouring entries, the first at `first`, from the words of each; and all fields that occur.

    Raises:
        UnicodeEncodeError: a word is no Unicode text.
    """
    seeds: dict[str, int] = {}
    numbers: list[int] = []
    for index, some in enumerate(words, first):
        low = index % SPAN
        for field, value in some:
            if field not in seeds:
                seeds[field] = _seed(field)
            numbers += crc32(value.encode(), seeds[field]), low
    return pack(f">{len(numbers)}I", *numbers), set(seeds)


@dataclass(frozen=True, slots=True)
class Segment:
    """Labels of neighbouring entries.

    Attributes:
        part: the first byte of all its labels, or LOOSE.
        first, stop: of the entries from `first` up to `stop`.
        since, until: the earliest and the latest time of such an entry.
        data: labels, one after another.
    """

    part: int
    first: int
    stop: int
    since: int
    until: int
    data: bytes

    def places(self, wanted: bytes) -> Iterator[int]:
        """The entries with this label."""
        data, at = self.data, self.data.find(wanted)
        while at >= 0:
            if at % LABEL == 0:
                yield self._place(int.from_bytes(data[at + HASH : at + LABEL], "big"))
            at = data.find(wanted, at + 1)

    def astray(self) -> Iterator[int]:
        """Places that labels point at although they are none of this segment's; -1 for what is no label at all."""
        if len(self.data) % LABEL or not 0 <= self.first <= self.stop:
            yield -1
            return
        lows, base = unpack(f">{len(self.data) // HASH}I", self.data)[1::2], self.first % SPAN
        if lows and not base <= min(lows) <= max(lows) < base + self.stop - self.first:  # else all is well, at the speed of C
            yield from sorted(place for place in map(self._place, set(lows)) if place >= self.stop)

    def _place(self, low: int) -> int:
        return self.first + (low - self.first) % SPAN


def fold(loose: Sequence[Segment]) -> list[Segment]:
    """The labels of neighbouring loose segments, in order, sorted into parts."""
    parts: list[list[bytes]] = [[] for _ in range(PARTS)]
    for segment in loose:
        count = len(segment.data) // LABEL
        for one in unpack(f"{LABEL}s" * count, segment.data[: count * LABEL]):
            parts[one[0]].append(one)
    first, stop = loose[0].first, loose[-1].stop
    since, until = min(one.since for one in loose), max(one.until for one in loose)
    return [Segment(part, first, stop, since, until, b"".join(sorted(labels))) for part, labels in enumerate(parts) if labels]
