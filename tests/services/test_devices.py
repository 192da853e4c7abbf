"""The register of devices: heard of in the ledger's order, decided in the ledger first, told once, remembered and never for long."""

from __future__ import annotations

import time

import pytest

from apostille.devices.memory import POLL
from apostille.devices.rules import DAY, LEGACY, MINUTE, MODERN, MOST, State
from apostille.devices.service import MARGIN
from apostille.record import DeviceDecided, DeviceRecord, DevicesChanged
from apostille.vocabulary import Fault, Reason, Refusal
from apostille_xep.gate.stanza import Announced
from doubles_devices import CONTACT, Bench
from doubles_gate import NOW
from messages import ANNA, BORIS

KEY, OTHER = "05" + "a1" * 32, "05" + "b2" * 32


# ---- hearing of changes --------------------------------------------------------------------------------------------------


def test_a_change_is_taken_in_and_both_people_are_told() -> None:
    bench = Bench()
    bench.gate(bench.changed(11))
    assert bench.states() == {11: State.SEEN}
    assert bench.told() == [(ANNA, "New device 11 "), (CONTACT, "Devices of ann")]
    assert bench.told() == []


def test_the_policy_for_first_devices_is_an_entry_of_its_own_behind_the_change() -> None:
    bench = Bench(first=True)
    bench.gate(bench.changed(11, identity=KEY), bench.changed(11), bench.changed(21, owner=BORIS))
    assert [type(one) for one in bench.ledger.records] == [DevicesChanged] * 3 + [DeviceDecided] * 2
    assert bench.decided() == [(11, "approved", "policy"), (21, "approved", "policy")]
    assert (bench.states(), bench.states(BORIS)) == ({11: State.APPROVED}, {21: State.APPROVED})
    bench.clock.now += DAY
    bench.gate(bench.changed(11, 12))
    assert bench.states() == {11: State.APPROVED, 12: State.SEEN}


def test_the_contact_hears_of_officials_only_and_is_not_told_twice_of_himself() -> None:
    bench = Bench()
    bench.gate(bench.changed(11, owner=BORIS), bench.changed(12, owner=CONTACT))
    assert [to for to, _ in bench.told()] == [BORIS, CONTACT]
    silent = Bench(contact="")
    silent.gate(silent.changed(11))
    assert [to for to, _ in silent.told()] == [ANNA]


@pytest.mark.parametrize("owner", ["anna@elsewhere.example", "gov.example", "@gov.example", "anna@x.gov.example"])
def test_for_other_accounts_no_register_is_kept(owner: str) -> None:
    bench = Bench(first=True)
    bench.gate(bench.changed(11, owner=owner))
    bench.devices.met(owner, Announced((11,), None))
    assert bench.devices.listed() == []
    assert bench.devices.approved(owner, LEGACY) is None
    assert bench.decided() == []


def test_a_flood_of_changes_is_told_of_once_and_no_more_for_an_hour() -> None:
    bench = Bench()
    for number in range(1, 60):
        bench.gate(bench.changed(number))
    told = bench.told()
    assert len(told) == 62
    assert told[-1] == (CONTACT, "Devices of ann")
    assert told[-2] == (ANNA, "There are more")
    bench.gate(bench.changed(11, owner=BORIS))
    assert len(bench.told()) == 1
    bench.clock.now += 60 * MINUTE
    bench.gate(bench.changed(99))
    assert bench.told()[0] == (ANNA, "New device 99 ")


@pytest.mark.parametrize("first", [True, False])
def test_a_batch_of_full_lists_is_soon_taken_in_and_its_message_fits_through_a_stream(first: bool) -> None:
    bench = Bench(first=first)
    began = time.process_time()
    bench.gate(*[bench.changed(*range(start, start + 100)) for start in range(1, 6400, 100)])
    assert time.process_time() - began < 2
    assert len(bench.devices.listed(ANNA)) == MOST
    assert max(len(text) for _, _, text in bench.devices.notices()) < 4096


