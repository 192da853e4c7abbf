"""Stream management (XEP-0198): nothing is acknowledged that still waits at the gate, and nothing is said twice for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from xml.etree import ElementTree as ET

import pytest

from e2e.conftest import PASSWORD, Government, play
from e2e.test_endings import passing
from e2e.test_outage import impostor, refs, reply, verdicts
from rig.installation import DOMAIN
from rig.reliable import ReliableClient
from rig.speaker import Silence, Speaker


@asynccontextmanager
async def reliable(government: Government, *names: str) -> AsyncIterator[list[ReliableClient]]:
    prosody = government.prosody
    clients = [ReliableClient(name, DOMAIN, PASSWORD, prosody.c2s_port, prosody.ca) for name in names]
    for client in clients:
        await client.start()
    try:
        yield clients
    finally:
        for client in clients:
            await client.stop()


def to_boris(mark: str) -> str:
    return f"<message to='boris@{DOMAIN}' type='chat' id='{mark}'><body>{mark}</body></message>"


async def until(true: Callable[[], object], patience: float = 10.0) -> None:
    for _ in range(round(patience / 0.02)):
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come to that")


def refusing(question: ET.Element) -> str:
    return reply(question, verdicts("".join(f"<refuse ref='{ref}' code='test' type='cancel'>No.</refuse>" for ref in refs(question))))


def test_an_acknowledgement_waits_for_what_was_sent_before_it_and_counts_it(lenient: Government) -> None:
    async def act() -> None:
        async with reliable(lenient, "asha", "boris") as (asha, boris), impostor(lenient) as gate:
            await until(lambda: asha.acknowledgements)
            before = asha.acknowledgements[-1]
            asha.post("one", to_boris)
            first = await gate.next()
            asha.post("two", to_boris)
            asha.say("<iq type='get' id='ping'><ping xmlns='urn:xmpp:ping'/></iq><r xmlns='urn:xmpp:sm:3'/>")
            asha.count()
            await asyncio.sleep(0.5)
            assert asha.acknowledgements[-1] == before
            gate.say(passing(first))
            second = await gate.next()
            await until(lambda: asha.acknowledgements[-1] == before + 1)
            assert boris.received["one~0"] == 1
            await asyncio.sleep(0.2)
            assert asha.acknowledgements[-1] == before + 1
            gate.say(passing(second))
            await until(lambda: asha.acknowledgements[-1] == before + 3)
            assert boris.received == {"one~0": 1, "two~0": 1}

    play(act)


def test_a_refusal_comes_before_the_acknowledgement(lenient: Government) -> None:
    async def act() -> None:
        async with reliable(lenient, "asha") as (asha,), impostor(lenient) as gate:
            letter = asha.post("no", to_boris)
            gate.say(refusing(await gate.next()))
            await until(lambda: letter.acknowledged)
            assert asha.bounced_before[-1] == 1

    play(act)


def test_what_waited_when_the_server_died_is_sent_again(lenient: Government) -> None:
    async def act() -> None:
        async with reliable(lenient, "asha", "boris") as (asha, boris):
            async with impostor(lenient) as gate:
                letter = asha.post("lost", to_boris)
                await gate.next()
                await asyncio.sleep(0.2)
                await asyncio.to_thread(lenient.prosody.kill)
                await asyncio.to_thread(lenient.prosody.start)
            await until(lambda: letter.acknowledged)
            assert not letter.mark.endswith("~0")
            await until(lambda: letter.mark in asha.bounced or boris.received[letter.mark] == 1)

    play(act)


def test_a_session_that_is_resumed_while_its_message_waits_does_not_send_it_again(lenient: Government) -> None:
    async def act() -> None:
        async with reliable(lenient, "asha", "boris") as (asha, boris), impostor(lenient) as gate:
            letter = asha.post("once", to_boris)
            question = await gate.next()
            asha.lose()
            await asyncio.sleep(0.7)
            assert asha.resumed == 0, "told less than all, it would send again; told all, it would not know of a loss"
            gate.say(passing(question))
            await until(lambda: letter.acknowledged)
            assert asha.resumed == 1
            again = asha.post("twice", to_boris)
            gate.say(passing(await gate.next()))
            await until(lambda: again.acknowledged)
            await until(lambda: boris.received["twice~0"] == 1)
            assert boris.received == {"once~0": 1, "twice~0": 1}

    play(act)


def test_a_resumption_gives_up_with_the_gate_and_tells_what_came_back(lenient: Government) -> None:
    async def act() -> None:
        async with reliable(lenient, "asha", "boris") as (asha, boris), impostor(lenient) as gate:
            letter = asha.post("late", to_boris)
            await gate.next()
            asha.lose()
            await until(lambda: letter.acknowledged)
            assert asha.resumed == 1
            await until(lambda: "late~0" in asha.bounced)
            assert not boris.received

    play(act)


def test_a_stanza_that_never_reaches_the_gate_does_not_vouch_for_one_that_waits(lenient: Government) -> None:
    async def act() -> None:
        async with reliable(lenient, "asha") as (asha,), impostor(lenient) as gate:
            await until(lambda: asha.acknowledgements)
            before = asha.acknowledgements[-1]
            asha.post("waits", to_boris)
            question = await gate.next()
            asha.say("<message to='@' id='malformed'/><r xmlns='urn:xmpp:sm:3'/>")
            asha.count()
            await until(lambda: "malformed" in asha.bounced)
            asha.say("<r xmlns='urn:xmpp:sm:3'/>")
            await asyncio.sleep(0.3)
            assert asha.acknowledgements[-1] == before
            gate.say(passing(question))
            await until(lambda: asha.acknowledgements[-1] == before + 2)

    play(act)


def test_a_reload_of_the_gate_leaves_no_acknowledgement_behind(lenient: Government) -> None:
    async def act() -> None:
        async with reliable(lenient, "asha") as (asha,):
            async with impostor(lenient) as gate:
                letter = asha.post("given-back", to_boris)
                await gate.next()
                await asyncio.to_thread(lenient.prosody.shell, "module", "reload", "apostille_gate", DOMAIN)
                await until(lambda: letter.acknowledged)
                assert "given-back~0" in asha.bounced
            after = asha.post("after", to_boris)
            await until(lambda: after.acknowledged)

    play(act)


def test_what_fails_on_its_way_on_comes_back_and_is_acknowledged(lenient: Government) -> None:
    explode = "if event.stanza:get_child_text('body') == 'explode~0' then error('a handler fails') end"
    lenient.prosody.shell(f"> prosody.hosts['{DOMAIN}'].events.add_handler('message/bare', function (event) {explode} end, 5)")

    async def act() -> None:
        async with reliable(lenient, "asha", "boris") as (asha, boris):
            letter, after = asha.post("explode", to_boris), asha.post("behind", to_boris)
            await until(lambda: letter.acknowledged and after.acknowledged)
            assert list(asha.bounced) == ["explode~0"]
            await until(lambda: boris.received["behind~0"])  # he also hears what the tests before left for him
            assert (boris.received["behind~0"], boris.received["explode~0"]) == (1, 0)

    play(act)


def test_what_the_server_says_in_a_clients_name_takes_back_no_acknowledgement(lenient: Government) -> None:
    said = f"require 'util.stanza'.message({{ to = 'boris@{DOMAIN}', from = session.full_jid, id = 'made', type = 'chat' }}, 'made')"
    say = f"> local session = prosody.full_sessions['asha@{DOMAIN}/wire']; prosody.core_post_stanza(session, {said}, true)"

    async def act() -> None:
        async with reliable(lenient, "asha", "boris") as (asha, boris):
            await until(lambda: asha.acknowledgements)
            async with impostor(lenient) as gate:
                saying = asyncio.create_task(asyncio.to_thread(lenient.prosody.shell, say))
                question = await gate.next(20)
                asha.say("<r xmlns='urn:xmpp:sm:3'/>")
                await until(lambda: len(asha.acknowledgements) == 2)
                assert asha.acknowledgements[0] == asha.acknowledgements[1]
                gate.say(passing(question))
                await until(lambda: boris.received["made"])  # the verdict was not late: the acknowledgement did not wait for it
            await saying

    play(act)


def test_a_flood_of_requests_behind_a_message_that_waits_stops_nobody_else(lenient: Government) -> None:
    async def act() -> None:
        prosody = lenient.prosody
        asha = Speaker(f"asha@{DOMAIN}/flood", PASSWORD, prosody.c2s_port, prosody.ca)
        await asha.connect()
        await asha.enable()
        async with lenient.online("clara") as (clara,), impostor(lenient) as gate:
            asha.say(to_boris("first"))
            first = await gate.next()
            asha.say("<r xmlns='urn:xmpp:sm:3'/>" * 40_000 + to_boris("last"))
            await asyncio.sleep(1.5)
            gate.say(passing(first))
            began = time.monotonic()
            await clara.get_roster(timeout=30)
            assert time.monotonic() - began < 1
            gate.say(passing(await gate.next()))
            assert (await asha.next()).get("h") == "1"
            with pytest.raises(Silence):  # of what asks the same, one answer is enough
                await asha.next(0.5)
        await asha.leave()

    play(act)
