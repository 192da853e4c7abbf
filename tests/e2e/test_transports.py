"""Every transport by which a message comes: judged once, refused, and never stuck in a buffer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from benchmark.bursts import Bursts, bursts
from e2e.conftest import PASSWORD, SEALED_POLICY, Government, govern, play
from e2e.flows import archive, asleep, heard, readable, records, sealed_message
from e2e.test_components import BOT, SECRET, bot_of
from e2e.test_flows import silence
from rig.client import Client
from rig.transports import EVERYTHING, FLOWS, TOWN, wire
from rig.wire import StreamWire, Wire

BURSTS = 5
REMOTE_TOO = '[[rule]]\nname = "open"\nfrom = ["verified", "remote"]\nto = ["verified"]\nrequire = "nothing"\n'


@pytest.fixture(scope="module")
def wired() -> Iterator[Government]:
    """A government that listens on every transport and lets pass what is encrypted."""
    extra = "apostille_gate_timeout = 30"
    yield from govern("wired", SEALED_POLICY, guarded=(BOT,), components={BOT: SECRET}, network=EVERYTHING, extra=extra)


@pytest.fixture(scope="module")
def bursting() -> Iterator[Government]:
    """The same, and plaintext passes."""
    yield from govern("bursting", REMOTE_TOO, network=EVERYTHING)


@asynccontextmanager
async def speaking(government: Government, transport: str) -> AsyncIterator[tuple[Wire, Client, str]]:
    """Somebody on that transport, Boris, and what the speaker writes in `from`."""
    speaker = wire(transport, government.prosody, "asha", PASSWORD)
    async with government.online("boris") as (boris,):
        await speaker.online()
        try:
            yield speaker, boris, speaker.jid if transport == "s2s" else ""
        finally:
            await speaker.offline()


@pytest.mark.parametrize("transport", FLOWS)
def test_a_message_over_any_transport_is_judged_once_and_a_readable_one_is_refused(wired: Government, transport: str) -> None:
    async def act() -> None:
        async with speaking(wired, transport) as (speaker, boris, by):
            assert speaker.jid == (f"asha@{TOWN}" if transport == "s2s" else wired.jid("asha"))
            good, bad = f"good-{transport}", f"bad-{transport}"
            speaker.say(readable(wired.jid("boris"), bad, sender=by), sealed_message(wired.jid("boris"), good, sender=by))
            await heard(boris, good)
            assert records(wired, good) == [(speaker.jid, wired.jid("boris"), "", FLOWS[transport])]
            error = await speaker.answered(bad)
            assert "policy-violation" in error
            assert "code='plaintext'" in error
            assert not await silence(boris)
            kept = await archive(boris)
            assert (kept.count(good), kept.count(bad)) == (1, 0)
            assert not records(wired, bad)

    play(act)


@pytest.mark.parametrize("transport", FLOWS)
def test_what_comes_to_a_client_on_any_transport_comes_once(wired: Government, transport: str) -> None:
    async def act() -> None:
        async with speaking(wired, transport) as (listener, boris, _):
            for number in range(3):
                boris.say_raw(sealed_message(listener.jid, f"back-{transport}-{number}"))
            await listener.heard(3, 10)
            await asyncio.sleep(0.2)
            assert (list(listener.arrived), listener.again) == ([f"back-{transport}-{number}" for number in range(3)], [])

    play(act)


@pytest.mark.parametrize("transport", ["plaintext", "tls", "s2s"])
def test_who_vanishes_while_messages_wait_is_heard_to_the_last_word_and_judged_once(wired: Government, transport: str) -> None:
    idents = [f"vanished-{transport}-{number}" for number in range(10)]

    async def act() -> None:
        speaker = wire(transport, wired.prosody, "asha", PASSWORD)
        by = speaker.jid if transport == "s2s" else ""
        async with wired.online("boris") as (boris,):
            await speaker.online()
            assert isinstance(speaker, StreamWire)
            with asleep(wired):
                speaker.say(*(sealed_message(wired.jid("boris"), ident, sender=by) for ident in idents))
                speaker.say(readable(wired.jid("boris"), f"vanished-clear-{transport}", sender=by))
                await speaker.vanish()
                await asyncio.sleep(0.3)
            assert [(await boris.next_message(20))["id"] for _ in idents] == idents
            assert not await silence(boris)
            for ident in idents:
                assert records(wired, ident) == [(speaker.jid, wired.jid("boris"), "", FLOWS[transport])]
            assert not records(wired, f"vanished-clear-{transport}")

    play(act)


def test_a_component_that_vanishes_while_messages_wait_is_heard_to_the_last_word_and_judged_once(wired: Government) -> None:
    idents = [f"vanished-bot-{number}" for number in range(10)]

    async def act() -> None:
        async with wired.online("boris") as (boris,):
            with asleep(wired):
                async with bot_of(wired) as bot:
                    bot.say("".join(sealed_message(wired.jid("boris"), ident, sender=BOT) for ident in idents))
                await asyncio.sleep(0.3)
            assert [(await boris.next_message(20))["id"] for _ in idents] == idents
            for ident in idents:
                assert records(wired, ident) == [(BOT, wired.jid("boris"), "", "component")]

    play(act)


def test_what_is_said_to_the_server_itself_or_to_its_services_is_judged_once(wired: Government) -> None:
    async def act() -> None:
        async with wired.online("asha") as (asha,):
            for number, to in enumerate(("gov.example", "gov.example/x", wired.prosody.rooms, "rosters.gov.example")):
                asha.say_raw(sealed_message(to, f"host-{number}"))
                asha.say_raw(readable(to, f"host-clear-{number}"))
                assert (await asha.refusal(f"host-clear-{number}")).condition == "policy-violation"
                room = to if to == wired.prosody.rooms else ""
                assert records(wired, f"host-{number}") == [(wired.jid("asha"), to.partition("/")[0], room, "local")]
                assert not records(wired, f"host-clear-{number}")

    play(act)


@pytest.mark.parametrize("transport", FLOWS)
def test_two_hundred_messages_in_one_write_and_then_silence_arrive_whole_and_in_order(bursting: Government, transport: str) -> None:
    found = play(lambda: bursts(bursting.prosody, transport, BURSTS, sender="asha", receiver="boris", password=PASSWORD))
    assert found == Bursts(BURSTS, hung=0, lost=0)
