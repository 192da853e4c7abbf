"""Sessions that end while their messages wait: as if the messages had gone before, for everybody who looks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from xml.etree import ElementTree as ET

from slixmpp.xmlstream import StanzaBase
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

from e2e.conftest import PASSWORD, Government, play
from e2e.test_outage import impostor, refs, reply, verdicts
from rig.client import Client
from rig.speaker import Speaker


def passing(question: ET.Element) -> str:
    return reply(question, verdicts("".join(f"<pass ref='{ref}'/>" for ref in refs(question))))


def watch(client: Client) -> list[tuple[str, str]]:
    """Every presence that a client hears from now on: (from, type)."""
    heard: list[tuple[str, str]] = []

    def note(stanza: StanzaBase) -> None:
        heard.append((stanza.xml.get("from", ""), stanza.xml.get("type", "available")))

    client.register_handler(Callback("watch", MatchXPath("{jabber:client}presence"), note))
    return heard


async def until(speaker: Speaker, fits: Callable[[ET.Element], bool]) -> ET.Element:
    while not fits(stanza := await speaker.next()):
        pass
    return stanza


def test_a_session_that_is_replaced_while_its_messages_wait_leaves_its_rooms_and_its_heir_stays(lenient: Government) -> None:
    room = f"heirs@{lenient.prosody.rooms}"

    async def act() -> None:
        async with lenient.online("boris") as (boris,):
            await boris.join(room, "B")
            asha = lenient.client("asha", "same")
            await asha.online()
            await asha.join(room, "A")
            heard = watch(boris)
            async with impostor(lenient) as gate:
                await asha.say(lenient.jid("boris"), "last words of the old one")
                question = await gate.next()
                heir = lenient.client("asha", "same")
                await heir.online()
                gate.say(passing(question))
                assert (await boris.next_message())["body"] == "last words of the old one"
                await asyncio.sleep(0.3)
                assert (f"{room}/A", "unavailable") in heard
            await boris.say(room, "is she still here?", "groupchat")
            await boris.next_message()
            await boris.say(f"{lenient.jid('asha')}/same", "to the heir")
            heard_by_heir = [(await heir.next_message())["body"]]
            assert heard_by_heir == ["to the heir"], "the heir hears what is said to it, and nothing of a room it never joined"
            await heir.offline()
            await asha.disconnect(wait=0)

    play(act)


def test_what_is_said_to_a_session_that_is_ending_is_kept_for_the_next(lenient: Government) -> None:
    async def act() -> None:
        async with lenient.online("boris", "clara") as (boris, clara):
            asha = lenient.client("asha", "ending")
            await asha.online()
            heard = watch(boris)
            async with impostor(lenient) as gate:
                await clara.say(lenient.jid("asha"), "for asha, meanwhile")
                first = await gate.next()
                to = lenient.jid("boris")
                away = "<presence><show>away</show></presence>"
                asha.say_raw(f"<message to='{to}' type='chat' id='e'><body>a</body></message>{away}</stream:stream>")
                await asyncio.sleep(0.3)
                gate.say(passing(first))
                gate.say(passing(await gate.next()))
                assert (await boris.next_message())["body"] == "a"
                await asyncio.sleep(0.3)
            assert heard.count((f"{lenient.jid('asha')}/ending", "unavailable")) == 1
            await asha.disconnect(wait=0)
            async with lenient.online("asha") as (again,):
                assert (await again.next_message())["body"] == "for asha, meanwhile"

    play(act)


def test_who_is_still_there_when_the_server_stops_hears_that_a_waiting_message_was_not_delivered(lenient: Government) -> None:
    async def act() -> None:
        async with lenient.online("asha") as (asha,), impostor(lenient) as gate:
            ident = await asha.say(lenient.jid("boris"), "too late")
            await gate.next()
            await asyncio.to_thread(lenient.prosody.stop)
            assert (await asha.refusal(ident)).type == "wait"
            await asyncio.to_thread(lenient.prosody.start)

    play(act)


def test_who_becomes_available_hears_what_was_said_before_as_one_who_was_away_and_nobody_else_waits(lenient: Government) -> None:
    def speaker(name: str) -> Speaker:
        return Speaker(f"{lenient.jid(name)}/new", PASSWORD, lenient.prosody.c2s_port, lenient.prosody.ca)

    async def act() -> None:
        boris, clara = speaker("boris"), speaker("clara")
        await boris.connect()
        await clara.connect()
        async with lenient.online("asha") as (asha,), impostor(lenient) as gate:
            await asha.say(lenient.jid("boris"), "while you were away")
            question = await gate.next()
            boris.say("<presence id='b'/>")
            clara.say("<presence id='c'/>")
            await until(clara, lambda stanza: stanza.get("id") == "c")
            gate.say(passing(question))
            message = await until(boris, lambda stanza: stanza.find("{jabber:client}body") is not None)
            assert message.find("{urn:xmpp:delay}delay") is not None, "it was kept for him, not sent after him"
        await boris.leave()
        await clara.leave()

    play(act)
