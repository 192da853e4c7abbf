"""Who can read in a room: what the server tells before a message, what the gate makes of it, and that neither grows without bound."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from apostille_xep.gate.stanza import Announced, Member, Question, Told, Unreadable
from asks import DEVICES, HEAD, MEMBERS, ROOM, head, question, read
from lua import Lua

IN_ROOM = head(recipient=ROOM, kind="groupchat", room=ROOM)
ANNA, BORIS = "anna@gov.example", "boris@gov.example"


@pytest.fixture
def server() -> Iterator[Lua]:
    """A server whose component has heard nothing yet."""
    lua = Lua()
    yield lua
    lua.close()


def members(told: Told, *lines: str) -> tuple[Member, ...] | None:
    found = read(*lines, IN_ROOM, told=told)[-1]
    assert isinstance(found, Question)
    return found.members


# ---- the gate's side ---------------------------------------------------------------------------------------------------


def test_members_are_told_with_what_each_announces_in_their_order() -> None:
    expected = (Member(BORIS, Announced((11, 12), ())), Member(ANNA, None))
    assert members(Told(), DEVICES, MEMBERS) == expected
    assert members(Told(), MEMBERS, DEVICES) == expected
    assert members(Told(), f"members {ROOM}") == ()
    assert members(Told(), f"members {ROOM} a%20@b -") == (Member("a @b", None), Member("-", None))


def test_members_hold_until_they_are_told_anew_and_are_the_same_object_while_nothing_changes() -> None:
    told = Told()
    first = members(told, MEMBERS)
    assert members(told) is first is members(told, f"members other@rooms.gov.example {ANNA}")
    assert members(told, f"members {ROOM} {ANNA}") == (Member(ANNA, None),)
    assert members(told, f"devices {ANNA} 5 -") == (Member(ANNA, Announced((5,), None)),)


@pytest.mark.parametrize("line", [f"members {ROOM} -", "members -"])
def test_what_is_forgotten_is_unknown(line: str) -> None:
    told = Told()
    assert members(told, MEMBERS) is not None
    assert members(told, line) is None
    assert members(told, "members other@rooms.gov.example -", MEMBERS) is not None


def test_of_another_room_and_outside_of_rooms_nobody_is_a_member() -> None:
    told = Told()
    assert members(told, MEMBERS.replace("tax@", "audit@")) is None
    outside, private = read(MEMBERS, HEAD, head(room=ROOM), told=told)
    assert isinstance(outside, Question)
    assert isinstance(private, Question)
    assert outside.members is None
    assert private.members is not None
    assert question(IN_ROOM).members is None


@pytest.mark.parametrize(
    "line", ["members", "members ", "members %", f"members {ROOM} ", f"members {ROOM} %", f"members {ROOM} %FF", "members %FF"]
)
def test_members_that_cannot_be_read_spoil_the_question(line: str) -> None:
    with pytest.raises(Unreadable):
        read(HEAD, line)


# ---- the server's side -------------------------------------------------------------------------------------------------


def test_everybody_who_can_read_is_named_once_and_nobody_else(server: Lua) -> None:
    people = {ANNA: "owner", BORIS: "admin", "c@far.example": "member", "banned@gov.example": "outcast", "far.example": "member"}
    server.room(ROOM, people | {"guest@gov.example": "here", BORIS.replace("boris", "odd%name"): "none"})
    lines, done = server.tell(ROOM)
    assert (lines, done) == (["members -", f"members {ROOM} {ANNA} {BORIS} c@far.example guest@gov.example"], True)


def test_what_was_told_is_told_again_only_when_it_changed_or_may_not_have_been_heard(server: Lua) -> None:
    server.announce(ANNA, "5", "-")
    server.room(ROOM, {ANNA: "owner", BORIS: "member"})
    first, _ = server.tell(ROOM)
    assert first == ["members -", f"members {ROOM} {ANNA} {BORIS}", f"devices {ANNA} 5 -"]
    assert server.tell(ROOM) == ([], True)
    server.room(ROOM, {ANNA: "owner", BORIS: "admin"})  # an affiliation that changes nobody's reading
    assert server.tell(ROOM) == ([], True)
    server.announce(BORIS, "%", "6")
    assert server.tell(ROOM) == ([f"devices {BORIS} % 6"], True)
    server.room(ROOM, {ANNA: "owner"})
    assert server.tell(ROOM) == ([f"members {ROOM} {ANNA}"], True)
    server.close_room(ROOM)
    assert server.tell(ROOM) == ([f"members {ROOM} -"], True)
    assert server.tell(ROOM) == ([], True)
    server.room(ROOM, {ANNA: "owner"})
    server.forget()
    assert server.tell(ROOM) == (["members -", f"members {ROOM} {ANNA}", f"devices {ANNA} 5 -"], True)


@pytest.mark.parametrize(("space", "most", "least"), [(10**6, 100_000, 10), (10_000, 60_000, 27)])
def test_a_large_room_is_told_in_several_questions_and_the_message_waits_for_the_last(
    server: Lua, space: int, most: int, least: int
) -> None:
    people = {f"m{number}@gov.example": "member" for number in range(2000)}
    for jid in people:
        server.announce(jid, ",".join(map(str, range(1, 40))), "-")
    server.room(ROOM, people)
    told, questions, done = Told(), 0, False
    while not done:
        lines, done = server.tell(ROOM, space)
        assert sum(map(len, lines)) < most
        read(*lines, told=told)
        questions += 1
    assert least <= questions <= least + 1
    found = members(told)
    assert found is not None
    assert {member.jid for member in found if member.devices} == set(people)
    assert server.tell(ROOM, 0) == ([], True), "what is known needs no space"


def test_with_no_space_left_nothing_is_said(server: Lua) -> None:
    server.room(ROOM, {ANNA: "owner"})
    assert server.tell(ROOM, 0) == ([], False)


@pytest.mark.parametrize("people", [2501, 1200])
def test_a_room_that_is_too_large_to_tell_is_unknown(server: Lua, people: int) -> None:
    name = "m" * (5 if people > 2500 else 200)
    server.room(ROOM, {f"{name}{number}@gov.example": "member" for number in range(people)})
    lines, done = server.tell(ROOM)
    assert (lines, done) == (["members -", f"members {ROOM} -"], True)
    assert members(Told(), *lines) is None


def test_however_many_rooms_there_are_neither_side_remembers_more_than_a_few_megabytes(server: Lua) -> None:
    people = {f"member-number-{number}@gov.example": "member" for number in range(2000)}
    told, began = Told(), 0
    for number in range(150):
        room = f"r{number}@rooms.gov.example"
        server.room(room, people)
        lines, _ = server.tell(room)
        began += lines[0] == "members -"
        read(*lines, told=told)
        assert 1 <= len(told._rooms) < 70, "64 KB each"
        found = read(head(recipient=room, room=room), told=told)[0]
        assert isinstance(found, Question)
        assert len(found.members or ()) == 2000
    assert 1 < began < 4
