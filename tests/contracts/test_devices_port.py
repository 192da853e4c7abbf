"""The port `Register` of the devices: the double and the SQL store keep the same promises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import Engine

from apostille.database import open_database
from apostille.devices.rules import LEGACY, MODERN, Decision, Device, Id, State, Taken
from apostille.devices.service import Register
from apostille.devices.store import SqlRegister
from apostille.migrations import upgrade
from apostille.vocabulary import Fault
from doubles_devices import MemoryDevices

ANNA, BORIS = "anna@gov.example", "boris@gov.example"
PLAIN = Device(ANNA, Id(LEGACY, 11), first_seen=5)
WHOLE = Device(
    ANNA,
    Id(MODERN, 2**31 - 1),
    identity="0a" * 32,
    label="Телефон",
    first_seen=2**42,
    last_used=2**42,
    session="5f",
    listed=True,
    listed_at=2**40,
    keyed_at=2**40 + 1,
    decision=Decision(State.APPROVED, 2**42, "olga", "registrar", "0a" * 32, 2**40 + 2),
)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path}/apostille.sqlite")
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture(params=["memory", "sqlite"])
def register(request: pytest.FixtureRequest) -> Register:
    return MemoryDevices() if request.param == "memory" else SqlRegister(request.getfixturevalue("engine"))


def put(register: Register, *devices: Device, say: Sequence[tuple[str, str]] = (), forget: tuple[Id, ...] = ()) -> None:
    account = devices[0].account if devices else ANNA
    register.take(account, lambda _: Taken(devices, forget), lambda _: say)


def test_nothing_is_there_at_first(register: Register) -> None:
    assert (register.devices(), register.devices(ANNA)) == ([], [])
    assert (register.revision(), register.followed(), register.notices(10)) == (0, 0, [])


def test_what_was_written_is_told_whole_and_by_account(register: Register) -> None:
    other = Device(BORIS, Id(LEGACY, 11))
    put(register, other)
    put(register, WHOLE, PLAIN)
    assert register.devices(ANNA) == [PLAIN, WHOLE]
    assert register.devices() == [PLAIN, WHOLE, other]


def test_a_step_sees_the_account_as_it_is_and_what_it_gives_is_given_back(register: Register) -> None:
    put(register, PLAIN)
    seen: list[Sequence[Device]] = []
    taken = Taken((WHOLE,))

    def step(devices: Sequence[Device]) -> Taken:
        seen.append(devices)
        return taken

    assert register.take(ANNA, step, lambda _: ()) == taken
    assert seen == [[PLAIN]]


def test_a_device_written_again_is_replaced_and_a_forgotten_one_is_gone(register: Register) -> None:
    put(register, PLAIN, WHOLE)
    again = Device(ANNA, PLAIN.id, label="desk")
    put(register, again, forget=(WHOLE.id,))
    assert register.devices() == [again]


def test_every_change_is_a_revision_and_nothing_else_is(register: Register) -> None:
    put(register, PLAIN)
    assert register.revision() == 1
    put(register)
    put(register, say=[(ANNA, "hello")])
    register.use({(ANNA, PLAIN.id): 9})
    register.follow(7)
    assert register.revision() == 1
    put(register, forget=(PLAIN.id,))
    assert register.revision() == 2


def test_the_accounts_that_changed_after_a_revision_are_told(register: Register) -> None:
    put(register, PLAIN, WHOLE)
    put(register, Device(BORIS, Id(LEGACY, 11)))
    assert sorted(register.changed(0)) == [ANNA, BORIS]
    assert register.changed(1) == [BORIS]
    put(register, Device(ANNA, PLAIN.id, label="desk"))
    assert register.changed(2) == [ANNA]
    assert register.changed(3) == []


def test_uses_go_forward_only_and_only_for_what_is_there(register: Register) -> None:
    put(register, PLAIN)
    register.use({(ANNA, PLAIN.id): 9, (BORIS, PLAIN.id): 9})
    register.use({(ANNA, PLAIN.id): 8})
    register.use({})
    assert [(one.account, one.last_used) for one in register.devices()] == [(ANNA, 9)]


def test_what_is_to_be_said_waits_in_order_until_it_was(register: Register) -> None:
    put(register, PLAIN, say=[(ANNA, "one"), (BORIS, "two")])
    put(register, WHOLE, say=[(ANNA, "three")])
    (first, *_), (second, *_), (third, *_) = found = register.notices(10)
    assert [one[1:] for one in found] == [(ANNA, "one"), (BORIS, "two"), (ANNA, "three")]
    assert [one[0] for one in register.notices(2)] == [first, second]
    register.said([first, third, 999])
    register.said([])
    assert [one[0] for one in register.notices(10)] == [second]


def test_a_step_that_fails_changes_nothing(register: Register) -> None:
    def fails(taken: Taken) -> Sequence[tuple[str, str]]:
        raise ValueError(taken)

    with pytest.raises(ValueError):
        register.take(ANNA, lambda _: Taken((PLAIN,)), fails)
    assert (register.devices(), register.revision()) == ([], 0)


def test_how_far_the_ledger_was_followed_is_remembered(register: Register) -> None:
    register.follow(2**42)
    assert register.followed() == 2**42


def test_two_who_change_one_account_do_it_one_after_the_other(engine: Engine) -> None:
    register = SqlRegister(engine)

    def step(devices: Sequence[Device]) -> Taken:
        return Taken((Device(ANNA, Id(LEGACY, len(devices))),))

    def many() -> None:
        for _ in range(20):
            register.take(ANNA, step, lambda _: ())

    threads = [Thread(target=many) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.id.number for one in register.devices(ANNA)] == list(range(60))


def test_a_database_that_does_not_answer_is_the_fault_of_the_environment(engine: Engine) -> None:
    with engine.begin() as connection:
        for table in ("devices", "devices_notices", "devices_revision"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
    register = SqlRegister(engine)
    for work in (
        register.revision,
        register.devices,
        register.followed,
        lambda: register.changed(0),
        lambda: register.notices(1),
        lambda: register.said([1]),
        lambda: register.follow(1),
        lambda: register.use({(ANNA, PLAIN.id): 1}),
        lambda: put(register, PLAIN),
    ):
        with pytest.raises(Fault, match="devices: the database does not answer"):
            work()
