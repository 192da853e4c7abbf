"""Verification says that a ledger is damaged, where, and whether an entry or a tile is to blame."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apostille.ledger.rules import Entry
from apostille.ledger.service import Ledger
from apostille.ledger.verification import verify
from apostille.tlog.merkle import leaf_hash
from doubles_ledger import MemoryLog, MemoryView, signer

KEY = signer()
BIG = 66_000


@cache
def written(size: int) -> MemoryView:
    log = MemoryLog()
    Ledger(log, KEY).append([Entry(number.to_bytes(3, "big")) for number in range(size)])
    return log.now


def whole(size: int) -> MemoryLog:
    log = MemoryLog()
    log.now = written(size).copy()
    return log


def where(log: MemoryLog) -> list[str]:
    return [one.where for one in verify(log, KEY.vkey)]


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_every_changed_byte_of_a_ledger_with_two_levels_is_located() -> None:
    log = whole(258)
    for index, data in list(log.now.data.items()):
        log.now.data[index] = flip(data, index % 3)
        assert where(log) == [f"entry {index}"]
        log.now.data[index] = data
    for (level, number), data in list(log.now.tiles.items()):
        for at in range(0, len(data), 7 if level == number == 0 else 1):
            log.now.tiles[level, number] = flip(data, at)
            assert where(log) == [f"tile {level}/{number} offset {at // 32}"]
        log.now.tiles[level, number] = data
    assert where(log) == []


@pytest.mark.parametrize(
    ("level", "number", "offset"), [(0, 0, 0), (0, 255, 255), (0, 257, 207), (1, 0, 255), (1, 1, 0), (2, 0, 0), (0, 256, 9)]
)
def test_a_changed_hash_is_located_at_every_level_of_a_large_tree(level: int, number: int, offset: int) -> None:
    log = whole(BIG)
    log.now.tiles[level, number] = flip(log.now.tiles[level, number], offset * 32 + 5)
    assert where(log) == [f"tile {level}/{number} offset {offset}"]


@pytest.mark.parametrize("index", [0, 65_535, 65_536, BIG - 1])
def test_a_changed_entry_is_told_from_a_changed_tile_in_a_large_tree(index: int) -> None:
    log = whole(BIG)
    log.now.data[index] = b"forged"
    findings = verify(log, KEY.vkey)
    assert [one.where for one in findings] == [f"entry {index}"]
    assert "signed root vouches" in findings[0].text


def test_a_forger_who_also_mends_the_leaf_hash_is_found_by_the_tile_above() -> None:
    log = whole(700)
    log.now.data[300] = b"forged"
    tile = log.now.tiles[0, 1]
    log.now.tiles[0, 1] = tile[: 44 * 32] + leaf_hash(b"forged") + tile[45 * 32 :]
    findings = {one.where: one.text for one in verify(log, KEY.vkey)}
    assert "neither" in findings["tile 0/1"]


def test_a_changed_entry_and_a_changed_hash_in_one_tile_are_told_apart() -> None:
    log = whole(300)
    log.now.data[3] = b"forged"
    log.now.tiles[0, 0] = flip(log.now.tiles[0, 0], 9 * 32)
    assert sorted(where(log)) == ["entry 3", "tile 0/0 offset 9"]


def test_neighbours_are_one_finding() -> None:
    log = whole(300)
    for index in range(10, 20):
        del log.now.data[index]
    assert where(log) == ["entry 10-19"]


def test_a_tree_that_was_cut_off_is_said_to_be_cut_off() -> None:
    log = whole(700)
    for index in range(512, 700):
        del log.now.data[index]
    assert where(log) == ["entry 512-699"]
    del log.now.tiles[0, 2]
    assert set(where(log)) == {"tile 0/2", "right edge", "entry 512-699"}


def test_missing_tiles_are_settled_from_the_entries() -> None:
    log = whole(BIG)
    del log.now.tiles[0, 7], log.now.tiles[1, 0], log.now.tiles[1, 1]
    found = where(log)
    assert sorted(found) == ["tile 0/7", "tile 1/0", "tile 1/1"]


def test_a_tile_of_garbage_is_settled_from_the_entries() -> None:
    log = whole(300)
    log.now.tiles[0, 0] = bytes(8192)
    assert where(log) == ["tile 0/0 offset 0-255"]


def test_damage_that_cannot_be_settled_is_said_to_be_unsettled() -> None:
    log = whole(300)
    for offset in range(20):
        log.now.tiles[0, 0] = flip(log.now.tiles[0, 0], offset * 32)
    log.now.data[200] = b"forged"
    findings = {one.where: one.text for one in verify(log, KEY.vkey)}
    assert "neither" in findings["tile 0/0"]
    assert "neither is proven" in findings["entry 200"]


def test_a_checkpoint_of_another_key_or_none_is_the_only_finding() -> None:
    log = whole(3)
    for note in (b"", b"\xff", MemoryLog().now.note, other_checkpoint()):
        log.now.note = note
        assert where(log) == ["checkpoint"]


def other_checkpoint() -> bytes:
    log = MemoryLog()
    Ledger(log, signer(2)).append([Entry(b"x")])
    return log.now.note


def test_an_older_checkpoint_put_back_shows_what_lies_beyond_it() -> None:
    log = whole(300)
    log.now.note = written(256).note
    found = where(log)
    assert "entry 256-299" in found
    assert "tile 0/1" in found


def test_a_ledger_cut_back_to_an_earlier_state_is_found_by_who_kept_a_checkpoint() -> None:
    log, later = whole(256), written(300).checkpoint()
    assert verify(log, KEY.vkey) == []
    assert "cut back" in verify(log, KEY.vkey, known=[later])[0].text
    assert verify(whole(700), KEY.vkey, known=[later, log.now.checkpoint()]) == []


def test_a_ledger_written_anew_with_the_right_key_is_found_by_who_kept_a_checkpoint() -> None:
    anew = MemoryLog()
    Ledger(anew, KEY).append([Entry(b"another past")] * 400)
    assert verify(anew, KEY.vkey) == []
    findings = verify(anew, KEY.vkey, known=[written(300).checkpoint()])
    assert [one.where for one in findings] == ["known checkpoint of 300 entries"]
    assert "written anew" in findings[0].text
    assert verify(anew, KEY.vkey, known=["nonsense"])[0].where == "known checkpoint"


def test_a_kept_checkpoint_that_cannot_be_compared_is_said_so() -> None:
    log = whole(300)
    del log.now.tiles[0, 0]
    findings = verify(log, KEY.vkey, known=[written(200).checkpoint()])
    assert any("cannot be compared" in one.text for one in findings)


def test_progress_ends_at_the_number_of_entries() -> None:
    seen = list[tuple[int, int]]()
    verify(whole(700), KEY.vkey, lambda done, of: seen.append((done, of)))
    assert seen[-1] == (700, 700)
    assert seen == sorted(seen)


DAMAGE = st.tuples(
    st.sampled_from(["entry", "tile"]), st.integers(0, 10**6), st.integers(0, 8191), st.sampled_from(["flip", "cut", "lose"])
)


@settings(deadline=None, max_examples=60)
@given(st.lists(DAMAGE, min_size=1, max_size=12), st.sampled_from([1, 5, 256, 300, 700]))
def test_no_damage_goes_unseen_and_none_ends_in_a_traceback(damages: list[tuple[str, int, int, str]], size: int) -> None:
    log = whole(size)
    for kind, pick, at, how in damages:
        rows: dict[object, bytes] = log.now.data if kind == "entry" else log.now.tiles  # type: ignore[assignment]
        if not rows:
            continue
        key = sorted(rows, key=str)[pick % len(rows)]
        if how == "lose" or not rows[key]:
            del rows[key]
        else:
            data = rows[key]
            rows[key] = flip(data, at % len(data)) if how == "flip" else data[: at % len(data)]
    same = log.now.data == written(size).data and log.now.tiles == written(size).tiles
    assert (where(log) == []) == same