def test_nothing_new_is_not_told() -> None:
    bench = Bench()
    bench.gate(bench.changed(11, identity=KEY))
    bench.told()
    revision = bench.register.revision()
    bench.gate(bench.changed(11, identity=KEY))
    bench.gate(bench.changed(action="configure"))
    assert (bench.told(), bench.register.revision()) == ([], revision)


# ---- what was missed -----------------------------------------------------------------------------------------------------


def test_what_a_gate_that_died_has_recorded_is_taken_in_by_the_next_one_and_told_once() -> None:
    bench = Bench(first=True)
    bench.gate(bench.changed(11), taken=False)
    assert bench.states() == {}
    for _ in range(2):
        bench.beside().catch_up()
    assert bench.states() == {11: State.APPROVED}
    assert len(bench.told()) == 2


def test_only_the_last_while_is_looked_at_again() -> None:
    bench = Bench()
    bench.clock.now += MARGIN
    bench.devices.catch_up()
    assert bench.register.followed() == NOW + MARGIN
    old = bench.changed(11)
    bench.clock.now -= MARGIN + 1
    for one in (old, bench.changed(12)):
        bench.gate(one, taken=False)
    bench.devices.catch_up()
    assert bench.states() == {11: State.SEEN}, "12 lies before what was surely taken in"


def test_a_register_that_was_away_catches_up_before_it_hears_of_more() -> None:
    bench = Bench()
    entries: list[DeviceRecord] = [bench.changed(11)]
    first = bench.ledger.keep([(one, b"") for one in entries])
    bench.register.away = True
    with pytest.raises(Fault):
        bench.devices.take(list(enumerate(entries, first)))
    with pytest.raises(Fault):
        bench.devices.decisions([bench.changed(12)])
    bench.register.away = False
    bench.gate(bench.changed(11, 12))
    assert bench.states() == {11: State.SEEN, 12: State.SEEN}
    assert [text for _, text in bench.told()][::2] == ["New device 11 ", "New device 12 "]


def test_a_decision_that_was_kept_and_not_taken_in_is_found_again() -> None:
    bench = Bench()
    bench.gate(bench.changed(11))
    bench.ledger.fault = "kept"
    with pytest.raises(Fault):
        bench.devices.approve(ANNA, 11, "olga")
    assert bench.states() == {11: State.SEEN}
    bench.beside().catch_up()
    assert bench.states() == {11: State.APPROVED}


def test_a_decision_that_was_lost_is_none() -> None:
    bench = Bench()
    bench.gate(bench.changed(11))
    bench.ledger.fault = "lost"
    with pytest.raises(Fault):
        bench.devices.revoke(ANNA, 11, "olga")
    bench.devices.catch_up()
    assert bench.states() == {11: State.SEEN}


# ---- older than the register ----------------------------------------------------------------------------------------------


def test_devices_that_were_announced_before_are_found_once_and_follow_the_policy() -> None:
    bench = Bench(first=True)
    for _ in range(2):
        bench.devices.met(ANNA, Announced((11, 12), (11,)))
    found = [(one.action, one.namespace, one.devices) for one in bench.ledger.records if isinstance(one, DevicesChanged)]
    assert found == [("found", LEGACY, (11, 12)), ("found", MODERN, (11,))]
    assert bench.devices.approved(ANNA, LEGACY) == frozenset({11, 12})
    bench.devices.met(ANNA, Announced((11, 12, 13), None))
    assert len([one for one in bench.ledger.records if isinstance(one, DevicesChanged)]) == 3


def test_of_a_found_device_the_first_key_is_told_to_both() -> None:
    bench = Bench(first=True)
    bench.devices.met(ANNA, Announced((11,), None))
    bench.told()
    bench.gate(bench.changed(11, identity=OTHER, by="evil"))
    assert bench.told() == [(ANNA, "Device 11 (OME"), (CONTACT, "Devices of ann")]


def test_a_device_whose_bundle_came_before_its_list_was_ever_heard_is_found() -> None:
    bench = Bench(first=True)
    bench.gate(bench.changed(11, identity=KEY))
    bench.ticks += 1
    assert bench.devices.approved(ANNA, LEGACY) == frozenset()
    assert bench.devices.met(ANNA, Announced((11,), None))
    assert bench.devices.approved(ANNA, LEGACY) == frozenset({11})
    assert not bench.devices.met(ANNA, Announced((11,), ()))
    assert bench.decided() == [(11, "approved", "policy")]


