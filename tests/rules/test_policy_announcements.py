"""Who should be able to read a message, and the grace of a list that has just changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apostille.policy.announcements import GRACE, Announcements, readers
from apostille.policy.recipients import Known, Level, Part, Unknown, findings
from apostille_xep.gate.stanza import Announced, Envelope, Member
from messages import ANNA, BORIS, DIGEST, LEGACY, MODERN, change, keys, message

CLARA = "clara@gov.example"
ROOM = "audit@rooms.gov.example"
numbers = st.integers(1, 2**31 - 1)


def known(*devices: int, approved: tuple[int, ...] | None = None, recent: tuple[int, ...] = (), elsewhere: bool = False) -> Known:
    return Known(frozenset(devices), None if approved is None else frozenset(approved), frozenset(recent), elsewhere)


# ---- what was announced lately -------------------------------------------------------------------------------------------


def recent(announcements: Announcements, now: float, *devices: int) -> frozenset[int]:
    return announcements.known(ANNA, Announced(devices, None), LEGACY, now, None).recent


def test_the_first_sight_of_a_list_is_no_change() -> None:
    assert Announcements().known(ANNA, Announced((11,), ()), LEGACY, 0, None) == known(11)


@given(st.sets(numbers), st.sets(numbers), st.integers(0, 2**31), st.floats(-10, 1000), st.floats(1, 500))
def test_grace_covers_exactly_the_window_for_what_came_and_what_went(
    before: set[int], after: set[int], at: int, later: float, grace: float
) -> None:
    announcements = Announcements(grace)
    recent(announcements, at - 10, *before)
    assert recent(announcements, at, *after) == before ^ after
    assert recent(announcements, at + later, *after) == (before ^ after if at + later < at + grace else set())
    assert recent(announcements, at + grace, *after) == set()


def test_in_grace_a_device_that_came_is_not_missed_and_one_that_went_is_no_ghost() -> None:
    announcements = Announcements()
    recent(announcements, 0, 11, 12)

    def at(now: float, *rids: int) -> list[str]:
        her = announcements.known(ANNA, Announced((11, 13), None), LEGACY, now, None)
        said = Part(LEGACY, Envelope(1, None, 16, keys(2, *rids), DIGEST, 0), {BORIS: known(1, 2), ANNA: her})
        return [one.code for one in findings([said], BORIS, Level.ANNOUNCED, Unknown.REFUSE)]

    assert at(1000, 11, 12) == at(1000 + GRACE - 1, 11, 12) == at(1001, 11, 13) == at(1001, 11, 12, 13) == at(1001, 11) == []
    assert at(1000 + GRACE, 11, 12) == ["ghost", "missing"]
    assert at(1000 + GRACE, 11, 13) == []


def test_a_change_that_was_allowed_begins_the_window_and_what_follows_from_it_does_not_begin_another() -> None:
    announcements = Announcements()
    recent(announcements, 0, 11)
    announcements.changed(change(11, 12, owner=ANNA), 1000)
    assert recent(announcements, 1200, 11, 12) == {12}
    assert recent(announcements, 1000 + GRACE, 11, 12) == set()
    announcements.changed(change(11, owner=ANNA, action="retract"), 2000)
    assert recent(announcements, 2001) == {11, 12}
    assert recent(announcements, 2000 + GRACE) == set()
    announcements.changed(change(13, owner=ANNA, subject="bundle"), 3000)
    announcements.changed(change(owner=ANNA, action="configure"), 3000)
    assert recent(announcements, 3001) == set()


def test_versions_and_accounts_have_lists_of_their_own() -> None:
    announcements = Announcements()
    both = Announced((11,), (21,))
    assert announcements.known(ANNA, Announced((11,), None), LEGACY, 0, None) == known(11)
    assert announcements.known(ANNA, both, LEGACY, 0, None) == known(11, elsewhere=True)
    assert announcements.known(ANNA, both, MODERN, 0, None) == known(21, elsewhere=True)
    assert announcements.known(BORIS, Announced(None, None), MODERN, 0, None) == known()
    announcements.changed(change(22, owner=ANNA, namespace=MODERN), 1)
    assert announcements.known(ANNA, both._replace(modern=(22,)), MODERN, 1, None).recent == {21, 22}
    assert announcements.known(ANNA, both, LEGACY, 1, None).recent == set()


def test_who_changes_a_list_without_end_loses_the_grace_and_nobody_loses_more_than_that() -> None:
    announcements = Announcements(most=2)
    for number in range(0, 2000, 100):
        grace = recent(announcements, 0, *range(number, number + 100))
    assert len(grace) == 400
    assert set(range(1900, 2000)) <= grace
    for account in (BORIS, CLARA):
        announcements.heard(account, LEGACY, (1,), 0)
    assert len(announcements._lists) == 1
    assert announcements.known(ANNA, Announced((1900,), None), LEGACY, 0, None) == known(1900)


# ---- readers -------------------------------------------------------------------------------------------------------------


class Approvals:
    """A register of two accounts."""

    def __init__(self, *hers: int) -> None:
        self._approved = {(ANNA, LEGACY): frozenset(hers or (11,)), ("far@far.example", LEGACY): frozenset((5,))}

    def approved(self, account: str, namespace: str) -> frozenset[int] | None:
        return self._approved.get((account, namespace))


HIS, HERS = Announced((1, 2), None), Announced((11, 12), None)


def test_the_readers_of_a_chat_are_both_sides() -> None:
    said = message()._replace(sender_devices=HIS, recipient_devices=HERS)
    assert readers(said, LEGACY, Announcements(), 0) == {BORIS: known(1, 2), ANNA: known(11, 12)}
    assert readers(said, LEGACY, Announcements(), 0, Approvals())[ANNA] == known(11, 12, approved=(11,))
    assert readers(message(), LEGACY, Announcements(), 0) == {BORIS: Known(None), ANNA: Known(None)}
    far = message(recipient="far@far.example/phone")
    assert readers(far, LEGACY, Announcements(), 0, Approvals())["far@far.example"] == Known(None, frozenset((5,)))
    alone = message(recipient=BORIS)._replace(sender_devices=HIS, recipient_devices=HIS)
    assert readers(alone, LEGACY, Announcements(), 0) == {BORIS: known(1, 2)}


def test_what_the_register_says_counts_from_the_next_message_on() -> None:
    said, announcements = message()._replace(sender_devices=HIS, recipient_devices=HERS), Announcements()
    for approved in ((11,), (11, 12), (12,)):
        assert readers(said, LEGACY, announcements, 0, Approvals(*approved))[ANNA] == known(11, 12, approved=approved)
    assert readers(said, LEGACY, announcements, 0)[ANNA] == known(11, 12)


def test_the_readers_in_a_room_are_its_members_and_of_a_private_message_two_people() -> None:
    members = (Member(ANNA, HERS), Member("far@far.example", None))
    said = message(recipient=ROOM, room=ROOM, type="groupchat")._replace(sender_devices=HIS, members=members)
    assert readers(said, LEGACY, Announcements(), 0) == {BORIS: known(1, 2), ANNA: known(11, 12), "far@far.example": Known(None)}
    private = message(room=ROOM)._replace(sender_devices=HIS, recipient_devices=HERS, members=members)
    assert set(readers(private, LEGACY, Announcements(), 0)) == {BORIS, ANNA}


@pytest.mark.parametrize("kind", ["groupchat", "chat"])
def test_a_room_of_which_nothing_is_known_is_a_reader_that_nobody_knows(kind: str) -> None:
    said = message(recipient=ROOM, room=ROOM, type=kind)._replace(sender_devices=HIS)
    assert readers(said, LEGACY, Announcements(), 0) == {BORIS: known(1, 2), ROOM: Known(None)}
