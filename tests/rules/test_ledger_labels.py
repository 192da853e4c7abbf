"""Labels: whatever was put in is found again, before and after it is sorted, and in no other place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apostille.ledger.labels import LABEL, LOOSE, SPAN, Segment, fold, label, packed

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
words = st.lists(st.lists(st.tuples(st.sampled_from(["from", "to", "id"]), texts), max_size=4), min_size=1, max_size=9)
firsts = st.integers(0, 3) | st.integers(SPAN - 5, SPAN + 5) | st.integers(0, 2**50)


def segment(some: list[list[tuple[str, str]]], first: int) -> Segment:
    return Segment(LOOSE, first, first + len(some), first, first + len(some), packed(some, first)[0])


@given(words, firsts)
def test_an_entry_is_found_by_each_of_its_words_and_all_labels_are_its_own(some: list[list[tuple[str, str]]], first: int) -> None:
    one = segment(some, first)
    assert len(one.data) == LABEL * sum(map(len, some))
    assert list(one.astray()) == []
    for index, mine in enumerate(some, first):
        for field, value in mine:
            assert index in one.places(label(field, value))
    for field, value in {word for mine in some for word in mine}:
        alike = {index for index, mine in enumerate(some, first) if label(field, value) in {label(*word) for word in mine}}
        assert set(one.places(label(field, value))) == alike


@given(st.lists(words, min_size=1, max_size=4), firsts)
def test_sorting_into_parts_changes_nothing_that_is_found(many: list[list[list[tuple[str, str]]]], first: int) -> None:
    loose, at = [], first
    for some in many:
        loose.append(segment(some, at))
        at += len(some)
    sorted_ = fold(loose)
    assert {(one.first, one.stop, one.since, one.until) for one in sorted_} <= {(first, at, first, at)}
    assert sum(len(one.data) for one in sorted_) == sum(len(one.data) for one in loose)
    assert all(one.data[place] == one.part for one in sorted_ for place in range(0, len(one.data), LABEL))
    for wanted in {label(*word) for some in many for mine in some for word in mine}:
        before = {place for one in loose for place in one.places(wanted)}
        assert {place for one in sorted_ if one.part == wanted[0] for place in one.places(wanted)} == before


def test_a_label_is_not_found_across_two_others() -> None:
    data = bytes.fromhex("00000000aabbccdd11223344 00000001".replace(" ", ""))
    one = Segment(LOOSE, 0, 2, 0, 0, data)
    assert list(one.places(bytes.fromhex("ccdd1122"))) == []
    assert list(one.places(bytes.fromhex("aabbccdd"))) == []
    assert list(one.places(bytes.fromhex("11223344"))) == [1]


@given(words, firsts, st.integers(0, 9))
def test_labels_of_entries_beyond_the_end_are_astray(some: list[list[tuple[str, str]]], first: int, cut: int) -> None:
    whole = segment(some, first)
    stop = max(first, whole.stop - cut)
    short = Segment(LOOSE, first, stop, 0, 0, whole.data)
    assert list(short.astray()) == [index for index, mine in enumerate(some, first) if mine and index >= stop]


@pytest.mark.parametrize("data", [b"1", b"1234567", b"123456789"])
def test_bytes_that_are_no_labels_are_said_to_be_none(data: bytes) -> None:
    assert list(Segment(LOOSE, 0, 9, 0, 0, data).astray()) == [-1]
    assert list(Segment(LOOSE, 9, 0, 0, 0, b"").astray()) == [-1]


def test_a_field_and_a_value_make_a_label_together() -> None:
    assert label("fro", "ma") != label("from", "a")
    assert len({label(field, value) for field in ("from", "to", "id") for value in ("", "a", "b", "from")}) == 12
    assert label("from", "anna@gov.example") == bytes.fromhex("b48df307")
