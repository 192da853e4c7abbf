"""The use cases of the directory over a register in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from apostille.directory import service
from apostille.directory.plan import Changed
from apostille.directory.rules import Flawed, Government, Official, Post, Unit
from apostille.directory.service import Directory, Source
from apostille.vocabulary import Address, Fault, Reason, Refusal, Seat, Standing
from apostille.xmpp import address
from doubles_directory import BusyRegister, FallenRegister, MemoryRegister

DAY = date(2026, 5, 1)
SAMPLE = Path(__file__).parents[2] / "deploy" / "sample"
ANNA = Official(Address("gov.example", "anna"), "Anna", "head")
STATE = Government.of(
    [Unit("mof", "Finance")], [Post("head", "mof", "Head", 1), Post("aide", "mof", "Aide", 2)], [ANNA]
)
UNITS = Source(
    "g.toml", b'[[unit]]\npath="mof"\nname="Finance"\n[[post]]\nid="head"\nunit="mof"\ntitle="Head"\nrank=1\n'
)


def table(*rows: str) -> Source:
    return Source("o.csv", "\n".join(("jid,name,post,standing", *rows)).encode())


def directory(register: MemoryRegister) -> Directory:
    return Directory(register, "Gov.Example", address)


def sample() -> tuple[Source, Source]:
    toml, csv = SAMPLE / "government.toml", SAMPLE / "officials.csv"
    return Source(toml.name, toml.read_bytes()), Source(csv.name, csv.read_bytes())


def test_units_and_officials_are_imported_together_as_one_revision() -> None:
    mine = directory(MemoryRegister())
    plan = mine.read(UNITS, table("anna@gov.example,Anna,head,verified"))
    assert mine.official(ANNA.address) is None
    assert mine.apply(plan) == 1 == mine.revision()
    assert mine.official(ANNA.address) == ANNA


def test_a_second_import_of_the_same_files_changes_nothing_and_keeps_the_revision() -> None:
    mine = directory(MemoryRegister())
    mine.apply(mine.read(*sample()))
    again = mine.read(*sample(), prune=True)
    assert again.empty
    assert not again.left
    assert mine.apply(again) == 1


def test_a_flaw_in_either_file_stops_both_and_all_are_told() -> None:
    register = MemoryRegister()
    with pytest.raises(Flawed) as flawed:
        directory(register).read(
            Source("g.toml", UNITS.content + b"x = 1\n"), table("anna@gov.example,Anna,chief,verified")
        )
    assert [flaw.where for flaw in flawed.value.flaws] == ["g.toml, post 1 (head), x", "o.csv, row 2, post"]
    assert flawed.value.text.startswith(
        "2 flaws, nothing was imported:\n  g.toml, post 1 (head), x: unknown key"
    )
    assert register.government() == (0, Government())


@pytest.mark.parametrize(
    ("content", "said"), [(b"[[unit]\n", "g.toml: is no TOML: "), (b"\n\xff", "g.toml, line 2: is not UTF-8")]
)
def test_of_an_illegible_document_only_that_is_told_beside_the_flaws_of_the_table(
    content: bytes, said: str
) -> None:
    with pytest.raises(Flawed) as flawed:
        directory(MemoryRegister()).read(Source("g.toml", content), table("anna@gov.example,Anna,chief,no"))
    first, *others = flawed.value.flaws
    assert str(first).startswith(said)
    assert [flaw.where for flaw in others] == ["o.csv, row 2, standing"]


def test_a_table_alone_may_name_posts_of_the_directory_and_leaves_units_alone_even_when_pruning() -> None:
    mine = directory(MemoryRegister(STATE))
    mine.apply(mine.read(officials=table("boris@gov.example,Boris,aide,verified"), prune=True))
    assert mine.government()[1].posts == STATE.posts
    assert mine.seat("anna@gov.example", DAY).standing is Standing.SUSPENDED
    assert mine.seat("boris@gov.example", DAY).standing is Standing.VERIFIED


def test_units_alone_leave_officials_alone() -> None:
    mine = directory(MemoryRegister(STATE))
    plan = mine.read(UNITS, prune=True)
    assert plan.lines() == ["- post aide (Aide)", "posts: 1 removed"]


def test_a_post_is_not_pruned_from_under_a_verified_official() -> None:
    other = Source("g.toml", UNITS.content.replace(b'"head"', b'"boss"'))
    with pytest.raises(Flawed, match="holds the post `head`, which would be removed"):
        directory(MemoryRegister(STATE)).read(other, prune=True)


def test_a_suspended_official_stays_when_the_post_is_pruned() -> None:
    gone = replace(ANNA, standing=Standing.SUSPENDED)
    mine = directory(MemoryRegister(replace(STATE, officials={gone.address: gone})))
    mine.apply(mine.read(Source("g.toml", UNITS.content.replace(b'"head"', b'"boss"')), prune=True))
    assert mine.official(gone.address) == replace(gone, post="")


def test_a_plan_that_was_overtaken_is_refused_and_changes_nothing() -> None:
    register = MemoryRegister(STATE)
    mine = directory(register)
    plan = mine.read(officials=table("boris@gov.example,Boris,aide,verified"))
    mine.suspend(ANNA.address)
    with pytest.raises(Refusal) as refused:
        mine.apply(plan)
    assert refused.value.reason is Reason.CONFLICT
    assert mine.official(address("boris@gov.example")) is None


def test_a_suspension_by_hand_survives_an_import_until_somebody_lifts_it() -> None:
    mine = directory(MemoryRegister(STATE))
    mine.suspend(ANNA.address)
    mine.apply(mine.read(officials=table("anna@gov.example,Anna Petrova,head,verified")))
    assert mine.seat("anna@gov.example", DAY).standing is Standing.SUSPENDED
    assert mine.reinstate(ANNA.address).name == "Anna Petrova"
    assert mine.seat("anna@gov.example", DAY).standing is Standing.VERIFIED


def test_suspending_twice_is_one_revision() -> None:
    mine = directory(MemoryRegister(STATE))
    assert mine.suspend(ANNA.address) == mine.suspend(ANNA.address)
    assert mine.revision() == 2


def test_reinstating_lifts_a_suspension_that_came_from_a_file() -> None:
    mine = directory(MemoryRegister(STATE))
    mine.apply(mine.read(officials=table("anna@gov.example,Anna,head,suspended")))
    assert mine.reinstate(ANNA.address) == ANNA


def test_who_is_not_listed_can_be_neither_suspended_nor_reinstated() -> None:
    mine = directory(MemoryRegister(STATE))
    for use_case in (mine.suspend, mine.reinstate):
        with pytest.raises(Refusal, match="is not in the directory"):
            use_case(address("eve@gov.example"))


def test_a_suspension_gets_through_although_somebody_else_is_faster() -> None:
    register = MemoryRegister(STATE)
    renamed = replace(ANNA, name="Anna P.")
    register.rivals.append(Changed(ANNA, renamed))
    assert directory(register).suspend(ANNA.address) == replace(renamed, held=True)


def test_a_suspension_that_always_comes_too_late_is_refused_and_not_claimed() -> None:
    mine = directory(BusyRegister(STATE))
    with pytest.raises(Refusal) as refused:
        mine.suspend(ANNA.address)
    assert refused.value.reason is Reason.CONFLICT
    assert mine.official(ANNA.address) == ANNA


def test_a_standing_is_asked_of_the_register_once_while_nothing_changes() -> None:
    register = MemoryRegister(STATE)
    mine = directory(register)
    for instant in range(1000):
        assert mine.seat("anna@gov.example", DAY, 10 + instant / 10_000).standing is Standing.VERIFIED
        assert mine.seat("eve@gov.example", DAY, 10 + instant / 10_000).standing is Standing.UNLISTED
    assert (register.polls, register.look_ups) == (1, 2)


def test_a_change_by_another_process_is_seen_after_the_poll_and_not_before() -> None:
    register = MemoryRegister(STATE)
    mine, other = directory(register), directory(register)
    assert mine.seat("anna@gov.example", DAY, 10.0).standing is Standing.VERIFIED
    other.suspend(ANNA.address)
    assert mine.seat("anna@gov.example", DAY, 10.0 + service.POLL - 0.01).standing is Standing.VERIFIED
    assert mine.seat("anna@gov.example", DAY, 10.0 + service.POLL + 0.01).standing is Standing.SUSPENDED


def test_a_refresh_sees_a_change_at_once() -> None:
    register = MemoryRegister(STATE)
    mine = directory(register)
    assert mine.seat("anna@gov.example", DAY).standing is Standing.VERIFIED
    directory(register).suspend(ANNA.address)
    assert mine.seat("anna@gov.example", DAY).standing is Standing.VERIFIED
    assert mine.refresh() == 2
    assert mine.seat("anna@gov.example", DAY).standing is Standing.SUSPENDED


def test_one_who_becomes_listed_is_no_longer_a_stranger() -> None:
    mine = directory(MemoryRegister(STATE))
    assert mine.seat("boris@gov.example", DAY).standing is Standing.UNLISTED
    mine.apply(mine.read(officials=table("boris@gov.example,Boris,aide,verified")))
    assert mine.seat("boris@gov.example", DAY).standing is Standing.VERIFIED


def test_a_remembered_official_expires_with_the_day() -> None:
    mine = directory(MemoryRegister(replace(STATE, officials={ANNA.address: replace(ANNA, valid_until=DAY)})))
    assert mine.seat("anna@gov.example", DAY).standing is Standing.VERIFIED
    assert mine.seat("anna@gov.example", date(2026, 5, 2)).standing is Standing.EXPIRED


def test_a_seat_names_the_post_and_its_units_up_to_the_top() -> None:
    mine = directory(MemoryRegister())
    tax = b'[[unit]]\npath="mof/tax"\nname="Tax"\nparent="mof"\n[[post]]\nid="aide"\nunit="mof/tax"\ntitle="Aide"\nrank=2\n'
    below = UNITS.content + tax
    mine.apply(mine.read(Source("g.toml", below), table("boris@gov.example,Boris,aide,verified")))
    assert mine.seat("boris@gov.example", DAY) == Seat(Standing.VERIFIED, "aide", ("mof/tax", "mof"))
    assert mine.seat("eve@gov.example", DAY) == Seat(Standing.UNLISTED)
    assert mine.seat("boris@gov.example", DAY) == Seat(Standing.VERIFIED, "aide", ("mof/tax", "mof"))


@pytest.mark.parametrize(
    "jid", ["anna@evil.example", "gov.example", "", "anna@gov.example@evil.example", "@gov.example"]
)
def test_nobody_elsewhere_is_ever_asked_of_the_register(jid: str) -> None:
    register = MemoryRegister(STATE)
    assert directory(register).seat(jid, DAY).standing is Standing.UNLISTED
    assert register.look_ups == 0


def test_strangers_cannot_fill_the_memory() -> None:
    mine = Directory(MemoryRegister(STATE), "gov.example", address, remembered=10)
    for number in range(25):
        mine.seat(f"a{number}@gov.example", DAY)
    assert mine.seat("anna@gov.example", DAY).standing is Standing.VERIFIED
    assert mine._memory is not None
    assert len(mine._memory[1]) <= 10


def test_a_register_that_falls_is_never_answered_for_from_memory_beyond_the_poll() -> None:
    register = FallenRegister(STATE)
    mine = directory(register)
    assert mine.seat("anna@gov.example", DAY, 10.0).standing is Standing.VERIFIED
    register.fallen = True
    assert mine.seat("anna@gov.example", DAY, 10.1).standing is Standing.VERIFIED
    for instant in (10.3, 10.31):
        with pytest.raises(Fault):
            mine.seat("anna@gov.example", DAY, instant)
    register.fallen = False
    assert mine.seat("anna@gov.example", DAY, 10.32).standing is Standing.VERIFIED


def test_officials_are_found_by_unit_and_an_unknown_unit_is_refused() -> None:
    mine = directory(MemoryRegister())
    mine.apply(mine.read(*sample()))
    assert [one.name for one in mine.officials("mof/tax/audit/field")] == [
        "Vikram Rathore",
        "Olga Smirnova",
        "Tomas Brandt",
    ]
    assert len(mine.officials()) == len(mine.government()[1].officials)
    with pytest.raises(Refusal, match="`mof/nope` is no unit"):
        mine.officials("mof/nope")


def test_the_sample_government_is_what_its_readers_are_promised() -> None:
    mine = directory(MemoryRegister())
    mine.apply(mine.read(*sample()))
    _, government = mine.government()
    tree = mine.units()
    assert sum(depth == 0 for depth, _ in tree) == 3
    assert max(depth for depth, _ in tree) == 3
    for _, unit in tree:
        ranks = sorted(post.rank for post in government.posts.values() if post.unit == unit.path)
        assert ranks[0] == 1
        assert ranks.count(1) == 1, f"{unit.path} has one head"
    standings = [mine.seat(str(one.address), DAY).standing for one in mine.officials()]
    assert 38 <= len(standings) <= 45
    assert standings.count(Standing.SUSPENDED) == standings.count(Standing.EXPIRED) == 1
    assert any("\\27" in one.address.local for one in mine.officials())
    assert {language for one in mine.officials() for language in one.names} == {"ru", "hi"}
    assert {one.post for one in mine.officials()} == set(government.posts)
    assert government.flat("mof/tax/audit") == "Finance :: Tax :: Audit"
