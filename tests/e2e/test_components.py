"""An external component of the operator's own: asked about, refused by the default policy, and kept in its order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from xml.etree import ElementTree as ET

import pytest

from e2e.conftest import SEALED_POLICY, Government, govern, play
from e2e.flows import archive, heard, readable, records, sealed_message
from e2e.test_endings import passing
from e2e.test_flows import judged, silence
from e2e.test_outage import impostor
from rig.component import COMPONENT, RawComponent

BOT, SECRET = "bot.gov.example", "a secret of its own"


@pytest.fixture(scope="module")
def botted() -> Iterator[Government]:
    """A government with a component that is none of Apostille's, and that its settings do not name."""
    yield from govern("botted", components={BOT: SECRET})


@pytest.fixture(scope="module")
def sealed() -> Iterator[Government]:
    """The same, named in the settings, under a policy that lets anybody say to anybody what is encrypted."""
    yield from govern("sealed", SEALED_POLICY, guarded=(BOT,), components={BOT: SECRET})


@asynccontextmanager
async def bot_of(government: Government, jid: str = BOT) -> AsyncIterator[RawComponent]:
    bot = RawComponent(jid, SECRET, government.prosody.component_port)
    await bot.connect()
    try:
        yield bot
    finally:
        await bot.close()


async def refused(bot: RawComponent, ident: str) -> str:
    """The gate's code in the error that the message of that id comes back as; what comes before is let go."""
    while (answer := await bot.next()).get("id") != ident:
        pass
    assert answer.get("type") == "error"
    (told,) = answer.iter("{apostille:gate:0}refused")
    return str(told.get("code"))


def test_its_messages_are_judged_and_refused_by_the_default_policy(botted: Government) -> None:
    async def act() -> None:
        async with botted.online("boris") as (boris,), bot_of(botted) as bot:
            bot.say(f"<message from='{BOT}' to='{botted.jid('boris')}' type='chat' id='m'><body>your code is 0000</body></message>")
            answer = await bot.next()
            assert (answer.get("id"), answer.get("type")) == ("m", "error")
            (refused,) = answer.iter("{apostille:gate:0}refused")
            assert refused.get("code") == "no-rule"
            await asyncio.sleep(0.5)
            assert boris.inbox.empty()

    play(act)


def test_its_other_stanzas_wait_behind_its_messages(botted: Government) -> None:
    async def act() -> None:
        async with botted.online("boris") as (boris,), bot_of(botted) as bot, impostor(botted) as gate:
            bot.say(f"<message from='{BOT}' to='{botted.jid('boris')}' type='chat' id='m'><body>first</body></message>")
            bot.say(f"<iq from='{BOT}' to='gov.example' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
            question = await gate.next()
            await asyncio.sleep(0.5)
            assert bot.heard.empty(), "the ping overtook the message"
            gate.say(passing(question))
            assert (await boris.next_message())["body"] == "first"
            answer = await bot.next()
            assert (answer.tag, answer.get("id"), answer.get("type")) == (f"{COMPONENT}iq", "p", "result")

    play(act)


def test_what_it_says_to_an_official_and_to_a_room_is_judged_once_and_what_is_readable_goes_nowhere(sealed: Government) -> None:
    room = f"bots@{sealed.prosody.rooms}"
    robot = f"robot@{BOT}"

    async def act() -> None:
        async with sealed.online("asha", "boris") as (asha, boris), bot_of(sealed) as bot:
            await asha.join(room, "A")
            bot.say(f"<presence from='{robot}/x' to='{room}/R'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
            while not (await bot.next()).findall(".//*[@code='110']"):
                pass
            for to, kind, sender in ((sealed.jid("boris"), "chat", BOT), (f"{sealed.jid('boris')}/here", "chat", robot)):
                ident = f"sealed-{sender}"
                bot.say(sealed_message(to, ident, kind, sender))
                await heard(boris, ident)
                assert records(sealed, ident) == [(sender, sealed.jid("boris"), "", "component")]
                assert (await archive(boris)).count(ident) == 1
                bot.say(readable(to, f"readable-{sender}", kind, sender))
                assert await refused(bot, f"readable-{sender}") == "plaintext"
            bot.say(sealed_message(room, "sealed-room", "groupchat", f"{robot}/x"))
            await heard(asha, "sealed-room")
            assert records(sealed, "sealed-room") == [(robot, room, room, "component")], "the person, not the nick"
            bot.say(readable(room, "readable-room", "groupchat", f"{robot}/x"))
            assert await refused(bot, "readable-room") == "plaintext"
            bot.say(sealed_message(f"{room}/A", "sealed-private", "chat", f"{robot}/x"))
            await heard(asha, "sealed-private")
            assert records(sealed, "sealed-private") == [(robot, sealed.jid("asha"), room, "component")]
            bot.say(readable(f"{room}/A", "readable-private", "chat", f"{robot}/x"))
            assert await refused(bot, "readable-private") == "plaintext"
            assert not await silence(asha, boris)
            kept = {*await archive(boris), *await archive(asha), *await archive(asha, room)}
            assert not [ident for ident in kept if ident.startswith("readable")]
            assert "sealed-room" in kept
            assert not [record.id for record in judged(sealed) if record.id.startswith("readable")]

    play(act)


def test_what_officials_say_to_it_is_judged_once_and_what_is_readable_does_not_reach_it(sealed: Government) -> None:
    async def act() -> None:
        async with sealed.online("asha") as (asha,), bot_of(sealed) as bot:
            for to in (BOT, f"robot@{BOT}", f"robot@{BOT}/x"):
                asha.say_raw(readable(to, f"readable-{to}"))
                assert (await asha.refusal(f"readable-{to}")).condition == "policy-violation"
                asha.say_raw(sealed_message(to, f"to-{to}"))
                assert (await bot.next()).get("id") == f"to-{to}", "and nothing before it"
                assert records(sealed, f"to-{to}") == [(sealed.jid("asha"), to.partition("/")[0], "", "local")]
                assert not records(sealed, f"readable-{to}")

    play(act)


def test_it_cannot_write_into_the_ledger_through_the_gates_own_door(sealed: Government) -> None:
    async def act() -> None:
        async with bot_of(sealed) as bot:
            before = len(judged(sealed))
            facts = "<message ref='1' flow='local' from='boris@gov.example/x' to='clara@gov.example' text='0' type='chat'>"
            omemo = "<child ns='eu.siacs.conversations.axolotl' name='encrypted' t='0' a='0' e='0'/></message>"
            for to in ("gate.gov.example", "gate.gov.example/x", "x@gate.gov.example"):
                bot.say(f"<iq type='set' id='forge' from='{BOT}' to='{to}'><ask xmlns='apostille:gate:0'>{facts}{omemo}</ask></iq>")
                answer = await bot.next()
                assert (answer.get("id"), answer.get("type")) == ("forge", "error"), ET.tostring(answer)
            assert len(judged(sealed)) == before

    play(act)
