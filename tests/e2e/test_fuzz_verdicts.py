"""Random answers in the gate's place: only one well-formed pass in the answer to the open question lets a message go on."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apostille_xep.gate.stanza import Passed, Refused, write_verdicts
from e2e.conftest import OPEN_POLICY, Government, govern, play
from e2e.test_terms import ASK, impostor, refs
from rig.client import Client
from rig.component import RawComponent

NAMESPACE = "apostille:gate:0"
ROUNDS, SEED = 60, 20261122
COUNTS = (
    "1", "2", "3", "4", "0", "-1", "1.0", "2.5", "0x2", " 2", "2 ", "1e0", "", "nan", "inf", "-0", "+1", "٢", "9" * 10, "9" * 30, "9" * 400,
)  # fmt: skip
RECORDS = ("0", "41", "", "x", "-1", "1.5", "0x10", "9" * 15, "9" * 16, "9" * 30, "9" * 400, " 1", "٣")
OTHERS = ("0", "", " ", "%", "-1", "1e9", "9" * 40, "apostille", "\u202e1", "nan")
PASS, REFUSE = f"{{{NAMESPACE}}}pass", f"{{{NAMESPACE}}}refuse"


def passed_by(verdicts: ET.Element, order: list[str]) -> set[str]:
    """Which messages of a question an answer lets pass, by spec.md section 5, rules 3, 9 and 11: those that exactly one pass covers."""
    covered: Counter[str] = Counter()
    spoilt: set[str] = set()
    for verdict in verdicts:
        ref = verdict.get("ref", "")
        if ref not in order:
            continue
        place, count = order.index(ref), verdict.get("count", "1")
        number = int(count) if re.fullmatch("[0-9]{1,10}", count) else 0
        if not re.fullmatch("[0-9]{1,15}", verdict.get("record", "0")):
            number = 0
        if verdict.tag != PASS or not 1 <= number <= len(order) - place:
            spoilt.add(ref)
            continue
        covered.update(order[place : place + number])
    return {ref for ref in order if covered[ref] == 1 and ref not in spoilt}


@dataclass(frozen=True)
class Answer:
    """One stanza; `open` if it is a result of the open question, from the gate to who asked."""

    xml: str
    verdicts: ET.Element | None
    open: bool


class Answers:
    """Seeded answers: half of them nearly right."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self._old: list[tuple[str, str]] = []

    def _verdict(self, order: list[str], place: int) -> str:
        draw = self.random
        ref = draw.choice(OTHERS) if draw.random() < 0.08 else draw.choice(order) if draw.random() < 0.15 else order[place]
        name = draw.choices(("pass", "refuse", "Pass", "maybe", "verdicts"), (12, 3, 1, 1, 1))[0]
        count = f" count='{draw.choice(COUNTS)}'" if draw.random() < 0.35 else ""
        record = f" record='{draw.choice(RECORDS)}'" if draw.random() < 0.4 else ""
        other = f" xmlns='{draw.choice(('urn:x', 'apostille:gate:1', ''))}'" if draw.random() < 0.04 else ""
        inner = f"<pass ref='{order[place]}'/>" if draw.random() < 0.06 else draw.choice(("", "", "no", "\u202eno &amp; no"))
        kind = f" code='test' type='{draw.choice(('modify', 'cancel', 'x', ''))}'" if name == "refuse" else ""
        return f"<{name} ref='{ref}'{count}{record}{other}{kind}>{inner}</{name}>"

    def answer(self, question: ET.Element) -> Answer:
        draw, order = self.random, refs(question)
        inner = "".join(self._verdict(order, place) for place in range(len(order)) if draw.random() > 0.08)
        if draw.random() < 0.25:
            inner = f"<pass ref='{order[0]}' count='{len(order)}' record='{draw.choice(RECORDS)}'/>"
        if draw.random() < 0.08:
            inner += inner
        outer = "apostille:gate:1" if draw.random() < 0.04 else NAMESPACE
        name = "verdict" if draw.random() < 0.04 else "verdicts"
        verdicts = f"<{name} xmlns='{outer}'>{inner}</{name}>"
        again = draw.random() < 0.04
        kind = "result" if draw.random() > 0.1 else draw.choice(("error", "set", "get"))
        ident, to = question.get("id", ""), question.get("from", "")
        sender = "gate.gov.example"
        wrong = draw.random()
        if wrong < 0.03:
            ident = draw.choice((ident.upper(), "apostille-", "", *(old for old, _ in self._old)))
        elif wrong < 0.05:
            to = draw.choice(("rooms.gov.example", "boris@gov.example", "gate.gov.example"))
        elif wrong < 0.07:
            sender = draw.choice(("gov.example", "x@gate.gov.example", "gate.gov.example/x", "rosters.gov.example"))
        right = (ident, to, sender, kind) == (question.get("id"), question.get("from"), "gate.gov.example", "result")
        self._old.append((question.get("id", ""), inner))
        read = ET.fromstring(verdicts) if (outer, name) == (NAMESPACE, "verdicts") and not again else None
        xml = f"<iq type='{kind}' id='{ident}' from='{sender}' to='{to}'>{verdicts * (1 + again)}</iq>"
        return Answer(xml, read, right)


