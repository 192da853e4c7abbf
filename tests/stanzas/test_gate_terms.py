"""Laws between the two languages: what Lua lets pass says nothing to Python, and what it tells is what is there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apostille.gate.component import _terms
from apostille.policy.classes import Side
from apostille.policy.rules import Policy, Requirement, Rule, Stage
from apostille.policy.service import Hosts, Judge
from apostille.policy.stanzas import _TABLE, Kind, examine, free_terms
from apostille.policy.texts import OUTAGES, outages, spoken
from apostille.vocabulary import Outage, Party
from apostille_xep.gate.stanza import NAMESPACE, Garbled, Question
from doubles_gate import MemoryDirectory
from lua import Lua, in_ask
from messages import ANNA, BORIS, CLIENT

WITHIN = ("gov.example", "rooms.gov.example")
TERMS = free_terms(WITHIN)
PEOPLE = frozenset((Party.VERIFIED,))
POLICIES = (
    Policy(),
    *(
        Policy((Rule("r", PEOPLE, PEOPLE, require=require, stage=stage, versions=frozenset(("2",))),))
        for require in Requirement
        for stage in Stage
    ),
)
ROWS = [(row.namespace, row.name, row.type) for row in TERMS.free]
HINTS, ERROR = "urn:xmpp:hints", "{jabber:client}error"


@pytest.fixture
def free(lua: Lua) -> Lua:
    """The Lua side, with the policy's own table."""
    assert lua.terms(_terms(TERMS)) == "ok"
    return lua


def told(lua: Lua, xml: str) -> Question | Garbled:
    (found,) = in_ask(lua.facts(xml))
    assert isinstance(found, Question | Garbled)
    return found


def xml_of(element: ET.Element) -> str:
    return ET.tostring(element, "unicode")


def message(*children: ET.Element, **attributes: str) -> ET.Element:
    element = ET.Element(f"{{{CLIENT}}}message", {"from": f"{BORIS}/phone", "to": ANNA, "type": "chat", **attributes})
    element.extend(children)
    return element


def element(namespace: str, name: str, text: str = "", **attributes: str) -> ET.Element:
    found = ET.Element(f"{{{namespace}}}{name}", attributes)
    found.text = text
    return found


# ---- what is free says nothing ------------------------------------------------------------------------------------------

blank = st.sampled_from([None, None, None, "", " ", "\n  ", " " * 64, " " * 65, "\n" * 3000, "\u00a0", "\u200b", "x", "Отчёт", "&<>"])
values = st.sampled_from(["", "m1", "x" * 254, "x" * 255, "x" * 300, "я" * 127, "я" * 200, "false"])
attribute_names = st.sampled_from(["id", "sid", "by", "stamp", "x" * 40, "{odd:ns}note", "{http://www.w3.org/XML/1998/namespace}lang"])
FOREIGN = [(CLIENT, "body", ""), (CLIENT, "thread", ""), (CLIENT, "subject", ""), ("unknown:x", "x", ""), ("", "store", "")]
FOREIGN += [("http://jabber.org/protocol/nick", "nick", ""), ("urn:xmpp:fallback:0", "fallback", ""), ("urn:xmpp:receipts", "body", "")]


@st.composite
def children(draw: st.DrawFn) -> ET.Element:
    """Mostly an element of the table, sometimes one that looks like it."""
    namespace, name, _ = draw(st.sampled_from([*ROWS, *ROWS, *ROWS, *FOREIGN]))
    if draw(st.integers(0, 19)) == 0:
        namespace = draw(st.sampled_from([row[0] for row in ROWS]))
    found = ET.Element(f"{{{namespace}}}{name}" if namespace else name)
    if draw(st.integers(0, 3)) == 0:
        found.attrib.update(draw(st.dictionaries(attribute_names, values, max_size=2)))
    found.text = draw(blank) if draw(st.integers(0, 5)) == 0 else None
    if draw(st.integers(0, 9)) == 0 or (name == "error" and draw(st.booleans())):
        for _ in range(draw(st.integers(1, 4))):
            inner = ET.SubElement(found, f"{{{draw(st.sampled_from([namespace or 'n', 'urn:ietf:params:xml:ns:xmpp-stanzas']))}}}gone")
            inner.text = draw(st.sampled_from([None, None, "words"]))
    return found


