"""What every register of the directory keeps, promises and refuses."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from apostille.database import metadata, open_database
from apostille.directory.plan import Added, Change, Changed, Removed, plan
from apostille.directory.rules import Government, Official, Post, Unit
from apostille.directory.service import Register
from apostille.directory.store import SqlRegister
from apostille.vocabulary import Address, Fault, Reason, Refusal, Standing
from doubles_directory import MemoryRegister

ANNA = Official(
    Address("gov.example", r"anna.o\27neil"), "Anna O'Neil", "head", {"ru": "Анна", "hi": "अन्ना"},
    "a@mail.example", "+1 202",
    Standing.SUSPENDED, date(2025, 1, 1), date(2027, 12, 31), True,
)  # fmt: skip
BORIS = Official(Address("gov.example", "борис"), "Boris", "head")
STATE = Government.of(
    [Unit("mof/tax", "Tax", "mof", {"ru": "Налоги"}), Unit("mof", "Finance")],
    [Post("head", "mof/tax", "Head", 1, 2)],
    [ANNA, BORIS],
)


@pytest.fixture(params=["memory", "sqlite"])
def register(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Register]:
    if request.param == "memory":
        yield MemoryRegister()
        return
    engine = open_database(f"sqlite:///{tmp_path / 'directory.db'}")
    metadata.create_all(engine)
    yield SqlRegister(engine)
    engine.dispose()


def fill(register: Register) -> None:
    assert register.apply(plan(Government(), STATE).changes, 0) == 1


def test_a_new_register_is_empty_at_revision_nought(register: Register) -> None:
    assert register.revision() == 0
    assert register.government() == (0, Government())
    assert register.official(ANNA.address) is None


def test_what_was_added_comes_back_whole(register: Register) -> None:
    fill(register)
    assert register.government() == (1, STATE)
    assert register.official(ANNA.address) == ANNA
    assert register.official(BORIS.address) == BORIS
    assert register.official(Address("gov.example", "eve")) is None


def test_the_line_of_a_post_leads_from_its_unit_to_the_top(register: Register) -> None:
    assert register.line("head") == ()
    fill(register)
    assert register.line("head") == ("mof/tax", "mof")
    assert register.line("tail") == ()
    assert register.line("") == ()


def test_every_kind_of_change_is_made_in_one_revision(register: Register) -> None:
    fill(register)
    wanted = Government.of(
        [Unit("moh", "Health", "", {"hi": "स्वास्थ्य"}), Unit("mof/tax", "Taxes", "moh")],
        [Post("boss", "moh", "Boss", 3)],
        [replace(ANNA, name="Anna", names={}, post="boss", valid_until=None, standing=Standing.VERIFIED)],
    )
    changes = plan(STATE, wanted, prune=True).changes
    assert {type(change) for change in changes} == {Added, Changed, Removed}
    assert register.apply(changes, 1) == 2
    suspended = replace(BORIS, standing=Standing.SUSPENDED, post="")
    held = replace(wanted.officials[ANNA.address], held=True)
    assert register.government() == (
        2,
        replace(wanted, officials={ANNA.address: held, BORIS.address: suspended}),
    )


@pytest.mark.parametrize("stale", [0, 2])
def test_a_change_to_another_revision_is_refused_and_nothing_changes(register: Register, stale: int) -> None:
    fill(register)
    changes: list[Change] = [Changed(BORIS, replace(BORIS, name="Boris the Second"))]
    with pytest.raises(Refusal) as refused:
        register.apply(changes, stale)
    assert refused.value.reason is Reason.CONFLICT
    assert register.government() == (1, STATE)


def test_of_two_writers_at_once_one_succeeds_and_one_is_refused(register: Register) -> None:
    fill(register)
    barrier = threading.Barrier(2)
    outcomes: list[str] = []

    def write(name: str) -> None:
        barrier.wait()
        try:
            register.apply([Changed(BORIS, replace(BORIS, name=name))], 1)
            outcomes.append(name)
        except Refusal as refusal:
            outcomes.append(refusal.reason.value)

    threads = [threading.Thread(target=write, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = (outcome for outcome in outcomes if outcome != "conflict")
    assert len(outcomes) == 2
    kept = register.official(BORIS.address)
    assert kept is not None
    assert (register.revision(), kept.name) == (2, winner)


def test_an_import_that_breaks_off_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'directory.db'}")
    metadata.create_all(engine)
    register = SqlRegister(engine)
    fill(register)
    with pytest.raises(Fault, match="FOREIGN KEY"):
        register.apply([Added(Unit("moh", "Health")), Removed(STATE.posts["head"])], 1)
    assert register.government() == (1, STATE)


def test_a_database_without_tables_is_a_fault(tmp_path: Path) -> None:
    register = SqlRegister(open_database(f"sqlite:///{tmp_path / 'empty.db'}"))
    for question in (register.revision, register.government, lambda: register.line("head"), lambda: register.official(ANNA.address)):
        with pytest.raises(Fault, match="the database does not answer as it should: no such table"):
            question()