@pytest.fixture(scope="module")
def hasty() -> Iterator[Government]:
    """A server that waits half a second for a verdict."""
    yield from govern("verdicts", OPEN_POLICY, extra="apostille_gate_timeout = 0.5")


async def round_of(number: int, government: Government, answers: Answers, asha: Client, boris: Client, gate: RawComponent) -> None:
    """Some messages, and answers until none of them waits."""
    idents = [f"v{number}-{place}" for place in range(answers.random.randrange(1, 6))]
    to = government.jid("boris")
    asha.say_raw("".join(f"<message to='{to}' type='chat' id='{one}'><body>{one}</body></message>" for one in idents))
    asked: list[str] = []
    expected: list[str] = []
    told: list[str] = []
    while len(asked) < len(idents):
        question = await gate.next(10)
        if question.find(ASK) is None:
            continue
        lines = (question.findtext(ASK) or "").split("\n")
        names = {line.split(" ")[1]: line.split(" ")[6] for line in lines if line.startswith("message ")}
        if not names:
            gate.say(f"<iq type='result' id='{question.get('id')}' from='gate.gov.example' to='{question.get('from')}'>"
                     f"<verdicts xmlns='{NAMESPACE}'/></iq>")  # fmt: skip
            continue
        answer = answers.answer(question)
        told.append(answer.xml)
        may = passed_by(answer.verdicts, refs(question)) if answer.open and answer.verdicts is not None else set()
        asked += names.values()
        expected += [ident for ref, ident in names.items() if ref in may]
        gate.say(answer.xml)
    assert asked == idents
    heard = []
    refused = []
    for ident in idents:
        if ident in expected:
            heard.append((await boris.next_message())["body"])
        else:
            refused.append(ident)
            await asha.refusal(ident, 5)
    assert heard == expected, told
    await asyncio.sleep(0.05)
    assert boris.inbox.empty(), told
    assert not set(asha.errors) & set(expected), told


def test_a_message_goes_on_only_by_one_well_formed_pass_in_the_answer_to_the_open_question(hasty: Government) -> None:
    async def act() -> None:
        async with hasty.online("asha", "boris") as (asha, boris), impostor(hasty) as gate:
            answers = Answers(SEED)
            for number in range(ROUNDS):
                await round_of(number, hasty, answers, asha, boris, gate)

    play(act)
    log = hasty.prosody.log_text()
    assert "\terror\t" not in log, log[log.find("\terror\t") - 300 :][:1500]


def test_only_the_gates_own_connection_answers_even_where_components_may_say_any_name(loose: Government) -> None:
    async def act() -> None:
        bot = RawComponent("bot.gov.example", "bot secret", loose.prosody.component_port)
        await bot.connect()
        async with loose.online("asha", "boris") as (asha, boris), impostor(loose) as gate:
            ident = await asha.say(loose.jid("boris"), "pass?")
            question = await gate.next()
            verdicts = f"<verdicts xmlns='{NAMESPACE}'><pass ref='{refs(question)[0]}'/></verdicts>"
            bot.say(f"<iq type='result' id='{question.get('id')}' from='gate.gov.example' to='gov.example'>{verdicts}</iq>")
            assert (await asha.refusal(ident, 10)).type == "wait"
            assert boris.inbox.empty()
        await bot.close()

    play(act)


@pytest.fixture(scope="module")
def loose() -> Iterator[Government]:
    """A server that does not look in whose name its components speak (XEP-0114 leaves that to it)."""
    yield from govern("loose", OPEN_POLICY, components={"bot.gov.example": "bot secret"}, extra="validate_from_addresses = false")


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=8)
records_ = st.none() | st.integers(0, 5) | st.integers(0, 10**15 - 1)
verdicts_ = st.lists(st.tuples(texts, records_, st.booleans(), texts), max_size=12, unique_by=lambda one: one[0])


@given(told=verdicts_)
def test_what_is_written_is_read_back_as_one_verdict_for_each(told: list[tuple[str, int | None, bool, str]]) -> None:
    verdicts = [Passed(ref, record) if passes else Refused(ref, "code", text) for ref, record, passes, text in told]
    written = ET.fromstring(write_verdicts(verdicts))
    order = [one.ref for one in verdicts]
    assert passed_by(written, order) == {one.ref for one in verdicts if isinstance(one, Passed)}
    refused = {one.ref: one.text for one in verdicts if isinstance(one, Refused)}
    assert {one.get("ref"): one.text for one in written if one.tag == REFUSE} == refused
    records = {}
    for one in written:
        if one.tag == PASS and one.get("record") is not None:
            place = order.index(one.get("ref", ""))
            records.update({order[place + step]: int(one.get("record", "")) + step for step in range(int(one.get("count", "1")))})
    assert records == {one.ref: one.record for one in verdicts if isinstance(one, Passed) and one.record is not None}