@st.composite
def stanzas(draw: st.DrawFn) -> ET.Element:
    """A message that might be free."""
    parts = draw(st.lists(children(), max_size=draw(st.sampled_from([2, 6, 20]))))
    times = draw(st.sampled_from([1, 1, 1, 2, 4, 5, 20]))
    found = message(*[part for part in parts for _ in range(times)])
    found.set("type", draw(st.sampled_from(["chat", "chat", "normal", "groupchat", "headline", "error", "error", "letter", ""])))
    if draw(st.booleans()):
        found.set("id", draw(values))
    if draw(st.integers(0, 7)) == 0:
        found.attrib.update(draw(st.dictionaries(attribute_names, values, max_size=1)))
    if draw(st.integers(0, 7)) == 0:
        found.text = draw(blank)
    for part in found:
        if draw(st.integers(0, 29)) == 0:
            part.tail = draw(blank)
    return found


@settings(max_examples=100, deadline=None)
@given(batch=st.lists(stanzas(), min_size=1, max_size=8))
def test_what_is_let_pass_unasked_says_nothing_and_would_pass_unrecorded(lua: Lua, batch: list[ET.Element]) -> None:
    assert lua.terms(_terms(TERMS)) == "ok"
    for stanza in batch:
        passes = lua.is_free(xml_of(stanza), "gov.example")
        found = told(lua, xml_of(stanza))
        if isinstance(found, Garbled):
            assert not passes
            continue
        empty = examine(found).kind is Kind.EMPTY
        rows = {(row.namespace, row.name) for row in TERMS.free if row.type in ("", found.type)}
        assert passes is (empty and all((child.namespace, child.name) in rows for child in found.children)), xml_of(stanza)
        if passes:
            for policy in POLICIES:
                verdict = policy.judge(found, Side(Party.VERIFIED), Side(Party.VERIFIED), datetime(2026, 11, 22, 12, tzinfo=UTC))
                assert (verdict.passes, verdict.recorded, verdict.notice) == (True, False, False)


def test_what_clients_send_beside_their_text_is_free(free: Lua) -> None:
    states = [element("http://jabber.org/protocol/chatstates", name) for name in ("active", "composing", "paused", "inactive", "gone")]
    marks = [element("urn:xmpp:receipts", "received", id="m1"), element("urn:xmpp:chat-markers:0", "displayed", id="m1")]
    for part in (*states, *marks):
        assert free.is_free(xml_of(message(part, element(HINTS, "no-store"), id="m2")), "gov.example")
        assert free.is_free(xml_of(message(part, type="groupchat")), "rooms.gov.example")
    assert free.is_free(xml_of(message()), "gov.example")
    problem = element(CLIENT, "error", type="cancel")
    ET.SubElement(problem, "{urn:ietf:params:xml:ns:xmpp-stanzas}service-unavailable")
    assert free.is_free(xml_of(message(problem, type="error")), "gov.example")


def with_tail(part: ET.Element, tail: str) -> ET.Element:
    part.tail = tail
    return part


def nested(part: ET.Element, *inner: ET.Element) -> ET.Element:
    part.extend(inner)
    return part


STORE = element(HINTS, "store")
ASKED: dict[str, ET.Element] = {
    "a body": message(element(CLIENT, "body", "hi")),
    "an empty body": message(element(CLIENT, "body")),
    "a thread": message(element(CLIENT, "thread", "t1")),
    "a subject": message(element(CLIENT, "subject", "hi")),
    "text inside": message(element(HINTS, "store", "hi")),
    "text between": message(with_tail(element(HINTS, "store"), "hi")),
    "white space without end": message(with_tail(element(HINTS, "store"), " " * 65)),
    "white space inside without end": message(element(HINTS, "store", "\t" * 65)),
    "an id too long": message(id="x" * 257),
    "an id too long in bytes": message(id="я" * 129),
    "an unknown attribute": message(note=""),
    "an attribute of another namespace": message(**{"{odd:ns}id": "x"}),
    "an attribute on an element": message(element(HINTS, "store", note="x")),
    "a mark too long": message(element("urn:xmpp:receipts", "received", id="x" * 255)),
    "an unknown type": message(type="letter"),
    "a language too long": message(**{"{http://www.w3.org/XML/1998/namespace}lang": "x" * 36}),
    "one element too often": message(*[STORE] * 5),
    "too much together": message(*[element("urn:xmpp:receipts", "received", id="x" * 254)] * 4, element("urn:xmpp:delay", "delay", a="")),
    "too many parts": message(*[element(*row[:2]) for row in ROWS if not row[2] for _ in range(4)][:65]),
    "a child in a child": message(nested(element(HINTS, "store"), element(HINTS, "store"))),
    "an error in a chat": message(element(CLIENT, "error")),
    "an error with text": message(element(CLIENT, "error", "hi"), type="error"),
    "an error with text inside": message(nested(element(CLIENT, "error"), element("a", "text", "hi")), type="error"),
    "an error with many parts": message(nested(element(CLIENT, "error"), *[element("a", "b")] * 4), type="error"),
    "an unknown namespace": message(element("urn:xmpp:hints:1", "store")),
    "no namespace": message(ET.Element("store")),
    "another's namespace": message(element(HINTS, "composing")),
    "the client's namespace": message(element(CLIENT, "store")),
    "a name in capitals": message(element(HINTS, "STORE")),
    "an encrypted part": message(element("eu.siacs.conversations.axolotl", "encrypted")),
    "free and then not": message(STORE, element(CLIENT, "body", "hi")),
    "not and then free": message(element(CLIENT, "body", "hi"), STORE),
}


