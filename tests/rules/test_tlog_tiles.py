"""Paths, bundles and tiles as C2SP tlog-tiles describes them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apostille.tlog import merkle, tiles
from apostille.tlog.merkle import Frontier, leaf_hash
from apostille.tlog.tiles import Edge, TileError

LEAVES = [leaf_hash(str(number).encode()) for number in range(70_000)]
SIZES = st.integers(0, 2_000) | st.integers(65_400, 65_700)


def grown(*sizes: int) -> tuple[Edge, dict[tuple[int, int], bytes]]:
    edge, kept = Edge(), dict[tuple[int, int], bytes]()
    for size in sizes:
        edge, done = edge.grown(LEAVES[edge.size : size])
        kept |= {(tile.level, tile.number): tile.data for tile in done}
    return edge, kept


@pytest.mark.parametrize(
    ("level", "number", "width", "text"),
    [
        (0, 1234067, 256, "tile/0/x001/x234/067"),
        (0, 0, 256, "tile/0/000"),
        (1, 1000, 17, "tile/1/x001/000.p/17"),
        (None, 273, 112, "tile/entries/273.p/112"),
        (63, 999, 255, "tile/63/999.p/255"),
    ],
)
def test_a_path_is_spelled_as_in_the_specification(
    level: int | None, number: int, width: int, text: str
) -> None:
    assert tiles.path(level, number, width) == text
    assert tiles.parse_path(text) == (level, number, width)


@given(st.none() | st.integers(0, 63), st.integers(0, 2**55), st.integers(1, 256))
def test_a_path_is_read_back(level: int | None, number: int, width: int) -> None:
    assert tiles.parse_path(tiles.path(level, number, width)) == (level, number, width)


@pytest.mark.parametrize(
    "text",
    ["", "tile/00/000", "tile/64/000", "tile/0/0", "tile/0/x000/001", "tile/0/001/002", "tile/0/000.p/256",
     "tile/0/000.p/0", "tile/0/000.p/01", "tile/0/000\n", "tile/0/٠٠٠", "/tile/0/000", "tile/0/x001/x02/003"],
)  # fmt: skip
def test_another_spelling_of_a_path_is_refused(text: str) -> None:
    with pytest.raises(TileError):
        tiles.parse_path(text)


@given(st.text(max_size=300))
def test_any_text_is_a_path_or_refused(text: str) -> None:
    with contextlib.suppress(TileError):
        assert tiles.path(*tiles.parse_path(text)) == text


@pytest.mark.parametrize(("level", "number", "width"), [(-1, 0, 1), (64, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)])
def test_a_tile_that_cannot_be_has_no_path(level: int, number: int, width: int) -> None:
    with pytest.raises(TileError):
        tiles.path(level, number, width)


@given(st.lists(st.binary(max_size=400), max_size=256))
def test_a_bundle_is_read_back(entries: list[bytes]) -> None:
    assert tiles.unbundle(tiles.bundle(entries), len(entries)) == entries


def test_an_entry_of_65535_bytes_fits_and_one_more_does_not() -> None:
    assert tiles.unbundle(tiles.bundle([b"x" * 65_535]), 1) == [b"x" * 65_535]
    with pytest.raises(TileError):
        tiles.bundle([b"x" * 65_536])


@given(st.binary(max_size=600), st.integers(1, 256))
def test_any_bytes_are_a_bundle_or_refused(data: bytes, width: int) -> None:
    with contextlib.suppress(TileError):
        assert tiles.bundle(tiles.unbundle(data, width)) == data


@pytest.mark.parametrize("data", [b"", b"x" * 31, b"x" * 33, b"x" * 32 * 257])
def test_bytes_that_are_not_1_to_256_hashes_are_no_tile(data: bytes) -> None:
    with pytest.raises(TileError):
        tiles.split(data)


def test_a_tree_of_70000_has_the_tiles_of_the_specification() -> None:
    _, kept = grown(70_000)
    widths = {place: len(data) // 32 for place, data in kept.items()}
    assert [width for (level, _), width in widths.items() if level == 0] == [256] * 273 + [112]
    assert (widths[1, 0], widths[1, 1], widths[2, 0]) == (256, 17, 1)
    assert len(kept) == 277


def test_a_tree_of_256_has_a_partial_tile_of_width_1_at_level_1() -> None:
    _, kept = grown(256)
    assert {place: len(data) // 32 for place, data in kept.items()} == {(0, 0): 256, (1, 0): 1}


@settings(deadline=None, max_examples=12)
@given(st.lists(SIZES, min_size=1, max_size=5).map(sorted))
def test_growing_in_any_steps_leaves_the_same_tiles_and_root(sizes: list[int]) -> None:
    edge, kept = grown(*sizes)
    straight, all_at_once = grown(sizes[-1])
    assert (edge, kept) == (straight, all_at_once)
    assert edge.frontier == Frontier().extended(LEAVES[: sizes[-1]])
    assert Edge.load(edge.size, lambda level, number: kept.get((level, number), b"")) == edge


@settings(deadline=None, max_examples=12)
@given(SIZES, SIZES)
def test_exactly_the_tiles_that_change_are_said_to_change(old: int, new: int) -> None:
    old, new = sorted((old, new))
    edge, _ = grown(old)
    _, done = edge.grown(LEAVES[old:new])
    said = {(level, number): width for level, number, width in tiles.changed(old, new)}
    assert said == {(tile.level, tile.number): len(tile.data) // 32 for tile in done}


@settings(deadline=None, max_examples=12)
@given(st.data())
def test_proofs_are_read_out_of_tiles(data: st.DataObject) -> None:
    size = data.draw(SIZES.filter(bool))
    edge, kept = grown(size)
    node = tiles.node_reader(lambda level, number: kept.get((level, number), b""), keep=3)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    root = edge.frontier.root()
    merkle.verify_inclusion(LEAVES[index], index, size, merkle.inclusion(node, index, size), root)
    before = Frontier().extended(LEAVES[:old]).root()
    merkle.verify_consistency(old, size, merkle.consistency(node, old, size), before, root)


def test_a_missing_or_short_tile_is_told_and_no_hash_made_up() -> None:
    _, kept = grown(300)
    with pytest.raises(TileError):
        merkle.inclusion(tiles.node_reader(lambda _level, _number: b""), 0, 300)
    good = kept[0, 1]
    for wrong in (b"", good[:-1], good + b"\0" * 32):
        kept[0, 1] = wrong
        with pytest.raises(TileError):
            Edge.load(300, lambda level, number: kept[level, number])
