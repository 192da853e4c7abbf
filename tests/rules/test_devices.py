"""What entries make of devices, and who may decide about them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apostille.devices.rules import (
    DAY,
    LEGACY,
    MINUTE,
    MODERN,
    MOST,
    Device,
    Event,
    Happening,
    Id,
    State,
    Taken,
    by_policy,
    decided,
    heard,
    objection,
    stale,
    take,
    trusted,
)
from apostille.record import DeviceDecided, DeviceRecord, DevicesChanged
from entries import ANNA, AT, K1, K2, after, bundle, changed, said, states

# ---- entries make devices ------------------------------------------------------------------------------------------------


def test_an_announced_device_waits_and_is_known_by_when_and_from_which_session_it_came() -> None:
    devices, happened = after(changed(11, 12))
    assert happened == [Event.ANNOUNCED, Event.ANNOUNCED]
    assert devices[11] == Device(ANNA, Id(LEGACY, 11), first_seen=AT, session="5f", listed=True, listed_at=0)
    assert devices[12].state is State.SEEN
    assert not devices[12].trusted


def test_a_bundle_alone_is_a_device_that_is_not_listed_yet_and_the_list_is_no_second_announcement() -> None:
    devices, happened = after(bundle(11, K1))
    assert (devices[11].identity, devices[11].listed, happened) == (K1, False, [Event.ANNOUNCED])
    devices, happened = after(bundle(11, K1), changed(11))
    assert (devices[11].identity, devices[11].listed, happened) == (K1, True, [Event.ANNOUNCED])


@pytest.mark.parametrize(("word", "expected"), [("approved", State.APPROVED), ("revoked", State.REVOKED), ("retired", State.RETIRED)])
def test_the_last_decision_counts(word: str, expected: State) -> None:
    devices, happened = after(changed(11), said(11, "approved"), said(11, "revoked"), said(11, word))
    assert devices[11].state is expected
    assert devices[11].trusted is (expected is State.APPROVED)
    assert happened[-1] is Event(word)


@pytest.mark.parametrize("means", ["session", "policy"])
@pytest.mark.parametrize("word", ["approved", "retired"])
def test_what_was_revoked_stays_so_until_a_registrar_says_otherwise(means: str, word: str) -> None:
    devices, happened = after(changed(11), said(11, "revoked"), said(11, word, means=means))
    assert (devices[11].state, happened[-1]) == (State.REVOKED, Event.REVOKED)
    devices, _ = after(said(11, word), devices=tuple(devices.values()), first=9)
    assert devices[11].state is State(word)


def test_a_device_has_the_marks_of_who_brought_it_and_of_who_brought_its_present_key() -> None:
    def marks(*entries: DeviceRecord) -> str:
        return after(*entries)[0][11].session

    assert marks(changed(11), bundle(11, K1)) == "5f"
    assert marks(changed(11), bundle(11, K1, by="e0")) == "5f e0"
    assert marks(changed(11), bundle(11, K1, by="e0"), bundle(11, K2, by="e1")) == "5f e1"
    assert marks(changed(11), bundle(11, K1, by="e0"), bundle(11, K2)) == "5f"
    assert marks(changed(11, by=""), bundle(11, K1, by="e0")) == "e0"


def test_a_decision_names_a_device_and_a_later_one_without_a_name_leaves_it() -> None:
    devices, _ = after(changed(11), said(11, "approved", name="phone"), said(11, "revoked"))
    assert devices[11].label == "phone"


def test_a_decision_about_a_device_that_nobody_knows_waits_for_it_and_its_key() -> None:
    devices, happened = after(said(11, "approved", K1))
    assert (devices[11].trusted, happened) == (False, [Event.APPROVED])
    assert states(said(11, "approved", K1), bundle(11, K2)) == {11: State.SEEN}
    devices, _ = after(said(11, "approved", K1), bundle(11, K1), changed(11))
    assert devices[11].trusted


def test_the_same_number_in_another_version_is_another_device() -> None:
    taken = take((), ANNA, list(enumerate([changed(11), changed(11, namespace=MODERN), said(11, "approved", namespace=MODERN)])))
    assert {one.id.namespace: one.state for one in taken.changed} == {LEGACY: State.SEEN, MODERN: State.APPROVED}


def test_another_key_under_the_same_number_is_an_alarm_and_ends_an_approval_until_somebody_says_so_again() -> None:
    devices, happened = after(changed(11), bundle(11, K1), said(11, "approved", K1), bundle(11, K2, by="e0"))
    assert happened == [Event.ANNOUNCED, Event.APPROVED, Event.KEY_CHANGED]
    assert (devices[11].state, devices[11].session) == (State.SEEN, "5f e0")
    devices, _ = after(said(11, "approved", K2), devices=tuple(devices.values()), first=9)
    assert devices[11].trusted


def test_the_approved_key_said_again_does_not_bring_back_an_approval_that_another_key_has_ended() -> None:
    them = changed(11), bundle(11, K1), said(11, "approved", K1), bundle(11, K2), bundle(11, K1)
    devices, happened = after(*them)
    assert (devices[11].state, happened[-2:]) == (State.SEEN, [Event.KEY_CHANGED] * 2)
    again, happened = after(*them, devices=tuple(devices.values()))
    assert (again, happened) == (devices, [])
    devices, _ = after(said(11, "approved", K1), devices=tuple(devices.values()), first=9)
    assert devices[11].trusted


def test_an_approval_that_comes_after_the_key_that_ended_it_approves_nothing() -> None:
    devices, _ = after(bundle(11, K1), changed(11))
    devices, _ = after(bundle(11, K2), bundle(11, K1), devices=tuple(devices.values()), first=9)
    late, happened = after(said(11, "approved", K1), devices=tuple(devices.values()), first=5)
    assert (late[11].state, happened) == (State.SEEN, [])


def test_another_key_is_an_alarm_for_a_revoked_device_too_and_lifts_nothing() -> None:
    devices, happened = after(bundle(11, K1), said(11, "revoked", K1), bundle(11, K2))
    assert (devices[11].state, happened[-1]) == (State.REVOKED, Event.KEY_CHANGED)


def test_the_same_key_again_is_nothing_new_even_after_the_bundle_was_gone() -> None:
    devices, happened = after(bundle(11, K1), changed(11, action="delete", subject="bundle"), bundle(11, K1))
    assert (devices[11].keyed_at, happened) == (0, [Event.ANNOUNCED])
    assert after(bundle(11, K1), changed(11, action="purge", subject="bundle"), bundle(11, K2))[1][-1] is Event.KEY_CHANGED


def test_the_first_key_of_a_device_that_was_approved_without_one_is_the_approved_one_and_told() -> None:
    devices, happened = after(changed(11), said(11, "approved"), bundle(11, K1))
    assert devices[11].trusted
    assert happened == [Event.ANNOUNCED, Event.APPROVED, Event.KEYED]
    assert after(changed(11), bundle(11, K1))[1] == [Event.ANNOUNCED], "of one that nobody had approved nobody need hear"
    devices, happened = after(bundle(11, K2), devices=tuple(devices.values()), first=9)
    assert (devices[11].state, happened) == (State.SEEN, [Event.KEY_CHANGED])


def test_an_approval_of_a_key_that_is_not_there_any_more_approves_nothing() -> None:
    assert states(bundle(11, K1), bundle(11, K2), said(11, "approved", K1)) == {11: State.SEEN}


def test_a_device_off_the_list_is_not_trusted_and_comes_back_as_what_it_was() -> None:
    devices, happened = after(changed(11, 12), said(11, "approved"), changed(12))
    assert (devices[11].state, devices[11].trusted, happened[-1]) == (State.APPROVED, False, Event.WITHDRAWN)
    devices, happened = after(changed(11, 12), devices=tuple(devices.values()), first=9)
    assert (devices[11].trusted, happened) == (True, [])
    assert after(changed(11), changed())[1] == [Event.ANNOUNCED], "of one that nobody had approved nobody need hear"


@pytest.mark.parametrize("action", ["retract", "delete", "purge"])
def test_a_list_taken_away_withdraws_every_device_of_its_version(action: str) -> None:
    entries = changed(11), changed(11, namespace=MODERN), said(11, "approved"), changed(action=action)
    taken = [take((), ANNA, list(enumerate(entries)))]
    assert {one.id.namespace: one.listed for one in taken[0].changed} == {LEGACY: False, MODERN: True}


def test_a_key_of_no_device_makes_none() -> None:
    assert after(bundle(0, K1)) == ({}, [])


def test_what_is_configured_or_says_no_key_changes_nothing() -> None:
    before, _ = after(changed(11))
    two = changed(11, 12, subject="bundle", identity=K1)
    for entry in (changed(action="configure"), changed(11, subject="bundle"), changed(subject="bundle", identity=K1), two):
        assert take(before.values(), ANNA, [(9, entry)]) == Taken()


def test_what_was_found_is_added_and_takes_nothing_away() -> None:
    devices, happened = after(changed(11), changed(12, action="found", by=""))
    assert [one.listed for one in devices.values()] == [True, True]
    assert happened == [Event.ANNOUNCED, Event.ANNOUNCED]


def test_a_device_of_which_only_the_bundle_was_heard_is_listed_once_it_is_found_and_one_taken_off_a_list_is_not() -> None:
    devices, happened = after(bundle(11, K1), changed(11, action="found"))
    assert (devices[11].listed, happened) == (True, [Event.ANNOUNCED])
    devices, _ = after(changed(11), changed(), changed(11, action="found"))
    assert not devices[11].listed


entries = st.lists(
    st.one_of(
        st.builds(
            lambda numbers, action, namespace: changed(*sorted(numbers), action=action, namespace=namespace),
            st.sets(st.integers(1, 4)),
            st.sampled_from(["publish", "publish", "retract", "configure", "found"]),
            st.sampled_from([LEGACY, MODERN]),
        ),
        st.builds(bundle, st.integers(1, 4), st.sampled_from([K1, K2])),
        st.builds(
            lambda number, word, identity, means: said(number, word, identity, means=means),
            st.integers(1, 4),
            st.sampled_from(["approved", "revoked", "retired"]),
            st.sampled_from(["", K1, K2]),
            st.sampled_from(["registrar", "session", "policy"]),
        ),
    ),
    max_size=12,
)


@given(entries, st.data())
def test_entries_taken_again_or_together_make_the_same_register(them: list[DeviceRecord], data: st.DataObject) -> None:
    placed = list(enumerate(them))
    whole = take((), ANNA, placed)
    devices = {one.id: one for one in whole.changed}
    again = data.draw(st.integers(0, len(placed)))
    assert take(devices.values(), ANNA, placed[again:]) == Taken(), "the end of the ledger, taken again, is nothing new"
    one_by_one = dict[Id, Device]()
    happened = list[Happening]()
    for entry in placed:
        taken = take(one_by_one.values(), ANNA, [entry])
        one_by_one |= {one.id: one for one in taken.changed}
        happened += taken.happened
    assert (one_by_one, tuple(happened)) == (devices, whole.happened)


@given(entries)
def test_nothing_is_trusted_that_nobody_approved_with_the_key_it_has(them: list[DeviceRecord]) -> None:
    for device in take((), ANNA, list(enumerate(them))).changed:
        if device.trusted:
            words = [one for one in them if isinstance(one, DeviceDecided) and Id(one.namespace, one.device) == device.id]
            assert words[-1].decision == "approved"
            assert words[-1].identity in ("", device.identity)


def test_too_many_devices_push_out_those_off_the_list_that_nobody_decided_about_the_oldest_first() -> None:
    full = tuple(Device(ANNA, Id(LEGACY, number), first_seen=number, listed=number > 2) for number in range(1, MOST + 1))
    taken = take(full, ANNA, [(1, bundle(5000, K1))])
    assert (taken.forgotten, [one.id.number for one in taken.changed]) == ((Id(LEGACY, 1),), [5000])
    listed = tuple(replace(one, listed=True) for one in full)
    assert take(listed, ANNA, [(1, bundle(5000, K1))]) == Taken()


# ---- who may decide ------------------------------------------------------------------------------------------------------


def approvals(devices: tuple[Device, ...], *changes: DevicesChanged, window: int = 0) -> list[tuple[int, str]]:
    return [(one.device, one.identity) for one in by_policy(devices, changes, window)]


def test_the_first_devices_of_an_account_are_approved_by_policy_with_the_key_they_have() -> None:
    assert approvals((), bundle(11, K1), changed(11, 12)) == [(11, K1), (12, "")]
    assert by_policy((), [changed(11)], 0) == [DeviceDecided(AT, ANNA, LEGACY, 11, "approved", "policy")]


def test_what_a_client_says_within_a_minute_belongs_to_its_first_word_and_what_comes_later_waits() -> None:
    first = tuple(after(changed(11))[0].values())
    assert approvals(first, changed(11, namespace=MODERN, at=AT + MINUTE)) == [(11, "")]
    assert approvals(first, changed(11, 12, at=AT + MINUTE + 1)) == []


def test_within_the_window_further_devices_count_as_first_ones() -> None:
    first = tuple(after(changed(11))[0].values())
    assert approvals(first, changed(11, 12, at=AT + 3 * DAY), window=3 * DAY) == [(12, "")]
    assert approvals(first, changed(11, 12, at=AT + 3 * DAY + 1), window=3 * DAY) == []


def test_where_a_device_was_revoked_or_nothing_is_new_the_policy_approves_nothing() -> None:
    first = tuple(after(changed(11), said(11, "revoked"))[0].values())
    assert approvals(first, changed(11, 12)) == []
    assert approvals(()) == []
    assert approvals(tuple(after(changed(11))[0].values()), changed(11), bundle(11, K2)) == []


def test_a_device_that_was_pushed_out_at_once_is_not_approved() -> None:
    full = tuple(Device(ANNA, Id(LEGACY, number), first_seen=AT, listed=True) for number in range(1, MOST))
    assert approvals(full, bundle(5000, K1), bundle(5001, K1, at=AT + 1)) == [(5001, K1)]


def test_another_session_may_approve_where_another_device_is_approved() -> None:
    devices = list(after(changed(11), said(11, "approved"), changed(11, 12, by="e0"))[0].values())
    assert objection(devices, 12, "5f") == ""


@pytest.mark.parametrize(
    ("entries", "number", "session", "why"),
    [
        ((changed(11),), 12, "e0", "There is no device 12"),
        ((changed(11, 12), said(11, "approved"), said(12, "revoked")), 12, "e0", "was revoked; only a registrar"),
        ((changed(11, 12), said(11, "approved"), said(12, "approved")), 12, "e0", "approved already"),
        ((changed(11, 12),), 12, "e0", "no other approved device"),
        ((changed(11, 12), said(11, "approved"), changed(12)), 12, "e0", "no other approved device"),
        ((changed(11), said(11, "approved"), bundle(11, K1), bundle(11, K2)), 11, "e0", "no other approved device"),
        ((changed(11, 12), said(11, "approved")), 12, "5f", "from this very session"),
        ((changed(11, 12), said(11, "approved")), 12, "", "from this very session"),
        ((changed(11, 12), said(11, "approved"), bundle(12, K1, by="e0")), 12, "e0", "from this very session"),
        ((changed(11, 12), said(11, "approved"), bundle(12, K1, by="e0")), 12, "5f", "from this very session"),
    ],
)
def test_a_session_may_not_approve(entries: tuple[DeviceRecord, ...], number: int, session: str, why: str) -> None:
    assert why in objection(list(after(*entries)[0].values()), number, session)


def test_stale_is_an_approved_device_that_nothing_was_heard_of() -> None:
    devices = after(changed(11, 12, 13), said(11, "approved"), said(13, "approved"))[0]
    devices[13] = replace(devices[13], last_used=AT + DAY)
    assert [one.id.number for one in stale(devices.values(), AT + 9 * DAY, 9 * DAY)] == [11]
    assert stale(devices.values(), AT + 9 * DAY - 1, 9 * DAY) == []
    assert heard(devices[13]) == AT + DAY
    assert heard(devices[12]) == AT


def test_the_trusted_devices_are_told_by_version() -> None:
    entries = changed(11, 12), said(11, "approved"), changed(11, namespace=MODERN), said(11, "approved", namespace=MODERN)
    assert trusted(take((), ANNA, list(enumerate(entries))).changed) == {LEGACY: frozenset({11}), MODERN: frozenset({11})}
    assert trusted(after(changed(11))[0].values()) == {}


def test_a_decision_is_about_the_key_that_the_device_has_now() -> None:
    device = after(changed(11), bundle(11, K1))[0][11]
    assert decided(device, State.APPROVED, 7, means="session", by=ANNA, session="5f", label="x") == DeviceDecided(
        7, ANNA, LEGACY, 11, "approved", "session", ANNA, K1, "5f", "x"
    )
