"""The gate's specification: its examples follow the schema, and the code reads and writes them as the text says."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import xmlschema

import apostille_xep.gate
from apostille.gate.component import _terms
from apostille.policy import texts
from apostille.policy.stanzas import free_terms
from apostille.vocabulary import Outage, OutageClass
from apostille_xep.gate.stanza import (
    ASK,
    COVERED,
    NAMESPACE,
    Archived,
    Change,
    Garbled,
    Limits,
    Passed,
    Question,
    Refused,
    TextRow,
    Unreadable,
    read_ask,
    read_covered,
    write_terms,
    write_verdicts,
)
from asks import head
from lua import Lua, in_ask

FOLDER = Path(apostille_xep.gate.__file__).parent
SCHEMA = xmlschema.XMLSchema(str(FOLDER / "schema.xsd"))
SPEC = (FOLDER / "spec.md").read_text("utf-8")
EXAMPLES = re.findall(r"```xml\n(.*?)```", SPEC, re.DOTALL)
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "omemo_digest.json").read_text(encoding="utf-8"))
ELEMENTS = ("ask", "verdicts", "pass", "refuse", "refused", "terms", "free", "child", "outage", "text", "covered", "host")


def read(text: str) -> ET.Element:
    return ET.fromstring(text)


def payloads(example: str) -> list[ET.Element]:
    """The outermost elements of the gate's namespace in one example."""
    found: list[ET.Element] = []

    def walk(element: ET.Element) -> None:
        if element.tag.startswith(f"{{{NAMESPACE}}}"):
            found.append(element)
            return
        for child in element:
            walk(child)

    walk(read(example))
    return found


def asks() -> list[ET.Element]:
    return [payload for example in EXAMPLES for payload in payloads(example) if payload.tag == ASK]


def test_the_specification_has_an_example_of_each_element() -> None:
    names = {element.tag for example in EXAMPLES for element in read(example).iter() if element.tag.startswith(f"{{{NAMESPACE}}}")}
    assert names == {f"{{{NAMESPACE}}}{name}" for name in ELEMENTS}


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_the_specification_follows_its_schema(example: str) -> None:
    for payload in payloads(example):
        SCHEMA.validate(payload)


def test_the_schema_refuses_what_the_specification_does_not_know() -> None:
    for wrong in (
        "<ask xmlns='apostille:gate:0'>message  local a@b c@d chat m1 % % 0 0 % %</ask>",
        "<ask xmlns='apostille:gate:0'>message 1 sideways a@b c@d chat m1 % % 0 0 % %</ask>",
        "<ask xmlns='apostille:gate:0'>message 1 local a@b c@d chat m1 % % 0 0 %</ask>",
        "<ask xmlns='apostille:gate:0'>message 1 local a@b c@d chat 5% % % 0 0 % %</ask>",
        "<ask xmlns='apostille:gate:0'>message 1 local a@b c@d chat m1 % % 0 0 de_AT %</ask>",
        "<ask xmlns='apostille:gate:0'> store urn:xmpp:hints 0 0 0</ask>",
        "<ask xmlns='apostille:gate:0'>archived 1 a@b</ask>",
        "<ask xmlns='apostille:gate:0'>change 1 local a@b a@b subscribe urn:xmpp:omemo:2 list 1 % 0 0 0</ask>",
        "<ask xmlns='apostille:gate:0'>change 1 local a@b a@b publish urn:xmpp:omemo:2 list 1, % 0 0 0</ask>",
        "<ask xmlns='apostille:gate:0'>change 1 local a@b a@b publish urn:xmpp:omemo:2 list 1 beef 0 0 0</ask>",
        "<ask xmlns='apostille:gate:0'>change 1 local a@b a@b publish urn:xmpp:omemo:2 list % % 0 0 0\n x urn:x 0 0 0</ask>",
        "<ask xmlns='apostille:gate:0'>devices a@b 1</ask>",
        "<ask xmlns='apostille:gate:0'>devices a@b 1 x</ask>",
        "<ask xmlns='apostille:gate:0'>members a@b  c@d</ask>",
        "<ask xmlns='apostille:gate:0'>members a@b 5%</ask>",
        "<ask xmlns='apostille:gate:0'>other</ask>",
        "<ask xmlns='apostille:gate:0'><other/></ask>",
        "<terms xmlns='apostille:gate:0' valid='1'/>",
        "<terms xmlns='apostille:gate:0' valid='1'><free within='a' id='1' aside='1' times='1'><child name='x'/></free></terms>",
        "<covered xmlns='apostille:gate:0' modules=''><host jid='a' covered='perhaps'/></covered>",
        "<verdicts xmlns='apostille:gate:0'><refuse ref='1' code='no' type='never'>No.</refuse></verdicts>",
        "<verdicts xmlns='apostille:gate:0'><pass/></verdicts>",
    ):
        assert not SCHEMA.is_valid(read(wrong)), wrong


@pytest.mark.parametrize("ask", asks())
def test_the_gate_reads_each_question_of_the_specification(ask: ET.Element) -> None:
    parts = list(read_ask(ask))
    assert parts
    assert all(isinstance(part, Question | Change | Archived) for part in parts)