@pytest.mark.parametrize("stanza", ASKED.values(), ids=ASKED)
def test_what_might_say_something_is_asked_about(free: Lua, stanza: ET.Element) -> None:
    assert not free.is_free(xml_of(stanza), "gov.example")


@pytest.mark.parametrize("host", ["gate.gov.example", "gov.example.evil", "example", "GOV.example", "rooms"])
def test_to_a_host_that_the_terms_do_not_name_everything_is_asked_about(free: Lua, host: str) -> None:
    assert not free.is_free(xml_of(message(STORE)), host)


def test_every_row_without_text_and_depth_is_free_and_no_other() -> None:
    expected = {name for name, row in _TABLE.items() if row.text == row.elements == 0}
    assert {(row.namespace, row.name) for row in TERMS.free if not row.type} == expected
    assert [(row.namespace, row.name, row.text) for row in TERMS.free if row.type] == [(CLIENT, "error", 0)]


# ---- when terms hold ----------------------------------------------------------------------------------------------------


def test_before_and_after_their_time_terms_make_nothing_free(lua: Lua) -> None:
    assert lua.terms(_terms(TERMS)) == "ok"
    lua.later(100)
    assert lua.is_free(xml_of(message(STORE)), "gov.example")
    lua.later(0.1)
    assert not lua.is_free(xml_of(message(STORE)), "gov.example")
    assert lua.terms(_terms(TERMS)) == "ok"
    assert lua.is_free(xml_of(message(STORE)), "gov.example")


def test_a_server_that_was_told_nothing_asks_about_everything() -> None:
    fresh = Lua()
    try:
        assert not fresh.is_free(xml_of(message(STORE)), "gov.example")
        assert fresh.in_outage("gov.example", "gov.example") == (0, False)
    finally:
        fresh.close()


def some_terms(inner: str, valid: str = "valid='100'") -> str:
    return f"<terms xmlns='{NAMESPACE}' {valid}>{inner}</terms>"


def table(row: str = "") -> str:
    return f"<free within='gov.example' id='1' aside='1' times='1'>{row}</free>"


ANYBODY = "<outage from='*' to='*' mode='pass'/>"
WRONG = {
    "nothing": some_terms("", ""),
    "no end": some_terms(table(), ""),
    "an end that is no number": some_terms(table(), "valid='for ever'"),
    "a negative end": some_terms(table(), "valid='-1'"),
    "no table": some_terms(ANYBODY),
    "a table of another namespace": some_terms("<free xmlns='other:ns' within='gov.example' id='1' aside='1' times='1'/>"),
    "no limits": some_terms("<free within='gov.example'/>"),
    "a row without measures": some_terms(table("<child ns='urn:xmpp:hints' name='store'/>")),
    "a row without a name": some_terms(table("<child ns='urn:xmpp:hints' t='0' a='0' e='0'/>")),
    "an outage without parties": some_terms(f"{table()}{ANYBODY}<outage from='*' mode='pass'/>"),
    "a text without a code": some_terms(f"{table()}{ANYBODY}<text xml:lang='en'>x</text>"),
    "a text without a language": some_terms(f"{table()}{ANYBODY}<text code='unavailable'>x</text>"),
    "a text without words": some_terms(f"{table()}{ANYBODY}<text code='unavailable' xml:lang='en'/>"),
}


