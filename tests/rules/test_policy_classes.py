"""Who belongs to which class, and when a window holds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apostille.policy.classes import FORMS, Class, InUnit, OnPost, Side, TheRoom, holds, party_of, read_class
from apostille.policy.windows import ALWAYS, Window
from apostille.vocabulary import Party

AUDITOR = Side(Party.VERIFIED, "anna@gov.example", "tax.auditor", ("mof/tax/audit", "mof/tax", "mof"))
BOARD = Side(Party.ROOM, "board@rooms.gov.example")
CLASSES = [*Party, InUnit("mof/tax"), InUnit("mof/tax", below=True), OnPost("tax.auditor"), TheRoom("board@rooms.gov.example")]


@pytest.mark.parametrize("one", CLASSES, ids=lambda one: one.value)
def test_a_class_is_read_from_the_word_that_it_writes(one: Class) -> None:
    assert read_class(one.value) == one


@given(st.text(max_size=12) | st.tuples(st.sampled_from(("unit:", "post:", "room:")), st.text(max_size=8)).map("".join))
def test_whatever_is_read_writes_the_same_word(word: str) -> None:
    found = read_class(word)
    assert found is None or found.value == word


def test_every_form_is_told() -> None:
    assert (*(party.value for party in Party), "unit:PATH", "unit:PATH/**", "post:ID", "room:JID") == FORMS


@pytest.mark.parametrize(
    ("word", "belongs"),
    [
        ("verified", True),
        ("suspended", False),
        ("unit:mof/tax/audit", True),
        ("unit:mof/tax", False),
        ("unit:mof/tax/**", True),
        ("unit:mof/**", True),
        ("unit:mof/tax/audit/**", True),
        ("unit:mo/**", False),
        ("unit:mof/tax/aud/**", False),
        ("post:tax.auditor", True),
        ("post:tax", False),
        ("room:board@rooms.gov.example", False),
    ],
)
def test_an_official_belongs_to_the_own_unit_and_to_all_above(word: str, belongs: bool) -> None:
    found = read_class(word)
    assert found is not None
    assert holds(found, AUDITOR) is belongs


@given(st.sampled_from([party for party in Party if party is not Party.VERIFIED]))
def test_who_is_not_verified_belongs_to_no_unit_and_holds_no_post(party: Party) -> None:
    side = Side(party, AUDITOR.address, AUDITOR.post, AUDITOR.units)
    assert not any(holds(one, side) for one in (InUnit("mof/tax/audit"), InUnit("mof", below=True), OnPost("tax.auditor")))


def test_an_official_without_a_post_belongs_to_no_unit() -> None:
    side = Side(Party.VERIFIED, AUDITOR.address)
    assert not any(holds(one, side) for one in (InUnit(""), InUnit("", below=True), InUnit("mof", below=True), OnPost("tax.auditor")))


def test_a_named_room_is_that_room_alone() -> None:
    room = TheRoom("board@rooms.gov.example")
    assert holds(room, BOARD)
    assert not holds(room, Side(Party.ROOM, "other@rooms.gov.example"))
    assert not holds(room, Side(Party.VERIFIED, "board@rooms.gov.example"))


@given(st.sampled_from(CLASSES), st.sampled_from([AUDITOR, BOARD, *(Side(party) for party in Party)]))
def test_who_belongs_to_a_class_is_of_its_party(one: Class, side: Side) -> None:
    assert not holds(one, side) or party_of(one) is side.party


# ---- windows ----------------------------------------------------------------------------------------------------------

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def at(hour: int, minute: int = 0, day: int = 0) -> datetime:
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute)


def test_hours_hold_from_the_first_minute_up_to_the_last() -> None:
    window = Window((8 * 60, 18 * 60))
    assert [window.holds(at(*one)) for one in ((7, 59), (8, 0), (17, 59), (18, 0))] == [False, True, True, False]


def test_hours_over_midnight_belong_to_the_day_on_which_they_begin() -> None:
    window = Window((22 * 60, 6 * 60), frozenset((0,)))  # the night from Monday to Tuesday
    assert [window.holds(one) for one in (at(21, 59), at(22), at(5, 59, 1), at(6, 0, 1))] == [False, True, True, False]
    assert not window.holds(at(3))
    assert not window.holds(at(23, 0, 1))
    assert not window.holds(datetime.min.replace(tzinfo=UTC))
    assert Window((22 * 60, 6 * 60), first=date(2026, 11, 23), last=date(2026, 11, 23)).holds(at(3, 0, 1))


def test_dates_hold_from_the_first_to_the_last_day() -> None:
    window = Window(first=date(2026, 11, 23), last=date(2026, 11, 24))
    moments = (at(0) - timedelta(minutes=1), at(0), at(23, 59, 1), at(0, 0, 2))
    assert [window.holds(one) for one in moments] == [False, True, True, False]


def test_the_clock_is_that_of_the_zone() -> None:
    window = Window((8 * 60, 18 * 60), zone=ZoneInfo("Asia/Kolkata"))  # UTC and five and a half hours
    assert [window.holds(at(*one)) for one in ((2, 29), (2, 30), (12, 29), (12, 30))] == [False, True, True, False]


@given(st.datetimes(timezones=st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23)))))
def test_a_window_that_names_nothing_always_holds(now: datetime) -> None:
    try:
        now.astimezone(UTC)
    except OverflowError:
        return
    assert ALWAYS.holds(now)
