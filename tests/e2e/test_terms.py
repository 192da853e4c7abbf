"""What the server was told beforehand: what passes without a question, what an outage means, and who may say so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from xml.etree import ElementTree as ET

import pytest
from slixmpp.exceptions import IqError

from e2e.conftest import OPEN_POLICY, PASSWORD, Government, govern, play
from rig.client import Client
from rig.component import RawComponent
from rig.speaker import Speaker

ASK = "{apostille:gate:0}ask"
FREE = {
    "composing": "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
    "received": "<received xmlns='urn:xmpp:receipts' id='m1'/>",
    "displayed": "<displayed xmlns='urn:xmpp:chat-markers:0' id='m1'/>",
}
EVERYTHING = (
    "<terms xmlns='apostille:gate:0' valid='9999'><free within='gov.example' id='256' aside='9999' times='9'>"
    "<child ns='jabber:client' name='body' t='9999' a='9999' e='9'/></free><outage from='*' to='*' mode='pass' seconds='0'/></terms>"
)
HELD = OPEN_POLICY + 'outage = "hold"\nhold_seconds = {}\n'


def reports_of(government: Government) -> int:
    """How many processes have said that every host is covered."""
    return government.installation.serve_log().count("covered: gov.example")


async def covered(government: Government) -> None:
    """Wait until the component that serves now has heard of every host."""
    connected = government.installation.serve_log().count("gate.gov.example: connected")
    for _ in range(100):
        if reports_of(government) >= connected:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(government.installation.serve_log()[-2000:])


async def serve_again(government: Government) -> None:
    await asyncio.to_thread(government.installation.serve)
    await covered(government)


async def in_force(government: Government, policy: str) -> None:
    """Change the policy of the running component, and wait until it says so."""
    before = government.installation.serve_log().count("the changed policy is in force")
    (government.installation.home / "policy.toml").write_text(policy)
    for _ in range(50):
        if government.installation.serve_log().count("the changed policy is in force") > before:
            await asyncio.sleep(0.2)  # the terms are on their way
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the changed policy is not in force after two and a half seconds")


@asynccontextmanager
async def without_component(government: Government) -> AsyncIterator[None]:
    await covered(government)
    government.installation.kill()
    await asyncio.sleep(0.3)
    try:
        yield
    finally:
        if government.installation.pid is None:
            await serve_again(government)


@asynccontextmanager
async def impostor(government: Government) -> AsyncIterator[RawComponent]:
    """A component in the gate's place: the terms of the real one hold on."""
    async with without_component(government):
        secret = (government.installation.home / "component.secret").read_text().strip()
        gate = RawComponent("gate.gov.example", secret, government.prosody.component_port)
        await gate.connect()
        try:
            yield gate
        finally:
            await gate.close()
            await asyncio.sleep(0.2)


def refs(question: ET.Element) -> list[str]:
    return [line.split(" ")[1] for line in (question.findtext(ASK) or "").split("\n") if line.startswith("message ")]


def pass_all(gate: RawComponent, question: ET.Element) -> int:
    found = refs(question)
    inner = "".join(f"<pass ref='{ref}'/>" for ref in found)
    payload = f"<verdicts xmlns='apostille:gate:0'>{inner}</verdicts>"
    gate.say(f"<iq type='result' id='{question.get('id')}' from='gate.gov.example' to='{question.get('from')}'>{payload}</iq>")
    return len(found)


def child_of(message: object) -> str:
    xml: ET.Element = message.xml  # type: ignore[attr-defined]
    return next((child.tag.rpartition("}")[2] for child in xml if child.tag.rpartition("}")[2] in (*FREE, "body")), "")


# ---- what passes unasked ------------------------------------------------------------------------------------------------


def test_what_says_nothing_passes_while_the_component_is_away_and_a_text_does_not(lenient: Government) -> None:
    async def act() -> None:
        async with lenient.online("asha", "boris") as (asha, boris), without_component(lenient):
            for name, xml in FREE.items():
                await asha.say(lenient.jid("boris"), None, children=(xml,))
                assert child_of(await boris.next_message()) == name
            refusal = await asha.refusal(await asha.say(lenient.jid("boris"), "words"))
            assert refusal.type == "wait"
            hidden = await asha.say(lenient.jid("boris"), None, children=("<composing xmlns='http://jabber.org/protocol/chatstates'>hi</composing>",))
            assert (await asha.refusal(hidden)).type == "wait"
            assert boris.inbox.empty()

    play(act)


