"""The gate away, silent, late or talking nonsense: the sender is told to try again, and nothing is delivered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from xml.etree import ElementTree as ET

import pytest

from e2e.conftest import Government, play
from rig.client import Client
from rig.component import RawComponent

PATIENCE = 2.5
ASK = "{apostille:gate:0}ask"


def secret(government: Government) -> str:
    return (government.installation.home / "component.secret").read_text().strip()


class Impostor(RawComponent):
    """In the gate's place. Reports of archive ids that were still due, it answers by itself."""

    async def next(self, timeout: float = 5.0) -> ET.Element:  # noqa: ASYNC109 - as its parent
        """The oldest unread question that asks something."""
        while not refs(stanza := await super().next(timeout)) and "archived " in (stanza.findtext(ASK) or ""):
            self.say(reply(stanza, verdicts("")))
        return stanza


@asynccontextmanager
async def impostor(government: Government) -> AsyncIterator[RawComponent]:
    """A component in the gate's place, while the real one is stopped."""
    government.installation.kill()
    gate = Impostor("gate.gov.example", secret(government), government.prosody.component_port)
    await gate.connect()
    try:
        yield gate
    finally:
        await gate.close()
        await asyncio.to_thread(government.installation.serve)


async def undelivered(boris: Client) -> bool:
    await asyncio.sleep(0.5)
    return boris.inbox.empty()


def refs(question: ET.Element) -> list[str]:
    lines = (question.findtext(ASK) or "").split("\n")
    return [line.split(" ")[1] for line in lines if line.startswith("message ")]


def reply(question: ET.Element, payload: str, kind: str = "result") -> str:
    return f"<iq type='{kind}' id='{question.get('id')}' from='gate.gov.example' to='{question.get('from')}'>{payload}</iq>"


def verdicts(inner: str) -> str:
    return f"<verdicts xmlns='apostille:gate:0'>{inner}</verdicts>"


def test_an_absent_gate_is_an_error_of_type_wait_at_once(lenient: Government) -> None:
    async def act() -> None:
        async with lenient.online("asha", "boris") as (asha, boris):
            lenient.installation.kill()
            await asyncio.sleep(0.2)
            began = time.monotonic()
            refusal = await asha.refusal(await asha.say(lenient.jid("boris"), "anybody?"))
            assert refusal.type == "wait"
            assert "not delivered" in refusal.text
            assert time.monotonic() - began < 1
            assert await undelivered(boris)
            await asyncio.to_thread(lenient.installation.serve)
            await asha.say(lenient.jid("boris"), "again")
            assert (await boris.next_message())["body"] == "again"

    play(act)


def test_a_silent_gate_is_given_two_and_a_half_seconds(lenient: Government) -> None:
    async def act() -> None:
        async with lenient.online("asha", "boris") as (asha, boris), impostor(lenient) as gate:
            began = time.monotonic()
            idents = [await asha.say(lenient.jid("boris"), str(number)) for number in range(5)]
            question = await gate.next()
            for ident in idents:
                assert (await asha.refusal(ident, 10)).type == "wait"
            assert PATIENCE - 0.2 < time.monotonic() - began < PATIENCE * 2
            gate.say(reply(question, verdicts("".join(f"<pass ref='{ref}'/>" for ref in refs(question)))))
            assert await undelivered(boris), "a verdict that came too late was obeyed"

    play(act)


