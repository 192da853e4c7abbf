"""A law of the facts: measured a second time, in Python and from the specification alone, every stanza has the same ones."""

from __future__ import annotations

import hashlib
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from apostille_xep.gate.stanza import Archived, Garbled, Question
from lua import Lua, in_ask

CLIENT = "jabber:client"
SID = "urn:xmpp:sid:0"
OMEMO = "urn:xmpp:omemo:2"
XML = "http://www.w3.org/XML/1998/namespace"
KNOWN = {"from", "to", "type", "id", f"{{{XML}}}lang"}
TYPES = {"normal", "chat", "groupchat", "headline", "error"}

# ---- measured again -----------------------------------------------------------------------------------------------------


def split(tag: str) -> tuple[str, str]:
    namespace, _, name = tag.rpartition("}")
    return namespace[1:], name


def size(text: str | None) -> int:
    return len((text or "").encode())


def loose(text: str | None) -> int:
    """Bytes of character data; white space of up to 64 bytes aside."""
    return 0 if size(text) <= 64 and not (text or "").strip(" \t\r\n") else size(text)


def name_of(attribute: str) -> int:
    """Bytes of an attribute's name; one of a namespace has it before its name, with a byte between them."""
    namespace, name = split(attribute)
    if namespace == XML:
        return len(f"xml:{name}")
    return size(name) + (size(namespace) + 1 if namespace else 0)


def measure(element: ET.Element) -> tuple[int, int, int]:
    text = loose(element.text) + sum(loose(child.tail) for child in element)
    attributes = sum(name_of(name) + size(value) for name, value in element.attrib.items())
    elements = 0
    for child in element:
        inner = measure(child)
        namespace, name = split(child.tag)
        foreign = size(namespace) if namespace != split(element.tag)[0] else 0
        text, attributes, elements = text + inner[0], attributes + inner[1] + size(name) + foreign, elements + inner[2] + 1
    return text, attributes, elements


def outside(message: ET.Element) -> int:
    found = loose(message.text) + sum(loose(child.tail) for child in message)
    found += sum(name_of(name) + size(value) for name, value in message.attrib.items() if name not in KNOWN)
    kind, language = message.get("type"), message.get(f"{{{XML}}}lang", "")
    found += size(kind) if kind is not None and kind not in TYPES else 0
    return found + (size(language) if size(language) > 35 else 0)


def origin_id(message: ET.Element) -> str:
    ids = [child.get("id") for child in message[:64] if child.tag == f"{{{SID}}}origin-id"]
    return next((one for one in ids if one is not None), "")


# ---- stanzas ------------------------------------------------------------------------------------------------------------

safe = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
HOSTILE = [
    "", " ", "%", "=", "-", "%20", "100%", "\n", "\t", "a b", "'\"<>&", "\nmessage 2 local a@b c@d chat x % % 0 0 % %", "\n store x 0 0 0",
    "]]>", "</ask></iq>", "\u202ex", "\u200b", "\u2028", "\u0085", "\u00a0", "@a", "archived 1 a b", "-1", "31:4:1", "я" * 300,
]  # fmt: skip
words = st.sampled_from(HOSTILE) | st.text(safe, max_size=12) | st.lists(st.sampled_from(HOSTILE), max_size=3).map("".join)
names = st.sampled_from(["message", "archived", "encrypted", "body", "store", "origin-id", "ask", "iq", "тег", "a.b-c_d", "x" * 300])
namespaces = st.sampled_from([CLIENT, SID, "urn:xmpp:hints", "jabber:component:accept", "apostille:gate:0"])
namespaces |= words.filter(lambda word: word and "}" not in word)  # ElementTree cannot read one; the last test has it
attribute_names = st.sampled_from(["id", "by", "rid", "имя", "odd", f"{{{XML}}}lang", "{a b}c", "{urn:x}id"])


@st.composite
def elements(draw: st.DrawFn, depth: int = 2) -> ET.Element:
    namespace = draw(namespaces)
    name = draw(names.filter(lambda one: (namespace, one) != (OMEMO, "encrypted")))
    found = ET.Element(f"{{{namespace}}}{name}", draw(st.dictionaries(attribute_names, words, max_size=2)))
    found.text, found.tail = draw(st.none() | words), draw(st.none() | words)
    if depth:
        found.extend(draw(st.lists(elements(depth - 1), max_size=2)))
    return found


