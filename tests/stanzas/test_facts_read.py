"""The facts that Python reads from a stanza are those that the server tells; and no file makes the reading fall over."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apostille_xep.gate.facts import LONGEST, read_message
from apostille_xep.gate.stanza import Question, Unreadable
from hostile import NAMED, Hostile
from lua import Lua, in_ask
from rig.corpus import cases

ASHA, BORIS = "asha@gov.example/phone", "boris@gov.example"


def told(lua: Lua, xml: str) -> object:
    """What the server would tell; None for what it could not tell."""
    (found,) = in_ask(lua.facts(xml) + "\n")
    return found if isinstance(found, Question) else None


def read(xml: str) -> Question | None:
    try:
        return read_message(xml.encode())
    except Unreadable:
        return None


def addressed(xml: str) -> str:
    """From Asha, and in a language: a server puts in that of the stream, which nobody knows who has the stanza alone."""
    language = "" if "xml:lang=" in xml.partition(">")[0] else " xml:lang='de'"
    return xml.replace("<message", f"<message from='{ASHA}'{language}", 1)


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**40))
def test_every_stanza_has_the_facts_that_the_server_tells(lua: Lua, seed: int) -> None:
    xml = addressed(Hostile(seed, (BORIS, "asha@gov.example")).message("m", BORIS))
    assert read(xml) == told(lua, xml)


@pytest.mark.parametrize("name", sorted(NAMED))
def test_each_kind_of_trick_has_the_facts_that_the_server_tells(lua: Lua, name: str) -> None:
    xml = addressed(f"<message to='{BORIS}' type='chat'>{NAMED[name][0]}</message>")
    assert read(xml) == told(lua, xml)


@pytest.mark.parametrize(
    "inner",
    [
        "<x xmlns='a}b{c' y='1'/>",
        "<x xmlns='urn:x' xmlns:p='urn:p' p:a='b' xml:lang='en'><body xmlns='jabber:client'>hi</body><p:q/></x>",
        "<body><![CDATA[<hi>]]> &amp; &#x1F512;</body>",
        "<body>a\r\nb<x xmlns=''/>c</body>",
        "<store xmlns='urn:xmpp:hints'/>" * 70,
        "<x xmlns='urn:x'>" * 100 + "</x>" * 100,
        *(f"<openpgp xmlns='urn:xmpp:openpgp:0'>{text}</openpgp>" for text in ("wQw=", "hA==", "hw==", "iA==", "", "=", "wQw", "<x/>")),
        *(f"<x/><body xml:lang='{one}'>hi</body><body xml:lang='fr'/>" for one in ("ru", "ru-RU_x", "", "ру", "x" * 40)),
        "<body>hi</body><body xmlns='urn:x' xml:lang='hi'/>",
    ],
)
def test_what_a_client_can_write_has_the_facts_that_the_server_tells(lua: Lua, inner: str) -> None:
    xml = f"<message from='{ASHA}' to='{BORIS}' xml:lang='en' odd='1' type='odd'>{inner}</message>"
    found = read(xml)
    assert found is not None
    assert found == told(lua, xml)


@pytest.mark.parametrize("corpus", ["legitimate", "hostile"])
def test_what_real_clients_and_attackers_write_has_the_facts_that_the_server_tells(lua: Lua, corpus: str) -> None:
    """What closes a stream has none, here as there."""
    closed = 0
    for case in cases(corpus):
        xml = case.sent if "xml:lang=" in case.sent.partition(">")[0] else case.sent.replace("<message", "<message xml:lang='de'", 1)
        try:
            expected = told(lua, xml)
        except AssertionError:
            expected = None
            closed += 1
        assert read(xml) == expected, case.name
    assert (closed > 0) == (corpus == "hostile")


def test_the_addresses_that_are_given_stand_for_those_of_the_stanza() -> None:
    stanza = b"<?xml version='1.0'?>\n<message xmlns='jabber:client' from='x@y' id='1'><body>hi</body></message>\n"
    found = read_message(stanza, ASHA, "hall@rooms.gov.example", flow="remote", room="hall@rooms.gov.example")
    assert (found.sender, found.recipient, found.flow, found.room) == (ASHA, "hall@rooms.gov.example", "remote", "hall@rooms.gov.example")
    assert (found.type, found.id, found.origin_id, found.lang) == ("normal", "1", "", "en")


def test_a_stanza_may_be_as_deep_as_its_bytes_allow() -> None:
    depth = 30_000
    found = read_message(b"<message from='a@b' to='c@d'>" + b"<a>" * depth + b"</a>" * depth + b"</message>")
    assert found.children[0].elements == depth - 1


@pytest.mark.parametrize(
    ("stanza", "why"),
    [
        (b"", "does not end|one <message/>"),
        (b"hello", "one <message/>"),
        (b"<message>", "does not end"),
        (b"</stream><stream>", "does not end|no XML"),
        (b"</stream>", "does not end|no XML"),
        (b"<message from='a@b' to='c@d'/><message/>", "nothing else"),
        (b"<message from='a@b' to='c@d'/>text", "nothing else"),
        (b"<message to='c@d'/>", "without from or to"),
        (b"<iq from='a@b' to='c@d'/>", "begins with <iq/>"),
        (b"<message xmlns='jabber:server' from='a@b' to='c@d'/>", "should be one <message/>"),
        (b"<message from='a@b' to='c@d'><x xmlns=''/></message>", "without a namespace"),
        (b"<!DOCTYPE message [<!ENTITY a 'aaaa'>]><message from='a@b' to='c@d'><body>&a;</body></message>", "no XML"),
        (b"<message from='a@b' to='c@d'><body>&a;</body></message>", "no XML: undefined entity"),
        (b"<message from='a@b' to='c@d'><!-- hi --></message>", "comment"),
        (b"<message from='a@b' to='c@d'><?php hi?></message>", "instruction"),
        (b"<message from='a@b' to='c@d'><p:x/></message>", "no XML: unbound prefix"),
        (b"<message from='a@b' to='c@d'>\xff</message>", "UTF-8"),
        (b"<message from='a@b' to='c@d'>\x00</message>", "no XML"),
        (b"<" * (LONGEST + 1), "should be 524288 at most"),
    ],
)
def test_what_is_no_stanza_of_a_stream_is_not_read(stanza: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read_message(stanza)