NONSENSE: dict[str, Callable[[ET.Element], str]] = {
    "no verdicts": lambda question: reply(question, ""),
    "another namespace": lambda question: reply(question, "<verdicts xmlns='apostille:gate:99'><pass ref='1'/></verdicts>"),
    "an error": lambda question: reply(question, "<error type='cancel'/>", "error"),
    "verdicts for nobody": lambda question: reply(question, verdicts("<pass ref='nobody'/><pass/>")),
    "neither pass nor refuse": lambda question: reply(question, verdicts(f"<maybe ref='{refs(question)[0]}'/>")),
    "yes and no": lambda question: reply(
        question, verdicts(f"<pass ref='{refs(question)[0]}'/><refuse ref='{refs(question)[0]}' code='x'>no</refuse>")
    ),
    "yes to more than was asked": lambda question: reply(question, verdicts(f"<pass ref='{refs(question)[0]}' count='2'/>")),
    "yes to none": lambda question: reply(question, verdicts(f"<pass ref='{refs(question)[0]}' count='0'/>")),
    "yes to a half": lambda question: reply(question, verdicts(f"<pass ref='{refs(question)[0]}' count='0.5'/>")),
    "yes to nan": lambda question: reply(question, verdicts(f"<pass ref='{refs(question)[0]}' count='nan'/>")),
    "yes twice": lambda question: reply(question, verdicts(f"<pass ref='{refs(question)[0]}'/>" * 2)),
}


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_no_verdict(lenient: Government, nonsense: Callable[[ET.Element], str]) -> None:
    async def act() -> None:
        async with lenient.online("asha", "boris") as (asha, boris), impostor(lenient) as gate:
            ident = await asha.say(lenient.jid("boris"), "pass?")
            gate.say(nonsense(await gate.next()))
            assert (await asha.refusal(ident, 10)).type == "wait"
            assert await undelivered(boris)

    play(act)


def test_a_batch_answered_in_part_delivers_that_part_in_order(lenient: Government) -> None:
    async def act() -> None:
        async with lenient.online("asha", "boris") as (asha, boris), impostor(lenient) as gate:
            first = await asha.say(lenient.jid("boris"), "alone")
            question = await gate.next()
            idents = [await asha.say(lenient.jid("boris"), str(number)) for number in range(4)]
            await asyncio.sleep(0.3)
            gate.say(reply(question, verdicts(f"<pass ref='{refs(question)[0]}'/>")))
            second = await gate.next()
            assert len(refs(second)) == 4, "what came while a question was under way is asked together"
            one, _two, three, four = refs(second)
            told = f"<pass ref='{four}'/><refuse ref='{three}' code='test' type='cancel'>No &amp; no.</refuse><pass ref='{one}'/>"
            gate.say(reply(second, verdicts(told)))
            assert [(await boris.next_message())["body"] for _ in range(3)] == ["alone", "0", "3"]
            assert (await asha.refusal(idents[1])).type == "wait"
            refused = await asha.refusal(idents[2])
            assert (refused.type, refused.condition, refused.text) == ("cancel", "policy-violation", "No & no.")
            assert await undelivered(boris)
            assert first not in asha.errors

    play(act)


def test_one_verdict_may_let_several_pass_and_no_refusal_is_swept_along(lenient: Government) -> None:
    async def act() -> None:
        async with lenient.online("asha", "boris") as (asha, boris), impostor(lenient) as gate:
            await asha.say(lenient.jid("boris"), "alone")
            question = await gate.next()
            idents = [await asha.say(lenient.jid("boris"), str(number)) for number in range(5)]
            await asyncio.sleep(0.3)
            gate.say(reply(question, verdicts(f"<pass ref='{refs(question)[0]}'/>")))
            second = await gate.next()
            one, _two, three, _four, _five = refs(second)
            told = f"<pass ref='{one}' count='4'/><refuse ref='{three}' code='test' type='cancel'>No.</refuse>"
            gate.say(reply(second, verdicts(told)))
            assert [(await boris.next_message())["body"] for _ in range(4)] == ["alone", "0", "1", "3"]
            assert (await asha.refusal(idents[2])).type == "wait", "yes and no is no verdict"
            assert (await asha.refusal(idents[4])).type == "wait", "no verdict is no verdict"
            assert await undelivered(boris)

    play(act)


def test_a_user_cannot_answer_in_the_gates_name(lenient: Government) -> None:
    async def act() -> None:
        async with lenient.online("asha", "boris", "clara") as (asha, boris, clara), impostor(lenient) as gate:
            ident = await asha.say(lenient.jid("boris"), "pass?")
            question = await gate.next()
            payload = verdicts(f"<pass ref='{refs(question)[0]}'/>")
            clara.say_raw(f"<iq type='result' id='{question.get('id')}' to='gov.example'>{payload}</iq>")
            assert await undelivered(boris)
            assert (await asha.refusal(ident, 10)).type == "wait"

    play(act)


