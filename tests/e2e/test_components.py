"""An external component of the operator's own: asked about, refused by the default policy, and kept in its order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from e2e.conftest import Government, govern, play
from e2e.test_endings import passing
from e2e.test_outage import impostor
from rig.component import COMPONENT, RawComponent

BOT, SECRET = "bot.gov.example", "a secret of its own"


@pytest.fixture(scope="module")
def botted() -> Iterator[Government]:
    """A government with a component that is none of Apostille's."""
    yield from govern("botted", components={BOT: SECRET})


@asynccontextmanager
async def bot_of(government: Government) -> AsyncIterator[RawComponent]:
    bot = RawComponent(BOT, SECRET, government.prosody.component_port)
    await bot.connect()
    try:
        yield bot
    finally:
        await bot.close()


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
