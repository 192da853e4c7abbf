"""What the directory says of an official on a day, and the order in which a government is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apostille.directory.rules import Government, Official, Post, Unit, standing_on
from apostille.vocabulary import Address, Standing

DAY = date(2026, 5, 1)
ANNA = Official(Address("gov.example", "anna"), "Anna", "head")


@pytest.mark.parametrize(
    ("official", "standing"),
    [
        (None, Standing.UNLISTED),
        (ANNA, Standing.VERIFIED),
        (replace(ANNA, standing=Standing.SUSPENDED), Standing.SUSPENDED),
        (replace(ANNA, held=True), Standing.SUSPENDED),
        (replace(ANNA, valid_until=DAY), Standing.VERIFIED),
        (replace(ANNA, valid_until=DAY - timedelta(1)), Standing.EXPIRED),
        (replace(ANNA, valid_from=DAY), Standing.VERIFIED),
        (replace(ANNA, valid_from=DAY + timedelta(1)), Standing.UNLISTED),
        (replace(ANNA, valid_until=DAY - timedelta(1), held=True), Standing.SUSPENDED),
    ],
)
def test_an_official_is_verified_within_the_dates_and_unless_suspended(
    official: Official | None, standing: Standing
) -> None:
    assert standing_on(official, DAY) is standing


@given(
    st.booleans(),
    st.sampled_from([Standing.VERIFIED, Standing.SUSPENDED]),
    st.dates(),
    st.dates(),
    st.dates(),
)
def test_nobody_is_verified_whom_a_suspension_or_a_date_excludes(
    held: bool, said: Standing, since: date, until: date, day: date
) -> None:
    official = replace(ANNA, held=held, standing=said, valid_from=since, valid_until=until)
    verified = not held and said is Standing.VERIFIED and since <= day <= until
    assert (standing_on(official, day) is Standing.VERIFIED) == verified


def government() -> Government:
    units = [
        Unit("mof", "Finance"),
        Unit("mof/tax", "Tax", "mof"),
        Unit("city", "City"),
        Unit("x/audit", "Audit", "mof/tax"),
    ]
    posts = [
        Post("head", "mof/tax", "Head", 1), Post("aide", "mof/tax", "Aide", 2, 2),
        Post("clerk", "mof/tax", "Clerk", 2, 1),
        Post("mayor", "city", "Mayor", 1), Post("audit", "x/audit", "Auditor", 1),
    ]  # fmt: skip
    seats = {"a": "audit", "b": "clerk", "c": "aide", "d": "head", "e": "mayor", "f": "", "g": "head"}
    return Government.of(
        units, posts, [Official(Address("g", who), who, post) for who, post in seats.items()]
    )


def test_a_unit_reads_flat_from_the_organisation_down() -> None:
    assert government().flat("x/audit") == "Finance :: Tax :: Audit"
    assert government().flat("nowhere") == ""


def test_the_tree_has_every_unit_under_the_one_above_it() -> None:
    assert [(depth, unit.path) for depth, unit in government().tree()] == [
        (0, "city"), (0, "mof"), (1, "mof/tax"), (2, "x/audit"),
    ]  # fmt: skip


def test_officials_are_told_unit_by_unit_the_most_senior_first() -> None:
    assert [official.name for official in government().seated()] == ["e", "d", "g", "b", "c", "a", "f"]
    assert [official.name for official in government().seated("mof")] == ["d", "g", "b", "c", "a"]
    assert [official.name for official in government().seated("x/audit")] == ["a"]
    assert government().seated("nowhere") == []