def test_a_gate_that_dies_with_a_question_under_way_loses_nothing_in_silence(lenient: Government) -> None:
    async def act() -> None:
        async with lenient.online("asha", "boris") as (asha, boris):
            async with impostor(lenient) as gate:
                ident = await asha.say(lenient.jid("boris"), "pass?")
                await gate.next()
            assert (await asha.refusal(ident, 10)).type == "wait"
            await asha.say(lenient.jid("boris"), "now?")
            assert (await boris.next_message())["body"] == "now?"

    play(act)


def test_a_sender_who_left_while_waiting_leaves_no_session_behind(lenient: Government) -> None:
    async def act() -> None:
        async with lenient.online("boris") as (boris,), impostor(lenient):
            for _ in range(2):
                asha = lenient.client("asha", "same")
                await asha.online()
                asha.say_raw(f"<message to='{lenient.jid('boris')}' type='chat' id='left'><body>x</body></message></stream:stream>")
                await asyncio.sleep(0.3)
                await asha.offline()
            await asyncio.sleep(PATIENCE + 1)
            assert boris.inbox.empty()
        async with lenient.online("asha/same", "boris") as (asha, boris):
            await asha.say(lenient.jid("boris"), "back")
            assert (await boris.next_message())["body"] == "back"
            await boris.say(f"{lenient.jid('asha')}/same", "answer")
            assert (await asha.next_message())["body"] == "answer"

    play(act)


def test_many_large_messages_are_asked_about_in_several_questions_none_of_them_too_large(lenient: Government) -> None:
    header = "".join(f"<key rid='{rid}'>AAAA</key>" for rid in range(2_000_000_000, 2_000_001_000))
    sealed = f"<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'>{header}</header></encrypted>"

    async def act() -> None:
        async with lenient.online("asha", "boris") as (asha, boris), impostor(lenient) as gate:
            await asha.say(lenient.jid("boris"), "alone")
            first = await gate.next()
            for number in range(50):
                asha.say_raw(f"<message to='{lenient.jid('boris')}' type='chat' id='large{number}'>{sealed}</message>")
            await asyncio.sleep(1)  # all of it waits behind the first question; of time a message has two and a half seconds
            gate.say(reply(first, verdicts("".join(f"<pass ref='{ref}'/>" for ref in refs(first)))))
            sizes, asked = [], 0
            while asked < 50:
                question = await gate.next()
                sizes.append(len(ET.tostring(question)))
                asked += len(refs(question))
                gate.say(reply(question, verdicts("".join(f"<pass ref='{ref}'/>" for ref in refs(question)))))
            assert sum(sizes) > 512 * 1024, "all of them would not fit into one"
            assert max(sizes) < 512 * 1024
            heard = [(await boris.next_message())["id"] for _ in range(51)]
            assert heard[1:] == [f"large{number}" for number in range(50)]

    play(act)


def test_a_reload_of_the_module_gives_back_what_waits_and_the_gate_goes_on(lenient: Government) -> None:
    async def act() -> None:
        async with lenient.online("asha", "boris") as (asha, boris):
            async with impostor(lenient) as gate:
                idents = [await asha.say(lenient.jid("boris"), str(number)) for number in range(3)]
                question = await gate.next()
                await asyncio.to_thread(lenient.prosody.shell, "module:reload('apostille_gate', 'gov.example')")
                for ident in idents:
                    assert (await asha.refusal(ident)).type == "wait"
                    (refused,) = asha.errors[ident].xml.iter("{apostille:gate:0}refused")
                    assert refused.get("code") == "reload"
                gate.say(reply(question, verdicts("".join(f"<pass ref='{ref}'/>" for ref in refs(question)))))
                assert await undelivered(boris), "an answer to the module that is gone was obeyed"
            await asha.say(lenient.jid("boris"), "after")
            assert (await boris.next_message())["body"] == "after"

    play(act)