def test_what_is_announced_and_known_costs_no_look_once_all_is_read() -> None:
    bench = Bench()
    bench.gate(bench.changed(11))
    bench.devices.approved(ANNA, LEGACY)
    asked = bench.register.asked
    for announced in (Announced((11,), None), Announced((11,), None), Announced(None, None)):
        assert not bench.devices.met(ANNA, announced)
    assert bench.register.asked == asked
    assert len(bench.ledger.records) == 1
    assert bench.devices.met(ANNA, Announced((12,), None))


def test_where_the_register_is_full_nothing_is_found() -> None:
    bench = Bench()
    for start in range(1, MOST, 100):
        bench.devices.met(ANNA, Announced(tuple(range(start, start + 100)), None))
    kept = len(bench.ledger.records)
    bench.devices.met(ANNA, Announced((5000,), None))
    assert len(bench.ledger.records) == kept


# ---- who may read --------------------------------------------------------------------------------------------------------


def test_only_approved_and_listed_devices_may_read() -> None:
    bench = Bench()
    assert bench.devices.approved(ANNA, LEGACY) == frozenset()
    bench.gate(bench.changed(11, 12))
    bench.devices.approve(ANNA, 11, "olga")
    assert bench.devices.approved(ANNA, LEGACY) == frozenset({11})
    assert bench.devices.approved(ANNA, MODERN) == frozenset()
    bench.gate(bench.changed(12))
    assert bench.devices.approved(ANNA, LEGACY) == frozenset()


def test_everything_is_read_once_and_whoever_has_no_device_costs_no_look() -> None:
    bench = Bench(first=True)
    bench.gate(*(bench.changed(number, owner=f"u{number}@gov.example") for number in range(1, 90)))
    other = bench.beside()
    asked = bench.register.asked
    assert other.approved("u7@gov.example", LEGACY) == frozenset({7})
    assert other.approved("nobody@gov.example", LEGACY) == frozenset()
    assert bench.register.asked == asked + 1
    bench.gate(*(bench.changed(owner=f"u{number}@gov.example") for number in range(1, 90)))
    asked = bench.register.asked
    bench.ticks += POLL
    assert {other.approved(f"u{number}@gov.example", LEGACY) for number in range(1, 90)} == {frozenset()}
    assert bench.register.asked == asked + 1, "all at once, where many have changed"


def test_an_answer_is_remembered_and_another_processs_change_is_seen_after_the_poll() -> None:
    bench = Bench()
    bench.gate(bench.changed(11))
    bench.devices.approved(ANNA, LEGACY)
    asked = bench.register.asked
    bench.beside().approve(ANNA, 11, "olga")
    before = bench.register.asked
    assert bench.devices.approved(ANNA, LEGACY) == frozenset()
    assert bench.register.asked == before > asked
    bench.ticks = POLL
    assert bench.devices.approved(ANNA, LEGACY) == frozenset({11})


def test_a_change_of_one_account_makes_nobody_look_for_the_others_again() -> None:
    bench = Bench(first=True)
    bench.gate(bench.changed(11), bench.changed(21, owner=BORIS))
    assert bench.devices.approved(BORIS, LEGACY) == frozenset({21})
    assert bench.devices.approved(ANNA, LEGACY) == frozenset({11})
    bench.gate(bench.changed(11, 12))
    asked = bench.register.asked
    assert bench.devices.approved(BORIS, LEGACY) == frozenset({21})
    assert bench.devices.approved(ANNA, LEGACY) == frozenset({11, 12})
    assert bench.register.asked == asked + 1