@st.composite
def messages(draw: st.DrawFn) -> ET.Element:
    odd = st.sampled_from(["odd", "{a b}c", f"{{{XML}}}lang"])
    found = ET.Element(f"{{{CLIENT}}}message", draw(st.dictionaries(odd, words, max_size=1)))
    found.attrib.update({"from": draw(words.filter(bool)), "to": draw(words.filter(bool))})
    for name in ("type", "id"):
        if draw(st.booleans()):
            found.set(name, draw(words | st.sampled_from(sorted(TYPES)) if name == "type" else words))
    found.text = draw(st.none() | words)
    found.extend(draw(st.lists(elements(), max_size=4)))
    if draw(st.integers(0, 9)) == 0:
        found.extend([ET.Element("{urn:xmpp:hints}store")] * draw(st.integers(55, 70)))
    return found


def serialised(message: ET.Element) -> str:
    return ET.tostring(message, "unicode")


@settings(max_examples=80, deadline=None)
@given(batch=st.lists(messages(), min_size=1, max_size=4))
def test_every_stanza_is_told_as_it_is(lua: Lua, batch: list[ET.Element]) -> None:
    told = [lua.facts(serialised(message)) for message in batch]
    found = in_ask("\n".join(told) + "\n")
    assert len(found) == len(batch), "nothing that a sender writes begins another message"
    for message, question in zip(batch, found, strict=True):
        assert isinstance(question, Question), question
        read_again = ET.fromstring(serialised(message))  # a parser ends lines in its own way (XML 1.0 section 2.11)
        assert (question.ref, question.flow, question.room) == ("1", "local", "")
        assert (question.sender, question.recipient) == (read_again.get("from"), read_again.get("to"))
        assert question.type == (read_again.get("type") if read_again.get("type") in TYPES else "normal")
        assert (question.id, question.origin_id) == (read_again.get("id", ""), origin_id(read_again))
        assert (question.text, question.more) == (outside(read_again), max(0, len(read_again) - 64))
        assert len(question.children) == min(64, len(read_again))
        for child, told_child in zip(read_again, question.children, strict=False):
            assert (told_child.namespace, told_child.name) == split(child.tag)
            assert (told_child.text, told_child.attributes, told_child.elements) == measure(child)
            own_text = (child.text or "") + "".join(one.tail or "" for one in child)
            digest = hashlib.sha256(own_text.encode()).hexdigest()
            assert told_child.sha256 == (digest if split(child.tag) == (CLIENT, "body") else "")
            assert told_child.envelope is None


@settings(max_examples=100, deadline=None)
@given(text=words)
def test_a_word_is_one_word_and_says_its_text(lua: Lua, text: str) -> None:
    word = lua.word(text)
    assert word
    assert not set(word) & set(" \t\r\n\v\f=<>&'\"")
    (found,) = in_ask(f"archived 1 x{word if text else ''} {lua.word('i' + text)}")
    assert found == Archived(1, f"x{text}", f"i{text}")


@settings(max_examples=60, deadline=None)
@given(jid=words, sid=words, rid=words)
def test_what_an_encrypted_part_says_of_itself_stays_in_its_line(lua: Lua, jid: str, sid: str, rid: str) -> None:
    encrypted = ET.Element(f"{{{OMEMO}}}encrypted")
    header = ET.SubElement(encrypted, f"{{{OMEMO}}}header", sid=sid)
    key = ET.SubElement(ET.SubElement(header, f"{{{OMEMO}}}keys", jid=jid), f"{{{OMEMO}}}key", rid=rid)
    key.text = "AAAA"
    message = ET.Element(f"{{{CLIENT}}}message", {"from": "a@b", "to": "c@d"})
    message.extend([encrypted, ET.Element("{urn:xmpp:hints}store")])
    (found,) = in_ask(lua.facts(serialised(message)) + "\n")
    assert isinstance(found, Question), found
    told, store = found.children
    assert store.name == "store"
    assert told.envelope is not None
    (told_key,) = told.envelope.keys
    assert (told_key.jid, told_key.length, told_key.kex) == (jid.replace("\r\n", "\n"), 3, False)
    plain = rid.isascii() and rid.isdigit() and len(rid) <= 10
    assert (told_key.rid, bool(told.envelope.strange)) == (int(rid) if plain else 0, not plain)


def test_a_brace_in_a_namespace_is_told(lua: Lua) -> None:
    (found,) = in_ask(lua.facts("<message from='a@b' to='c@d'><x xmlns='a}b{c'/></message>") + "\n")
    assert isinstance(found, Question)
    assert [(child.namespace, child.name) for child in found.children] == [("a}b{c", "x")]


def test_an_element_without_a_namespace_is_a_part_that_cannot_be_understood(lua: Lua) -> None:
    (found,) = in_ask(lua.facts("<message from='a@b' to='c@d'><x xmlns=''/></message>") + "\n")
    assert isinstance(found, Garbled)