def test_what_says_nothing_is_not_asked_about_and_keeps_its_place_behind_what_is(lenient: Government) -> None:
    async def act() -> None:
        async with lenient.online("asha", "boris") as (asha, boris), impostor(lenient) as gate:
            await asha.say(lenient.jid("boris"), None, children=(FREE["composing"],))
            assert child_of(await boris.next_message()) == "composing"
            await asha.say(lenient.jid("boris"), "one")
            await asha.say(lenient.jid("boris"), None, children=(FREE["received"],))
            question = await gate.next()
            assert len(refs(question)) == 1, "the question is about the text alone"
            await asyncio.sleep(0.5)
            assert boris.inbox.empty(), "what was said later does not overtake"
            pass_all(gate, question)
            assert [child_of(await boris.next_message()) for _ in range(2)] == ["body", "received"]
            assert gate.heard.empty()

    play(act)


# ---- who may set terms --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def with_bot() -> Iterator[Government]:
    """A second component on the same server."""
    yield from govern("bot", OPEN_POLICY, components={"bot.gov.example": "bot secret"})


async def still_asked(government: Government, asha: Client, boris: Client) -> None:
    async with without_component(government):
        refusal = await asha.refusal(await asha.say(government.jid("boris"), "words"))
        assert refusal.type == "wait"
        assert boris.inbox.empty()


def test_terms_of_a_user_are_refused_and_change_nothing(with_bot: Government) -> None:
    async def act() -> None:
        async with with_bot.online("asha", "boris") as (asha, boris):
            await covered(with_bot)
            for to in ("gov.example", "rooms.gov.example", with_bot.jid("asha")):
                attempt = asha.make_iq_set(ito=to)
                attempt.append(ET.fromstring(EVERYTHING))
                with pytest.raises(IqError):
                    await attempt.send(timeout=5)  # type: ignore[no-untyped-call]
            await still_asked(with_bot, asha, boris)

    play(act)


def test_terms_of_another_component_are_refused_and_change_nothing(with_bot: Government) -> None:
    async def act() -> None:
        bot = RawComponent("bot.gov.example", "bot secret", with_bot.prosody.component_port)
        await bot.connect()
        async with with_bot.online("asha", "boris") as (asha, boris):
            await covered(with_bot)
            bot.say(f"<iq type='set' id='terms-gov.example' from='bot.gov.example' to='gov.example'>{EVERYTHING}</iq>")
            assert (await bot.next()).get("type") == "error"
            await still_asked(with_bot, asha, boris)
        await bot.close()

    play(act)


# ---- coverage -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def holed() -> Iterator[Government]:
    """Somebody forgot the module under the rooms."""
    yield from govern("holed", OPEN_POLICY, muc_modules=())


def test_a_host_without_the_module_stops_the_gate_and_its_log_names_the_host(holed: Government) -> None:
    async def act() -> None:
        async with holed.online("asha", "boris") as (asha, boris):
            refusal = await asha.refusal(await asha.say(holed.jid("boris"), "words"))
            assert refusal.type == "wait"
            assert boris.inbox.empty()
            assert "rooms.gov.example: the gate is not loaded there" in holed.installation.serve_log()
            assert "covered: gov.example" not in holed.installation.serve_log()

    play(act)


# ---- a policy that changes ----------------------------------------------------------------------------------------------


def test_a_changed_policy_is_in_force_without_a_restart(strict: Government) -> None:
    policy = strict.installation.home / "policy.toml"
    before = policy.read_text()

    async def act() -> None:
        async with strict.online("asha", "boris") as (asha, boris):
            assert (await asha.refusal(await asha.say(strict.jid("boris"), "plain"))).condition == "policy-violation"
            await in_force(strict, OPEN_POLICY)
            await asha.say(strict.jid("boris"), "plain")
            assert (await boris.next_message())["body"] == "plain"
            policy.write_text("rule = ")
            await asyncio.sleep(2)
            assert "stays in force" in strict.installation.serve_log()
            await asha.say(strict.jid("boris"), "still")
            assert (await boris.next_message())["body"] == "still"
            await in_force(strict, before)
            assert (await asha.refusal(await asha.say(strict.jid("boris"), "plain"))).condition == "policy-violation"

    play(act)


# ---- outages ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def patient() -> Iterator[Government]:
    """A policy that holds messages through an outage."""
    yield from govern("patient", HELD.format(30))


