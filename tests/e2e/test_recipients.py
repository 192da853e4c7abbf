"""Who could read a message in a room: its members are told with their devices, absent ones included, and told again when they change."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from slixmpp import JID

from apostille_xep.gate.stanza import ASK, Announced, Question, Told, read_ask
from e2e.conftest import NAMES, Government, govern, play
from e2e.test_devices import LEGACY, ask, legacy_list, modern_list, passing
from e2e.test_outage import impostor
from rig.client import Client
from rig.component import RawComponent

SHELL = f"<encrypted xmlns='{LEGACY}'><header sid='1'><key rid='2'>MwAA{'A' * 76}</key></header></encrypted>"
CROWD = tuple(f"clerk{number}" for number in range(250))
DEPARTMENT, SECRET = "tax.gov.example", "tax-secret"


@pytest.fixture(scope="module")
def ministry() -> Iterator[Government]:
    """The default policy, a department's component that may say something in a room, and a mod_pep that forgets all but one account."""
    yield from govern(
        "ministry",
        people=(*NAMES, *CROWD),
        guarded=(DEPARTMENT,),
        extra="pep_service_cache_size = 1",
        components={DEPARTMENT: SECRET},
        component_modules=("apostille_gate",),
    )


class Listener:
    """In the gate's place: reads each question as the gate would, lets everything pass, and keeps the lines about rooms."""

    def __init__(self, gate: RawComponent) -> None:
        self._gate = gate
        self._told: dict[str, Told] = {}
        self.lines: list[str] = []
        self.questions = 0

    async def next(self) -> Question:
        """The next message that somebody says."""
        while True:
            stanza = await self._gate.next()
            self.questions += 1
            element = stanza.find(ASK)
            assert element is not None
            self.lines = [line for line in (element.text or "").split("\n") if line.startswith(("members ", "devices "))]
            parts = list(read_ask(element, self._told.setdefault(stanza.get("from", ""), Told())))
            self._gate.say(passing(stanza))
            for part in parts:
                if isinstance(part, Question):
                    return part


def readers(question: Question) -> dict[str, Announced | None]:
    assert question.members is not None
    return {member.jid.partition("@")[0]: member.devices for member in question.members}


def say(client: Client, to: str, ident: str, kind: str = "groupchat") -> None:
    client.say_raw(f"<message to='{to}' type='{kind}' id='{ident}'>{SHELL}</message>")


async def closed(government: Government, room: str, owner: Client, *members: str) -> None:
    """A room for its members only."""
    await owner.join(room, "Owner")
    await owner.configure(room, membersonly="1", whois="anyone")
    for member in members:
        await owner.admit(room, government.jid(member))


def test_the_members_of_a_room_are_told_with_their_devices_though_they_are_absent_and_unheard_of(ministry: Government) -> None:
    room = f"audit@{ministry.prosody.rooms}"

    async def act() -> None:
        async with ministry.online("clara") as (clara,):
            assert await ask(clara, legacy_list(31, 32)) == "result"
            assert await ask(clara, modern_list(33)) == "result"
        async with ministry.online("asha", "boris") as (asha, boris):
            assert await ask(boris, legacy_list(21)) == "result"
            await closed(ministry, room, asha, "boris", "clara")
            await asha.admit(room, "guest@far.example")
            await asha.admit(room, ministry.jid("dmitri"), "outcast")
            await boris.join(room, "B")
            async with impostor(ministry) as gate:
                heard = Listener(gate)
                say(asha, room, "r1")
                question = await heard.next()
                assert (question.recipient, question.room) == (room, room)
                found = readers(question)
                assert set(found) == {"asha", "boris", "clara", "guest"}
                assert (found["clara"], found["guest"]) == (Announced((31, 32), (33,)), None)
                assert found["boris"] == Announced((21,), None)
                say(boris, room, "r2")
                again = await heard.next()
                assert readers(again) == found
                assert heard.lines == [], "what was told is told again"

    play(act)


def test_a_change_of_membership_and_one_of_an_absent_members_devices_are_told_with_the_next_message(ministry: Government) -> None:
    room = f"budget@{ministry.prosody.rooms}"

    async def act() -> None:
        async with ministry.online("asha", "clara") as (asha, clara):
            await closed(ministry, room, asha, "boris")
            async with impostor(ministry) as gate:
                heard = Listener(gate)
                say(asha, room, "c1")
                assert set(readers(await heard.next())) == {"asha", "boris"}
                await asha.admit(room, ministry.jid("clara"))
                say(asha, room, "c2")
                assert set(readers(await heard.next())) == {"asha", "boris", "clara"}
                await asha.admit(room, ministry.jid("boris"), "none")
                say(asha, room, "c3")
                assert set(readers(await heard.next())) == {"asha", "clara"}
                assert heard.lines == [f"members {room} {ministry.jid('asha')} {ministry.jid('clara')}"]
                iq = legacy_list(35)
                clara.say_raw(f"<iq type='set' id='p1'>{iq}</iq>")
                gate.say(passing(await gate.next()))
                await clara.plugin["xep_0199"].ping(timeout=5)  # what was published has been heard by everybody
                say(asha, room, "c4")
                last = readers(await heard.next())["clara"]
                assert last is not None
                assert last.legacy == (35,)
                assert heard.lines == [f"devices {ministry.jid('clara')} 35 {'33' if last.modern else '-'}"]

    play(act)


