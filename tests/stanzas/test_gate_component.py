"""The gate on the wire, without a wire: an `<iq/>` is pushed in, what would be sent is read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from apostille.gate.service import Gate, Policy
from apostille.record import DevicesChanged, Filed, Judged
from apostille.vocabulary import Announced, Message, Verdict
from apostille_xep.gate.stanza import NAMESPACE
from doubles_gate import NOW, Clock, FallenPolicy, MemoryLedger, ToldPolicy, salts
from heard import ACCEPT, TOLD, Heard, error, result, said

XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def conversation(
    questions: Sequence[str], ledger: MemoryLedger, policy: Policy | None = None, asker: str = "gov.example"
) -> list[list[str]]:
    async def run() -> list[list[str]]:
        component = Heard(Gate(policy or ToldPolicy(TOLD), ledger, Clock(), salts()))
        return [await component.hear(question, asker) for question in questions]

    return asyncio.run(run())


def answer(question: str, ledger: MemoryLedger, policy: Policy | None = None, asker: str = "gov.example") -> str:
    ((sent, *more),) = conversation([question], ledger, policy, asker)
    assert not more
    return sent


def test_verdicts_answer_the_questions_in_order() -> None:
    ledger = MemoryLedger(first=40)
    assert answer(said("1", "a") + said("2", "no") + said("3", "empty") + said("4", "gone") + said("5", "b"), ledger) == result(
        '<pass ref="1" record="40"/>'
        '<refuse ref="2" code="plaintext" type="modify" xml:lang="en">Encrypt &lt;it&gt; &amp; send it again.</refuse>'
        '<pass ref="3"/>'
        '<refuse ref="4" code="sender-suspended" type="cancel" xml:lang="en">Ask your registrar.</refuse>'
        '<pass ref="5" record="41"/>'
    )
    assert len(ledger.steps) == 1


def test_archive_ids_are_kept_and_answered_by_an_empty_verdict() -> None:
    ledger = MemoryLedger()
    assert answer("archived 40 anna@gov.example s1\n", ledger) == result("")
    assert ledger.records == [Filed(NOW, ((40, "anna@gov.example", "s1"),))]


@pytest.mark.parametrize("asker", ["evil.example", "anna@gov.example", "gov.example/x", "gov.example.evil", "gate.gov.example", ""])
def test_who_is_not_served_gets_no_verdict_and_writes_nothing(asker: str, caplog: pytest.LogCaptureFixture) -> None:
    ledger = MemoryLedger()
    assert answer(said("1", "a"), ledger, asker=asker) == error("auth", "forbidden", asker)
    assert ledger.steps == []
    assert "no served host" in caplog.text


def test_every_served_host_may_ask() -> None:
    assert "<pass " in answer(said("1", "a"), MemoryLedger(), asker="rooms.gov.example")


@pytest.mark.parametrize("fault", ["kept", "lost"])
def test_a_ledger_that_fails_gives_no_verdict_and_the_next_question_is_answered(fault: str) -> None:
    ledger = MemoryLedger()
    ledger.fault = fault
    first, second = conversation([said("1", "a") + said("2", "no"), said("3", "b")], ledger)
    assert first == [error("wait", "internal-server-error")]
    assert second == [result(f'<pass ref="3" record="{1 if fault == "kept" else 0}"/>')]


def test_a_policy_that_fails_gives_no_verdict_and_nothing_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    ledger = MemoryLedger()
    assert answer(said("1", "a"), ledger, FallenPolicy()) == error("wait", "internal-server-error")
    assert ledger.steps == []
    assert "told to try again" in caplog.text


def test_facts_that_cannot_be_read_are_refused_in_the_language_of_the_message() -> None:
    (refused,) = ET.fromstring(answer(said("1", "a", text="--1").replace("% %\n", "de-AT %\n"), MemoryLedger()))[0]
    assert (refused.get("code"), refused.get(XML_LANG)) == ("unreadable-facts", "de-AT")


def test_facts_that_cannot_be_read_are_refused_beside_their_neighbours_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    ledger = MemoryLedger()
    questions = [said("1", "a") + said("2", "b", text="--1")] * 3
    with caplog.at_level(logging.ERROR):
        answers = conversation(questions, ledger)
    for number, (sent,) in enumerate(answers):
        passed, refused = ET.fromstring(sent)[0]
        assert (passed.attrib, refused.get("ref")) == ({"ref": "1", "record": str(number)}, "2")
        assert (refused.get("code"), refused.get("type")) == ("unreadable-facts", "cancel")
        assert (refused.text, refused.get(XML_LANG)) == ("Not delivered: not read.", "en")
    assert len([record for record in caplog.records if "cannot be read" in record.getMessage()]) == 1
    assert [len(step) for step in ledger.steps] == [1, 1, 1]


@pytest.mark.parametrize(
    "inner", ["<other/>", "message  local a@b c@d chat x % % 0 0 % %", "archived -1 a@b x", " store urn:xmpp:hints 0 0 0"]
)
def test_a_question_that_cannot_be_read_at_all_is_refused_whole_and_logged_once(inner: str, caplog: pytest.LogCaptureFixture) -> None:
    ledger = MemoryLedger()
    for sent in conversation(["archived 1 a@b x\n" + inner] * 2, ledger):
        assert sent == [error("modify", "bad-request")]
    assert ledger.steps == []
    assert len([record for record in caplog.records if "could not be read" in record.getMessage()]) == 1


# ---- devices ------------------------------------------------------------------------------------------------------------

LEGACY = "eu.siacs.conversations.axolotl"


def changing(ref: str, action: str = "publish", devices: str = "11") -> str:
    return f"change {ref} local boris@gov.example/phone boris@gov.example {action} {LEGACY} list {devices} % 0 96 2\n"


def test_changes_are_answered_among_the_messages_in_the_order_of_the_question() -> None:
    ledger = MemoryLedger(first=40)
    foreign = Verdict(False, "device-foreign", "Not changed: no.")
    policy = ToldPolicy({"delete": foreign, "purge": Verdict(False, "device-malformed", "Not changed: odd.")})
    asked = changing("1") + said("2", "a") + changing("3", "delete") + said("4", "b") + changing("5", "purge") + changing("6", "retract")
    assert answer(asked, ledger, policy) == result(
        '<pass ref="1" record="42"/><pass ref="2" record="40"/>'
        '<refuse ref="3" code="device-foreign" type="auth" xml:lang="en">Not changed: no.</refuse>'
        '<pass ref="4" record="41"/>'
        '<refuse ref="5" code="device-malformed" type="modify" xml:lang="en">Not changed: odd.</refuse>'
        '<pass ref="6" record="43"/>'
    )
    assert [record.kind for record in ledger.records] == ["judged", "judged", "devices", "devices"]
    assert len(ledger.steps) == 1


def test_a_change_that_cannot_be_read_is_refused_beside_its_neighbours_and_not_kept(caplog: pytest.LogCaptureFixture) -> None:
    ledger = MemoryLedger()
    sent = ET.fromstring(answer(changing("1", devices="11,x") + changing("2"), ledger))[0]
    assert [(one.get("ref"), one.get("code"), one.get("record")) for one in sent] == [("1", "unreadable-facts", None), ("2", None, "0")]
    assert [record.devices for record in ledger.records if isinstance(record, DevicesChanged)] == [(11,)]
    assert "device: not a number" in caplog.text


def test_when_the_policy_or_the_ledger_fails_no_change_is_answered() -> None:
    ledger = MemoryLedger()
    assert answer(changing("1"), ledger, FallenPolicy()) == error("wait", "internal-server-error")
    ledger.fault = "lost"
    assert answer(changing("1"), ledger) == error("wait", "internal-server-error")


class SeeingPolicy(ToldPolicy):
    """Notes what each message's sender announces."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Announced | None] = []

    def judge(self, message: Message) -> Verdict:
        self.seen.append(message.sender_devices)
        return super().judge(message)