def test_what_is_held_through_an_outage_arrives_once_and_in_order(patient: Government) -> None:
    async def act() -> None:
        async with patient.online("asha", "boris") as (asha, boris):
            async with without_component(patient):
                for number in range(5):
                    await asha.say(patient.jid("boris"), str(number))
                await asha.say(patient.jid("boris"), None, children=(FREE["composing"],))
                await asyncio.sleep(1)
                began = time.monotonic()
                await asha.get_roster(timeout=5)
                assert time.monotonic() - began < 1, "a client whose messages are held still gets its answers"
                assert boris.inbox.empty()
                assert not asha.errors
                await serve_again(patient)
            said = [await boris.next_message() for _ in range(6)]
            assert [child_of(one) for one in said] == ["body"] * 5 + ["composing"]
            assert [one["body"] for one in said[:5]] == [str(number) for number in range(5)]
            await asyncio.sleep(1)
            assert boris.inbox.empty()
            assert not asha.errors

    play(act)


def test_what_is_held_for_too_long_comes_back(patient: Government) -> None:
    async def act() -> None:
        async with patient.online("asha", "boris") as (asha, boris):
            await covered(patient)
            await in_force(patient, HELD.format(3))
            async with without_component(patient):
                began = time.monotonic()
                idents = [await asha.say(patient.jid("boris"), str(number)) for number in range(3)]
                for ident in idents:
                    assert (await asha.refusal(ident, 10)).type == "wait"
                assert 2.8 < time.monotonic() - began < 5
                assert boris.inbox.empty()
            await in_force(patient, HELD.format(30))

    play(act)


ABROAD_WAITS = (
    '[[rule]]\nname = "abroad"\nfrom = ["verified"]\nto = ["remote"]\nrequire = "nothing"\noutage = "hold"\nhold_seconds = 20\n'
    '[[rule]]\nname = "people"\nfrom = ["verified"]\nto = ["verified"]\nrequire = "nothing"\n'
)


@pytest.fixture(scope="module")
def divided() -> Iterator[Government]:
    """A policy that holds what is said to other servers through an outage, and gives back what is said to people."""
    yield from govern("divided", ABROAD_WAITS)


def test_nobody_is_kept_out_by_a_message_to_him_that_waits_behind_one_that_is_held(divided: Government) -> None:
    async def act() -> None:
        async with divided.online("asha") as (asha,), without_component(divided):
            held = "<message to='x@far.example' type='chat' id='held'><body>x</body></message>"
            asha.say_raw(f"{held}<message to='{divided.jid('boris')}' type='chat' id='behind'><body>x</body></message>")
            await asyncio.sleep(0.7)
            boris = Speaker(f"{divided.jid('boris')}/late", PASSWORD, divided.prosody.c2s_port, divided.prosody.ca)
            await boris.connect()
            began = time.monotonic()
            boris.say("<presence id='late'/>")
            while (await boris.next(25)).get("id") != "late":
                pass
            assert time.monotonic() - began < 3
            await boris.leave()
            assert not asha.errors, "the first is held, and the second behind it"

    play(act)


# ---- back-pressure ------------------------------------------------------------------------------------------------------


def test_a_flood_waits_in_its_own_client_and_nothing_of_it_or_of_others_is_lost(lenient: Government) -> None:
    count, pause = 3000, 0.08  # 47 questions of 64 messages: the last would wait 3.8 s, longer than the server's patience

    async def answer(gate: RawComponent) -> None:
        while True:
            question = await gate.next(60)
            if question.find(ASK) is not None:
                await asyncio.sleep(pause)
                pass_all(gate, question)

    async def act() -> None:
        async with lenient.online("asha", "boris", "clara", "dmitri") as (asha, boris, clara, dmitri), impostor(lenient) as gate:
            answering = asyncio.create_task(answer(gate))
            to = lenient.jid("boris")
            asha.say_raw("".join(f"<message to='{to}' type='chat' id='f{n}'><body>{n}</body></message>" for n in range(count)))
            await asyncio.sleep(0.5)
            began = time.monotonic()
            await dmitri.say(lenient.jid("clara"), "me too")
            assert (await clara.next_message())["body"] == "me too"
            assert time.monotonic() - began < 2
            await dmitri.get_roster(timeout=2)
            assert boris.inbox.qsize() < count, "the flood is over before it began to hurt"
            assert [(await boris.next_message(20))["body"] for _ in range(count)] == [str(n) for n in range(count)]
            assert not asha.errors
            answering.cancel()

    play(act)