def test_in_a_room_that_is_open_whoever_is_there_can_read_and_who_has_left_cannot(ministry: Government) -> None:
    room = f"square@{ministry.prosody.rooms}"

    async def act() -> None:
        async with ministry.online("asha", "boris", "dmitri") as (asha, boris, dmitri):
            await asha.join(room, "A")
            await boris.join(room, "B")
            async with impostor(ministry) as gate:
                heard = Listener(gate)
                say(asha, room, "o1")
                assert set(readers(await heard.next())) == {"asha", "boris"}
                await dmitri.join(room, "D")
                say(asha, room, "o2")
                assert set(readers(await heard.next())) == {"asha", "boris", "dmitri"}
                dmitri.plugin["xep_0045"].leave_muc(JID(room), "D")
                await dmitri.plugin["xep_0199"].ping(timeout=5)
                say(asha, room, "o3")
                assert set(readers(await heard.next())) == {"asha", "boris"}

    play(act)


def test_a_private_message_names_the_person_and_tells_the_room_too(ministry: Government) -> None:
    room = f"tea@{ministry.prosody.rooms}"

    async def act() -> None:
        async with ministry.online("asha", "boris") as (asha, boris):
            await closed(ministry, room, asha, "boris", "clara")
            await boris.join(room, "B")
            async with impostor(ministry) as gate:
                heard = Listener(gate)
                say(asha, f"{room}/B", "t1", "chat")
                question = await heard.next()
                assert (question.recipient, question.room) == (ministry.jid("boris"), room)
                assert set(readers(question)) == {"asha", "boris", "clara"}

    play(act)


def test_the_rooms_own_host_tells_them_where_a_component_speaks(ministry: Government) -> None:
    room = f"desk@{ministry.prosody.rooms}"

    async def act() -> None:
        async with ministry.online("asha") as (asha,):
            await closed(ministry, room, asha, "clara")
            await asha.admit(room, f"clerk@{DEPARTMENT}")
            clerk = RawComponent(DEPARTMENT, SECRET, ministry.prosody.component_port)
            await clerk.connect()
            try:
                nick = f"from='clerk@{DEPARTMENT}/x' to='{room}/Clerk'"
                clerk.say(f"<presence {nick}><x xmlns='http://jabber.org/protocol/muc'/></presence>")
                while (await clerk.next()).find(".//{http://jabber.org/protocol/muc#user}status[@code='110']") is None:
                    pass
                async with impostor(ministry) as gate:
                    heard = Listener(gate)
                    clerk.say(f"<message from='clerk@{DEPARTMENT}/x' to='{room}' type='groupchat' id='k1'>{SHELL}</message>")
                    question = await heard.next()
                    assert (question.flow, question.room) == ("component", room)
                    assert set(readers(question)) == {"asha", "clara", "clerk"}
            finally:
                await clerk.close()

    play(act)


def test_outside_of_rooms_and_without_an_encrypted_part_nobody_is_told(ministry: Government) -> None:
    room = f"plain@{ministry.prosody.rooms}"

    async def act() -> None:
        async with ministry.online("asha") as (asha,):
            await closed(ministry, room, asha, "clara")
            async with impostor(ministry) as gate:
                heard = Listener(gate)
                say(asha, ministry.jid("clara"), "p1", "chat")
                assert (await heard.next()).members is None
                asha.say_raw(f"<message to='{room}' type='groupchat' id='p2'><body>hello</body></message>")
                assert (await heard.next()).members is None
                assert heard.lines == []
                asha.say_raw(f"<message to='nowhere@{ministry.prosody.rooms}' type='groupchat' id='p3'>{SHELL}</message>")
                assert (await heard.next()).members is None

    play(act)


def test_a_large_room_is_told_over_several_questions_and_its_message_comes_with_the_last(ministry: Government) -> None:
    room = f"assembly@{ministry.prosody.rooms}"

    async def act() -> None:
        async with ministry.online("asha") as (asha,):
            await closed(ministry, room, asha, *CROWD)
            async with impostor(ministry) as gate:
                heard = Listener(gate)
                say(asha, room, "l1")
                found = readers(await heard.next())
                assert set(found) == {"asha", *CROWD}
                assert None not in found.values(), "the message came before all was told"
                assert heard.questions == 2
                say(asha, room, "l2")
                assert readers(await heard.next()) == found
                assert (heard.questions, heard.lines) == (3, [])
                assert asha.errors == {}

    play(act)