@pytest.mark.parametrize("terms", WRONG.values(), ids=WRONG)
def test_terms_that_cannot_be_read_make_nothing_free_and_let_nothing_pass_in_an_outage(free: Lua, terms: str) -> None:
    assert free.is_free(xml_of(message(STORE)), "gov.example")
    assert free.terms(terms) != "ok"
    assert not free.is_free(xml_of(message(STORE)), "gov.example")
    assert not free.is_free(xml_of(message()), "gov.example")
    assert free.in_outage("gov.example", "gov.example") == (0, False)


# ---- words --------------------------------------------------------------------------------------------------------------

SPEAKING = replace(TERMS, texts=outages())
tags = st.lists(st.sampled_from(["de", "DE", "ru", "hi", "x", "en", "AT", "Deva", "y" * 20, ""]), max_size=4).map("-".join)


@settings(deadline=None)
@given(language=tags.filter(lambda tag: len(tag) <= 35), code=st.sampled_from(sorted(OUTAGES)))
def test_a_server_finds_the_language_that_the_component_would_find(lua: Lua, language: str, code: str) -> None:
    assert lua.terms(_terms(SPEAKING)) == "ok"
    said = {(one.code, one.lang): one.text for one in SPEAKING.texts}
    assert lua.text(code, language) == (spoken(language), said[code, spoken(language)])


def test_words_hold_until_others_are_said(lua: Lua) -> None:
    assert lua.terms(_terms(SPEAKING)) == "ok"
    lua.later(1000)
    assert lua.text("unavailable", "ru")[0] == "ru"
    assert lua.text("unavailable")[0] == "en"
    assert lua.text("another", "ru") == ("", "")
    assert lua.terms(some_terms(f"{table()}<text code='unavailable' xml:lang='Nl-BE'>Niet bezorgd.</text>")) == "ok"
    assert lua.text("unavailable", "nl-be-x") == ("Nl-BE", "Niet bezorgd.")
    assert lua.text("unavailable", "ru") == lua.text("crowded", "nl-BE") == ("", "")
    assert lua.terms(WRONG["nothing"]) != "ok"
    assert lua.text("unavailable", "nl-BE") == ("", "")


# ---- outages ------------------------------------------------------------------------------------------------------------

HOSTS = Hosts("gov.example", frozenset(("rooms.gov.example",)), frozenset(("gate.gov.example", "trace.gov.example")))
KNOWN = ("gov.example", "rooms.gov.example", "gate.gov.example", "trace.gov.example", "other.example")
PARTIES: dict[str, frozenset[Party]] = {
    "gov.example": frozenset((Party.VERIFIED, Party.SUSPENDED, Party.EXPIRED, Party.PUBLIC, Party.SERVICE)),
    "rooms.gov.example": frozenset((Party.VERIFIED, Party.SUSPENDED, Party.EXPIRED, Party.PUBLIC, Party.ROOM, Party.REMOTE)),
    "gate.gov.example": frozenset((Party.SERVICE,)),
    "trace.gov.example": frozenset((Party.SERVICE,)),
    "other.example": frozenset((Party.REMOTE,)),
}
STRANGERS = (Party.SERVICE, Party.REMOTE)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """A rule as `read_policy` lets it be."""
    outage = draw(st.sampled_from(Outage))
    who = st.frozensets(st.sampled_from(STRANGERS if outage is Outage.PASS else tuple(Party)), min_size=1)
    return Rule("r", draw(who), draw(who), outage=outage, hold_seconds=draw(st.integers(1, 300)) if outage is Outage.HOLD else 0)


@settings(max_examples=60, deadline=None)
@given(policy=st.lists(rules(), max_size=4))
def test_in_an_outage_the_server_does_between_two_hosts_what_the_policy_says(lua: Lua, policy: list[Rule]) -> None:
    judge = Judge(Policy(tuple(policy)), MemoryDirectory({}), HOSTS, lambda: datetime(2026, 11, 22, 12, tzinfo=UTC))
    assert lua.terms(_terms(judge.terms())) == "ok"
    for sender in KNOWN:
        for recipient in KNOWN:
            outage, seconds = Policy(tuple(policy)).in_outage(PARTIES[sender], PARTIES[recipient])
            assert lua.in_outage(sender, recipient) == (seconds, outage is Outage.PASS), (sender, recipient)
            if {sender, recipient} & set(WITHIN):
                assert not lua.in_outage(sender, recipient)[1], "nothing passes unjudged from or to people and rooms"
