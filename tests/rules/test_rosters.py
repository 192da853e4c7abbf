"""Laws of the rosters: whom an official sees."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apostille.rosters import rules
from apostille.rosters.rules import Items, Member, Steps, Subscription, difference, group, marks, project, shown, steps
from apostille.vocabulary import Address

UNITS = ("gov", "gov/finance", "gov/finance/tax", "gov/finance/tax/audit", "gov/customs")


def address(name: str) -> Address:
    return Address("gov.example", name)


def member(name: str, unit: str = "gov/finance", rank: int = 5, listed: bool = True) -> Member:
    return Member(address(name), name.title(), unit, "Clerk", rank, listed)


def both(items: Items) -> set[Address]:
    return {item.address for item in items if item.subscription is Subscription.BOTH}


def names(items: Items) -> list[str]:
    return [item.address.local for item in items]


members = st.lists(
    st.builds(
        Member,
        address=st.integers(0, 30).map(lambda number: address(f"m{number}")),
        name=st.text(max_size=5),
        unit=st.sampled_from(UNITS),
        post=st.text(max_size=5),
        rank=st.integers(0, 3),
        listed=st.booleans(),
    ),
    unique_by=lambda one: one.address,
    max_size=30,
)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits, small enough for hypothesis to reach them."""
    monkeypatch.setattr(rules, "MOST_BOTH", 4)
    monkeypatch.setattr(rules, "MOST", 6)


@pytest.mark.usefixtures("small")
class TestLaws:
    @given(members)
    def test_whoever_sees_as_both_is_seen_as_both(self, everyone: list[Member]) -> None:
        rosters = project(everyone, {})
        for owner, items in rosters.items():
            assert all(owner in both(rosters[other]) for other in both(items))

    @given(members)
    def test_no_roster_passes_the_limits_or_holds_its_owner_or_anyone_twice(self, everyone: list[Member]) -> None:
        for owner, items in project(everyone, {}).items():
            assert len(both(items)) <= rules.MOST_BOTH
            assert len(items) <= rules.MOST
            assert owner not in {item.address for item in items}
            assert len({item.address for item in items}) == len(items)

    @given(members, st.randoms(use_true_random=False))
    def test_the_order_in_which_members_come_changes_nothing(self, everyone: list[Member], chance: random.Random) -> None:
        mixed = list(everyone)
        chance.shuffle(mixed)
        assert project(mixed, {}) == project(everyone, {})

    @given(members)
    def test_who_is_not_listed_sees_nobody_and_is_seen_by_nobody(self, everyone: list[Member]) -> None:
        rosters = project(everyone, {})
        hidden = {one.address for one in everyone if not one.listed}
        assert rosters.keys() == {one.address for one in everyone}
        assert all(rosters[owner] == () for owner in hidden)
        assert not hidden & {item.address for items in rosters.values() for item in items}

    @given(members)
    def test_nobody_is_granted_less_than_there_is_room_for_on_both_sides(self, everyone: list[Member]) -> None:
        rosters = project(everyone, {})
        for items in rosters.values():
            for item in items:
                if item.subscription is Subscription.NONE:
                    assert rules.MOST_BOTH in (len(both(items)), len(both(rosters[item.address])))

    @given(members, members)
    def test_steps_lead_from_any_roster_to_any_other(self, some: list[Member], others: list[Member]) -> None:
        old = next(iter(project(some, {}).values()), ())
        new = next(iter(project(others, {}).values()), ())
        counted = steps(marks(old), marks(new))
        assert len(new) - len(old) == counted.added - counted.removed
        assert (counted == Steps(0, 0, 0)) == (set(old) == set(new))


def test_an_official_sees_the_own_unit_and_the_heads_above_and_not_the_unit_beside() -> None:
    rosters = project(
        [
            member("minister", "gov/finance", 1),
            member("adviser", "gov/finance", 2),
            member("chief", "gov/finance/tax", 1),
            member("clerk", "gov/finance/tax", 5),
            member("customs", "gov/customs", 1),
        ],
        {},
    )
    assert names(rosters[address("clerk")]) == ["chief", "minister"]
    assert names(rosters[address("minister")]) == ["chief", "adviser", "clerk"]
    assert names(rosters[address("adviser")]) == ["minister"]
    assert names(rosters[address("customs")]) == []


def test_a_unit_of_one_rank_has_three_heads_and_not_all() -> None:
    rosters = project([*(member(f"head{number}", "gov", 1) for number in range(9)), member("clerk", "gov/customs")], {})
    assert names(rosters[address("clerk")]) == ["head0", "head1", "head2"]


def test_the_head_of_hundreds_exchanges_presence_with_the_most_senior_and_knows_some_more_by_name() -> None:
    below = [member(f"m{number:04}", "gov/finance", number) for number in range(700)]
    rosters = project([member("prime", "gov", 0), *below], {})
    prime = rosters[address("prime")]
    assert names(prime) == [f"m{number:04}" for number in range(400)]
    assert both(prime) == {address(f"m{number:04}") for number in range(300)}
    assert address("prime") not in both(rosters[address("m0699")])


def test_a_name_is_shown_on_one_line_with_the_post_and_without_what_xml_cannot_carry() -> None:
    odd = Member(address("a"), "Айгүл\nАсан\x00кызы", "gov", "Башкы  адис", 1)
    rosters = project([odd, member("b", "gov")], {"gov": "Өкмөт"})
    (item,) = rosters[address("b")]
    assert (item.name, item.groups) == ("Айгүл Асан кызы, Башкы адис", ("Өкмөт",))


def test_a_joiner_that_devanagari_needs_is_kept() -> None:
    assert shown("क्‍ष") == "क्‍ष"


def test_a_long_name_is_cut() -> None:
    assert shown("x" * 100) == "x" * 79 + "…"


def test_a_group_names_the_last_three_levels() -> None:
    units = {"gov": "Government", "gov/finance": "Finance", "gov/finance/tax": "Tax"}
    assert group("gov/finance/tax/audit", units) == "Finance :: Tax :: audit"


def test_a_change_of_rank_alone_writes_nothing() -> None:
    before = project([member("a", rank=1), member("b", rank=2), member("c", rank=3)], {})
    after = project([member("a", rank=1), member("b", rank=9), member("c", rank=3)], {})
    assert marks(before[address("a")]) == marks(after[address("a")])


def test_what_differs_from_what_was_written_goes_before_what_was_never_written() -> None:
    applied = {address("gone"): "1", address("same"): "2", address("other"): "3"}
    wanted = {address("same"): "2", address("other"): "4", address("a-new-one"): "5"}
    assert [one.local for one in difference(applied, wanted)] == ["gone", "other", "a-new-one"]
