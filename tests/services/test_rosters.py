"""The use cases of the rosters room over its doubles."""

from __future__ import annotations

import pytest

from apostille.rosters.rules import Member, Steps
from apostille.rosters.service import Planned, Result, Rosters
from apostille.vocabulary import Address, Fault, Reason, Refusal
from doubles_rosters import MemoryApplied, MemoryTree


def address(name: str) -> Address:
    return Address("gov.example", name)


def member(name: str, unit: str = "gov/tax", listed: bool = True) -> Member:
    return Member(address(name), name, unit, "", 1, listed)


AIGUL, BOLOT, CHOLPON = map(address, ("aigul", "bolot", "cholpon"))


@pytest.fixture
def tree() -> MemoryTree:
    return MemoryTree([member("aigul"), member("bolot")])


@pytest.fixture
def applied() -> MemoryApplied:
    return MemoryApplied()


@pytest.fixture
def rosters(tree: MemoryTree, applied: MemoryApplied) -> Rosters:
    return Rosters(tree, applied)


def owners(rosters: Rosters, *unfilled: Address, retry: int = 0) -> list[Address]:
    return [roster.owner for roster in rosters.due(unfilled, retry)]


def settle(rosters: Rosters) -> list[Address]:
    due = owners(rosters)
    rosters.written(Result(tuple(due)))
    return due


def test_everything_is_due_at_first_and_nothing_once_it_was_written(rosters: Rosters) -> None:
    assert settle(rosters) == [AIGUL, BOLOT]
    assert owners(rosters) == []


def test_what_was_not_answered_for_stays_due(rosters: Rosters) -> None:
    rosters.due()
    rosters.written(Result((AIGUL,)))
    assert owners(rosters) == [BOLOT]


def test_a_change_makes_only_the_rosters_due_that_it_touches(rosters: Rosters, tree: MemoryTree) -> None:
    tree.put(member("cholpon", "gov/customs"))
    settle(rosters)
    tree.put(member("bolot", "gov/customs"))
    assert rosters.stale()
    assert owners(rosters) == [AIGUL, BOLOT, CHOLPON]
    settle(rosters)
    tree.put(member("dastan", "gov/mines"))
    assert owners(rosters) == [address("dastan")]


def test_a_live_change_goes_before_a_first_fill(rosters: Rosters, tree: MemoryTree) -> None:
    rosters.due()
    rosters.written(Result((BOLOT,)))
    tree.put(member("cholpon"))
    assert owners(rosters) == [BOLOT, AIGUL, CHOLPON]


def test_who_left_the_directory_is_emptied_once_and_forgotten(rosters: Rosters, tree: MemoryTree, applied: MemoryApplied) -> None:
    settle(rosters)
    tree.remove(BOLOT)
    assert {roster.owner: roster.items for roster in rosters.due()} == {AIGUL: (), BOLOT: ()}
    settle(rosters)
    assert applied.digests().keys() == {AIGUL}


def test_who_is_suspended_is_emptied(rosters: Rosters, tree: MemoryTree) -> None:
    settle(rosters)
    tree.put(member("bolot", listed=False))
    assert [roster.items for roster in rosters.due()] == [(), ()]


def test_absent_and_failed_ones_wait_for_their_turn_and_take_turns(rosters: Rosters) -> None:
    rosters.due()
    rosters.written(Result(absent=(AIGUL,), failed=(BOLOT,)))
    assert owners(rosters) == []
    assert owners(rosters, retry=1) == [AIGUL]
    rosters.written(Result(absent=(AIGUL,)))
    assert owners(rosters, retry=1) == [BOLOT]


def test_an_account_that_the_server_says_was_never_filled_is_due_at_once(rosters: Rosters) -> None:
    settle(rosters)
    assert owners(rosters, BOLOT, address("stranger")) == [BOLOT]
    assert owners(rosters) == [BOLOT]


def test_a_new_connection_compares_everything_and_tries_absent_ones_again(rosters: Rosters) -> None:
    rosters.due()
    rosters.written(Result((AIGUL,), absent=(BOLOT,)))
    rosters.recheck()
    assert owners(rosters) == [BOLOT]


@pytest.mark.parametrize(("how", "still_due"), [("lost", [AIGUL, BOLOT]), ("kept", [])])
def test_a_database_that_fails_loses_no_roster(
    rosters: Rosters, tree: MemoryTree, applied: MemoryApplied, how: str, still_due: list[Address]
) -> None:
    due = tuple(owners(rosters))
    applied.broken = how
    with pytest.raises(Fault):
        rosters.written(Result(due))
    applied.broken = ""
    assert owners(rosters) == [AIGUL, BOLOT]
    assert owners(Rosters(tree, applied)) == still_due


def test_show_tells_a_roster_and_refuses_a_stranger(rosters: Rosters) -> None:
    assert [item.address for item in rosters.show(AIGUL)] == [BOLOT]
    with pytest.raises(Refusal) as refusal:
        rosters.show(address("stranger"))
    assert refusal.value.reason is Reason.UNKNOWN


def test_the_plan_counts_contacts_and_writes_nothing(rosters: Rosters, tree: MemoryTree) -> None:
    settle(rosters)
    tree.put(Member(BOLOT, "bolot", "gov/tax", "Chief", 1), member("cholpon"))
    tree.remove(AIGUL)
    expected = (Planned(AIGUL, Steps(0, 0, 1)), Planned(BOLOT, Steps(1, 0, 1)), Planned(CHOLPON, Steps(1, 0, 0)))
    assert rosters.plan() == expected
    assert rosters.plan() == expected