def test_the_examples_have_each_kind_of_line() -> None:
    parts = [part for ask in asks() for part in read_ask(ask)]
    assert {type(part) for part in parts} == {Question, Change, Archived}
    told, in_room = [part for part in parts if isinstance(part, Question) and part.sender_devices]
    assert [member.devices for member in in_room.members or ()] == [((), (9,)), (None, (27, 31)), None]
    assert told.sender_devices is not None
    assert told.recipient_devices is not None
    assert (told.sender_devices.legacy, told.sender_devices.modern) == (None, (27, 31))
    assert (told.recipient_devices.legacy, told.recipient_devices.modern) == ((), (9,))


def test_the_digests_in_the_examples_are_those_of_the_test_vectors() -> None:
    known = {vector["digest"] for vector in VECTORS}
    parts = [part for ask in asks() for part in read_ask(ask) if isinstance(part, Question)]
    shown = {child.envelope.digest for part in parts for child in part.children if child.envelope}
    assert shown
    assert shown <= known


def test_what_the_gate_writes_follows_the_schema() -> None:
    text = write_verdicts([Passed("1", 41), Passed("2"), Refused("3", "plaintext", "Not <delivered> & \"so\"", "modify", "de-AT")])
    verdicts = read(text)
    SCHEMA.validate(verdicts)
    assert [child.get("ref") for child in verdicts] == ["1", "2", "3"]
    SCHEMA.validate(read(write_verdicts([])))


def test_a_message_that_cannot_be_read_does_not_spoil_its_neighbours() -> None:
    lines = "message 1 local a@b c@d chat % % % many 0 % %\nmessage 2 local a@b c@d chat % % % 0 0 % %"
    first, second = in_ask(lines)
    assert isinstance(first, Garbled)
    assert isinstance(second, Question)


@pytest.mark.parametrize("inner", ["message  local a@b c@d chat % % % 0 0 % %", "<other/>", "other", "archived 1", " store urn:x 0 0 0"])
def test_a_question_that_cannot_be_answered_is_unreadable_as_a_whole(inner: str) -> None:
    with pytest.raises(Unreadable):
        in_ask(inner)


def test_the_facts_that_the_server_tells_follow_the_schema(lua: Lua) -> None:
    for number, vector in enumerate(VECTORS):
        children = f"{vector['xml']}<body>hi</body><x xmlns='odd = namespace'/>"
        told = lua.facts(f"<message xmlns='jabber:client' from='a@b/c d' to='e@f' type='chat' id='{number} %'>{children}</message>")
        SCHEMA.validate(read(f"<ask xmlns='{NAMESPACE}'>{told}\n</ask>"))


def test_the_terms_that_the_gate_sets_follow_the_schema() -> None:
    terms = free_terms(["gov.example", "rooms.gov.example"])
    outages = (OutageClass("gov.example", "*", Outage.HOLD, 20), OutageClass("*", "gate.gov.example", Outage.BOUNCE))
    SCHEMA.validate(read(_terms(replace(terms, outages=outages, texts=texts.outages()))))


def test_the_gate_reads_the_report_of_the_specification() -> None:
    reports = [payload for example in EXAMPLES for payload in payloads(example) if payload.tag == COVERED]
    hosts = {"gov.example": True, "rooms.gov.example": True, "chat.gov.example": False}
    assert [read_covered(one).hosts for one in reports] == [hosts]


def test_the_server_understands_the_terms_of_the_specification(lua: Lua) -> None:
    (terms,) = [payload for example in EXAMPLES for payload in payloads(example) if payload.tag == f"{{{NAMESPACE}}}terms"]
    assert lua.terms(ET.tostring(terms, "unicode")) == "ok"
    head = "<message to='boris@gov.example' id='m1'>"
    assert lua.is_free(f"{head}<composing xmlns='http://jabber.org/protocol/chatstates'/></message>", "gov.example")
    assert not lua.is_free(f"{head}<body>hi</body></message>", "gov.example")
    assert lua.in_outage("gov.example", "gov.example") == (20, False)
    assert lua.in_outage("gate.gov.example", "other.example") == (0, True)
    assert lua.in_outage("gov.example", "other.example") == (0, False)


def test_a_text_and_a_refusal_name_their_language() -> None:
    assert write_verdicts([Refused("1", "c", "Nein.", "modify", "de")]) == (
        '<verdicts xmlns="apostille:gate:0"><refuse ref="1" code="c" type="modify" xml:lang="de">Nein.</refuse></verdicts>'
    )
    assert write_terms([], [], Limits(1, 2, 3), [], 100, [TextRow("unavailable", "ru", "Не <доставлено>")]) == (
        '<terms xmlns="apostille:gate:0" valid="100"><free within="" id="1" aside="2" times="3"></free>'
        '<text code="unavailable" xml:lang="ru">Не &lt;доставлено&gt;</text></terms>'
    )


def test_a_message_that_cannot_be_read_is_refused_in_its_own_language_if_that_can_be_read() -> None:
    (in_german,) = in_ask(head(text="x", lang="de-AT"))
    (in_nothing,) = in_ask(head(text="x", lang="d\u00e9"))
    assert isinstance(in_german, Garbled)
    assert isinstance(in_nothing, Garbled)
    assert (in_german.lang, in_nothing.lang) == ("de-AT", "")