def test_what_a_host_said_of_devices_holds_for_its_own_later_questions_on_the_same_connection() -> None:
    policy = SeeingPolicy()

    async def run() -> None:
        component = Heard(Gate(policy, MemoryLedger(), Clock(), salts()))
        await component.hear("devices boris@gov.example 11 %\n")
        await component.hear(said("1", "a"))
        await component.hear(said("2", "b"), "rooms.gov.example")
        component._on_session(None)
        await component.hear(said("3", "c"))

    asyncio.run(run())
    told = [one and (one.legacy, one.modern) for one in policy.seen]
    assert told == [((11,), ()), None, None]


def test_a_warned_sender_is_told_once_after_the_verdict() -> None:
    first, second = conversation([said("1", "warned"), said("2", "warned")], MemoryLedger())
    told = "<body>Encrypt &lt;it&gt; &amp; co.</body>"
    assert first == [
        result('<pass ref="1" record="0"/>'),
        f'<message type="chat" from="gate.gov.example" to="boris@gov.example" xml:lang="en">{told}</message>',
    ]
    assert second == [result('<pass ref="2" record="1"/>')]


def test_a_ref_and_an_id_come_back_escaped() -> None:
    (sent,) = conversation([said("&quot;&lt;&apos;", "a")], MemoryLedger())[0]
    assert ET.fromstring(sent)[0][0].get("ref") == "\"<'"


def test_an_answer_for_a_connection_that_is_gone_is_sent_to_nobody() -> None:
    class Slow(ToldPolicy):
        def judge(self, message: Any) -> Verdict:
            component.transport = object()  # another connection than the one that asked
            return super().judge(message)

    ledger = MemoryLedger()

    async def run() -> list[str]:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(component.hear(said("1", "a")), 0.3)
        return component.sent

    async def build() -> Heard:
        return Heard(Gate(Slow(), ledger, Clock(), salts()))

    with asyncio.Runner() as runner:
        component = runner.run(build())
        assert runner.run(run()) == []
    assert len(ledger.records) == 1


def test_batches_are_judged_one_after_the_other_in_the_order_of_the_questions() -> None:
    ledger = MemoryLedger()

    async def run() -> list[str]:
        component = Heard(Gate(ToldPolicy(), ledger, Clock(), salts()))
        for number in range(20):
            ask = f"<ask xmlns='{NAMESPACE}'>{said(str(number), f'm{number}')}</ask>"
            head = f"<iq xmlns='{ACCEPT}' type='set' id='q{number}' from='gov.example' to='gate.gov.example'>"
            component._spawn_event(ET.fromstring(f"{head}{ask}</iq>"))
        while len(component.sent) < 20:
            component.told.clear()
            await asyncio.wait_for(component.told.wait(), 5)
        return component.sent

    answers = [ET.fromstring(sent) for sent in asyncio.run(run())]
    assert sorted(str(one.get("id")) for one in answers) == sorted(f"q{number}" for number in range(20))
    assert [record.id for record in ledger.records if isinstance(record, Judged)] == [f"m{number}" for number in range(20)]
    assert {str(one[0][0].get("record")): one[0][0].get("ref") for one in answers} == {str(n): str(n) for n in range(20)}
