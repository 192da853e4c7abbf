"""Tiles: how a tree and its entries lie in files or rows (C2SP tlog-tiles).

Knows paths, the framing of entries, which tiles a growing tree rewrites, and how to read any hash out of
tiles. Refuses to know where tiles are kept: it is handed a function that fetches one.

A *level* counts tiles from the leaves (0) upwards, a *number* counts tiles within a level from the left, a
*width* counts the hashes of a tile, 1 to 256. A tile is its hashes one after another, 32 bytes each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from apostille.tlog.merkle import HASH, Frontier, Node, perfect_root

HEIGHT = 8
"""Tree levels that one tile spans."""
WIDTH = 1 << HEIGHT
"""Hashes of a full tile, entries of a full bundle."""
ENTRY_LIMIT = 0xFFFF
"""Bytes of the longest entry, from its uint16 length."""
TOP_LEVEL = 63
"""The highest level that a path can name."""

Fetch = Callable[[int, int], bytes]
"""`(level, number)` to the bytes of that tile; empty when there is none."""


class TileError(ValueError):
    """Bytes or a path that are no tile, no bundle, or not the tile that a tree of this size has."""


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """A hash tile: its place and its hashes.

    Attributes:
        level: 0 for leaf hashes.
        number: from the left.
        data: 1 to 256 hashes.
    """

    level: int
    number: int
    data: bytes


_PATH = re.compile(r"tile/(0|[1-9][0-9]?|entries)/((?:x[0-9]{3}/)*)([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


def path(level: int | None, number: int, width: int = WIDTH) -> str:
    """The path of a tile, below the log's prefix; `None` as level means the bundle of entries.

    Raises:
        TileError: there is no such tile.
    """
    if number < 0 or not 1 <= width <= WIDTH or not (level is None or 0 <= level <= TOP_LEVEL):
        raise TileError(f"there is no tile {level}/{number} of width {width}")
    groups = [f"{number % 1000:03}"]
    while number := number // 1000:
        groups.insert(0, f"x{number % 1000:03}")
    partial = "" if width == WIDTH else f".p/{width}"
    return f"tile/{'entries' if level is None else level}/{'/'.join(groups)}{partial}"


def parse_path(text: str) -> tuple[int | None, int, int]:
    """What a path names: level (`None` for entries), number, width.

    Raises:
        TileError: the text is not the one spelling of a path of a tile.
    """
    found = _PATH.fullmatch(text) if len(text) < 200 else None
    if not found:
        raise TileError("not the path of a tile")
    level = None if found[1] == "entries" else int(found[1])
    number, width = int(found[2].replace("x", "").replace("/", "") + found[3]), int(found[4] or WIDTH)
    if width > WIDTH or (level or 0) > TOP_LEVEL or path(level, number, width) != text:
        raise TileError("not the path of a tile")
    return level, number, width


def bundle(entries: Iterable[bytes]) -> bytes:
    """Entries as one bundle: each behind its length as a big-endian uint16.

    Raises:
        TileError: an entry is longer than 65,535 bytes.
    """
    parts = []
    for entry in entries:
        if len(entry) > ENTRY_LIMIT:
            raise TileError(f"an entry of {len(entry)} bytes, at most {ENTRY_LIMIT} fit")
        parts += [len(entry).to_bytes(2, "big"), entry]
    return b"".join(parts)


def unbundle(data: bytes, width: int = WIDTH) -> list[bytes]:
    """The `width` entries of a bundle.

    Raises:
        TileError: the bytes are not exactly that many entries.
    """
    entries, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or end > len(data):
            raise TileError("the bundle ends inside an entry")
        entries.append(data[at + 2 : end])
        at = end
    if len(entries) != width:
        raise TileError(f"the bundle holds {len(entries)} entries instead of {width}")
    return entries


def split(data: bytes) -> list[bytes]:
    """The hashes of a tile.

    Raises:
        TileError: the bytes are not 1 to 256 hashes.
    """
    if not data or len(data) % HASH or len(data) > WIDTH * HASH:
        raise TileError(f"a tile of {len(data)} bytes")
    return [data[at : at + HASH] for at in range(0, len(data), HASH)]


def row(level: int, size: int) -> int:
    """How many hashes the whole row of tiles at `level` holds in a tree of `size` leaves."""
    return size >> (HEIGHT * level)


def edge_widths(size: int) -> list[int]:
    """Widths of the partial tiles at the right edge, by level from 0; 0 where a level has none."""
    widths = []
    while size:
        widths.append(size % WIDTH)
        size >>= HEIGHT
    return widths


def changed(old: int, new: int) -> Iterator[tuple[int, int, int]]:
    """Which hash tiles a growth from `old` to `new` leaves makes or widens: level, number, new width."""
    level = 0
    while count := row(level, new):
        before = row(level, old)
        if before < count:
            for number in range(before // WIDTH, (count - 1) // WIDTH + 1):
                yield level, number, min(WIDTH, count - number * WIDTH)
        level += 1


@dataclass(frozen=True, slots=True)
class Edge:
    """The right edge of a tiled tree, as a value: what a writer keeps in memory.

    Attributes:
        frontier: the same edge as perfect subtrees.
        partial: the rightmost partial tile of each level from 0, empty where a level has none.
    """

    frontier: Frontier = field(default_factory=Frontier)
    partial: tuple[bytes, ...] = ()

    @property
    def size(self) -> int:
        """Leaves so far."""
        return self.frontier.size

    @classmethod
    def load(cls, size: int, fetch: Fetch) -> Edge:
        """The edge of a tree of `size` leaves from its stored partial tiles; its root is not checked.

        Raises:
            TileError: a partial tile is missing or does not have the width that the size asks for.
        """
        partial = []
        for level, width in enumerate(edge_widths(size)):
            number = row(level, size) // WIDTH
            data = fetch(level, number) if width else b""
            if len(data) != width * HASH:
                raise TileError(f"tile {level}/{number} has {len(data)} bytes instead of {width * HASH}")
            partial.append(data)
        hashes: list[bytes] = []
        for data in reversed(partial):
            hashes += peaks(split(data)) if data else []
        return cls(Frontier(size, tuple(hashes)), tuple(partial))

    def grown(self, leaves: Sequence[bytes]) -> tuple[Edge, list[Tile]]:
        """The edge after more leaf hashes, and every tile that came to be or became wider."""
        rows = [bytearray(data) for data in self.partial]
        numbers = [row(level, self.size) // WIDTH for level in range(len(rows))]
        touched: set[int] = set()
        done: list[Tile] = []

        def put(level: int, nodes: bytes) -> None:
            """Some more hashes for a row of tiles, as many as the last tile has room for at most."""
            if level == len(rows):
                rows.append(bytearray())
                numbers.append(0)
            rows[level] += nodes
            touched.add(level)
            if len(rows[level]) == WIDTH * HASH:
                done.append(Tile(level, numbers[level], bytes(rows[level])))
                rows[level].clear()
                numbers[level] += 1
                touched.discard(level)

        frontier, start = self.frontier, 0
        while start < len(leaves):
            some = leaves[start : start + WIDTH - frontier.size % WIDTH]
            put(0, b"".join(some))
            frontier = frontier.extended(some, lambda height, node: put(height // HEIGHT, node), HEIGHT)
            start += len(some)
        partial = tuple(bytes(data) for data in rows)
        done += [Tile(level, numbers[level], partial[level]) for level in sorted(touched)]
        return Edge(frontier, partial), done


def peaks(hashes: Sequence[bytes]) -> list[bytes]:
    """Roots of the perfect subtrees that a row of equally high hashes falls into, the largest first."""
    found, at = [], 0
    for bit in range(len(hashes).bit_length() - 1, -1, -1):
        if len(hashes) >> bit & 1:
            found.append(perfect_root(hashes[at : at + (1 << bit)]))
            at += 1 << bit
    return found


def node_reader(fetch: Fetch, keep: int = 64) -> Node:
    """A function that answers with the hash of any perfect subtree, read out of tiles.

    Args:
        fetch: asked once for each tile as long as it is remembered.
        keep: how many tiles are remembered, 8 KiB each.

    Returns:
        `(height, number)` to hash; it raises `TileError` when the tiles do not hold it.
    """
    seen: dict[tuple[int, int], bytes] = {}

    def node(height: int, number: int) -> bytes:
        level, above = divmod(height, HEIGHT)
        first = number << above
        place = (level, first // WIDTH)
        if place not in seen:
            if len(seen) >= keep:
                seen.pop(next(iter(seen)))
            seen[place] = fetch(*place)
        start = first % WIDTH * HASH
        data = seen[place][start : start + (HASH << above)]
        if len(data) != HASH << above:
            raise TileError(f"tile {place[0]}/{place[1]} is missing or too short")
        return perfect_root(split(data))

    return node