def test_use_is_kept_to_the_day_for_approved_devices_only() -> None:
    bench = Bench()
    bench.gate(bench.changed(11, 12))
    bench.devices.approve(ANNA, 11, "olga")
    for number in (11, 11, 12, 13):
        bench.devices.used(ANNA, LEGACY, number, NOW)
    bench.devices.used("eve@elsewhere.example", LEGACY, 11, NOW)
    bench.devices.write_uses()
    assert [one.last_used for one in bench.devices.listed(ANNA)] == [NOW // DAY * DAY, 0]
    bench.register.away = True
    bench.devices.used(ANNA, LEGACY, 11, NOW)
    bench.devices.write_uses()
    bench.register.away = False
    bench.devices.used(ANNA, LEGACY, 11, NOW + DAY)
    bench.devices.write_uses()
    assert bench.devices.listed(ANNA)[0].last_used == (NOW + DAY) // DAY * DAY


def test_any_number_of_accounts_is_remembered_in_bounded_space() -> None:
    bench = Bench(first=True)
    bench.devices = bench.beside(remembered=2)
    for number in range(1, 9):
        owner = f"u{number}@gov.example"
        bench.gate(bench.changed(number, owner=owner))
        bench.devices.met(owner, Announced((number,), None))
        assert bench.devices.approved(owner, LEGACY) == frozenset({number})
        bench.devices.used(owner, LEGACY, number, NOW)
    bench.devices.write_uses()
    assert all(one.last_used for one in bench.devices.listed())
    assert all(len(one) <= 2 for one in (bench.devices._met, bench.devices._told))


# ---- people decide -------------------------------------------------------------------------------------------------------


def test_a_registrar_approves_and_revokes_in_every_version_with_his_name_in_the_ledger() -> None:
    bench = Bench()
    bench.devices.met(ANNA, Announced((11,), (11,)))
    found = bench.devices.approve(ANNA, 11, "olga", "phone\n\x07")
    assert [(one.state, one.label) for one in found] == [(State.APPROVED, "phone")] * 2
    assert [one.state for one in bench.devices.revoke(ANNA, 11, "petr")] == [State.REVOKED] * 2
    said = [(one.namespace, one.by) for one in bench.ledger.records if isinstance(one, DeviceDecided)]
    assert said == [(LEGACY, "olga"), (MODERN, "olga"), (LEGACY, "petr"), (MODERN, "petr")]
    assert [one.state for one in bench.devices.approve(ANNA, 11, "olga")] == [State.APPROVED] * 2


def test_an_approved_device_gets_another_name_by_being_approved_again() -> None:
    bench = Bench(first=True)
    bench.gate(bench.changed(11))
    (device,) = bench.devices.approve(ANNA, 11, "olga", "desk")
    assert (device.state, device.label) == (State.APPROVED, "desk")


@pytest.mark.parametrize("verb", ["approve", "revoke"])
def test_what_is_not_known_or_is_so_already_is_refused(verb: str) -> None:
    bench = Bench()
    bench.gate(bench.changed(11))
    with pytest.raises(Refusal, match=f"{ANNA} has no device 12") as unknown:
        getattr(bench.devices, verb)(ANNA, 12, "olga")
    assert unknown.value.reason is Reason.UNKNOWN
    getattr(bench.devices, verb)(ANNA, 11, "olga")
    with pytest.raises(Refusal, match="already") as again:
        getattr(bench.devices, verb)(ANNA, 11, "olga")
    assert again.value.reason is Reason.CONFLICT
    assert len(bench.decided()) == 1


def test_stale_devices_are_listed_and_retired_and_can_be_approved_again() -> None:
    bench = Bench(first=True, stale=9 * DAY)
    bench.gate(bench.changed(11), bench.changed(21, owner=BORIS))
    assert bench.devices.stale() == []
    bench.clock.now += 9 * DAY
    bench.devices.used(BORIS, LEGACY, 21, bench.clock.now)
    bench.devices.write_uses()
    assert [one.account for one in bench.devices.stale()] == [ANNA]
    assert [one.state for one in bench.devices.retire_stale("olga")] == [State.RETIRED]
    assert bench.devices.approved(ANNA, LEGACY) == frozenset()
    assert bench.devices.retire_stale("olga") == []
    bench.devices.approve(ANNA, 11, "olga")
    assert bench.devices.approved(ANNA, LEGACY) == frozenset({11})
    assert bench.devices.stale() == []
