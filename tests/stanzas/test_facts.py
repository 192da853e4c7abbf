"""The Lua module's facts, read by the Python side: what is measured, what is digested, what never leaves the server."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from apostille_xep.gate.stanza import Question
from lua import Lua, in_ask

HERE = Path(__file__).parent
VECTORS = json.loads((HERE.parent / "vectors" / "omemo_digest.json").read_text(encoding="utf-8"))
AXOLOTL = "eu.siacs.conversations.axolotl"


def question(lua: Lua, xml: str) -> Question:
    (read,) = in_ask(lua.facts(xml))
    assert isinstance(read, Question), read
    return read


def message(children: str) -> str:
    return f"<message xmlns='jabber:client' from='a@gov.example/r' to='b@gov.example' type='chat' id='m1'>{children}</message>"


def field(data: bytes | None) -> bytes:
    return b"\xff\xff\xff\xff" if data is None else struct.pack(">I", len(data)) + data


def digest_of(encrypted: ET.Element) -> str:
    """The digest of docs/reference/protocol/gate.md, written a second time and from the text alone."""
    ns = encrypted.tag[1:].partition("}")[0]
    header = encrypted.find(f"{{{ns}}}header")
    assert header is not None

    def decoded(element: ET.Element | None) -> bytes | None:
        return None if element is None else base64.b64decode("".join((element.text or "").split()))

    keys = [("", key) for key in header.findall(f"{{{ns}}}key")]
    keys += [(group.get("jid", ""), key) for group in header.findall(f"{{{ns}}}keys") for key in group]
    parts = [b"apostille/omemo/1", field(ns.encode()), field(header.get("sid", "").encode())]
    parts += [field(decoded(header.find(f"{{{ns}}}iv"))), field(decoded(encrypted.find(f"{{{ns}}}payload")))]
    parts.append(struct.pack(">I", len(keys)))
    for jid, key in keys:
        kex = key.get("prekey", key.get("kex", "")) in ("true", "1")
        parts += [field(jid.encode()), field(key.get("rid", "").encode()), field(b"1" if kex else b"0"), field(decoded(key))]
    return hashlib.sha256(b"".join(parts)).hexdigest()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_lua_and_python_digest_the_same_fields_to_the_same_value(vector: dict[str, str], lua: Lua) -> None:
    assert digest_of(ET.fromstring(vector["xml"])) == vector["digest"]
    (child,) = question(lua, message(vector["xml"])).children
    assert child.envelope is not None
    assert child.envelope.digest == vector["digest"]


def test_two_serialisations_of_one_header_have_one_digest(lua: Lua) -> None:
    digests = {vector["digest"] for vector in VECTORS if vector["name"].startswith("same ")}
    assert len([vector for vector in VECTORS if vector["name"].startswith("same ")]) >= 2
    assert len(digests) == 1


def test_every_field_of_a_header_changes_the_digest(lua: Lua) -> None:
    xml = next(vector["xml"] for vector in VECTORS if vector["name"] == "same header, one line")
    changes = [("sid='27'", "sid='28'"), ("rid='31'", "rid='32'"), ("prekey='true'", "prekey='false'"), ("<iv>AAAA", "<iv>AAAB")]
    changes += [("<payload>3q2+7w==", "<payload>3q2+8A=="), ("<payload>3q2+7w==</payload>", "")]
    for old, new in changes:
        assert old in xml
        (child,) = question(lua, message(xml.replace(old, new))).children
        assert child.envelope is not None
        assert child.envelope.digest != VECTORS[0]["digest"], (old, new)


def test_no_text_of_a_message_is_among_its_facts(lua: Lua) -> None:
    told = lua.facts(
        message(
            "<body>the launch code is 0000</body><subject>launch</subject><x xmlns='unknown:x' hint='launch'><y>launch <z/> code</y></x>"
        )
    )
    assert "launch" not in told
    assert "0000" not in told
    assert hashlib.sha256(b"the launch code is 0000").hexdigest() in told


@pytest.mark.parametrize(
    ("attributes", "children", "lang"),
    [
        ("", "<body>hi</body>", "en"),  # what the stream is in, and without a word Prosody takes it to be in English
        ("xml:lang='ru'", "<body>hi</body>", "ru"),
        ("xml:lang='ru'", "<body xml:lang='de-AT'>hi</body>", "de-AT"),
        ("xml:lang='ru'", "<x xmlns='urn:x' xml:lang='fr'/><body/><body xml:lang='hi'/><body xml:lang='mr'/>", "hi"),
        ("xml:lang='ru_RU.UTF-8'", "", "ru"),
        ("xml:lang=''", "", ""),
        ("xml:lang='\u044f'", "", ""),
        ("xml:lang='%25 x'", "", ""),
        (f"xml:lang='{'a' * 99}'", "", "a" * 35),
    ],
)
def test_the_language_of_the_first_body_counts_then_that_of_the_stanza(attributes: str, children: str, lang: str, lua: Lua) -> None:
    assert question(lua, f"<message from='a@b/r' to='c@d' {attributes}>{children}</message>").lang == lang


@pytest.mark.parametrize(
    ("client", "told"),
    [
        ("", ""),
        ("http://profanity-im.github.io", "http://profanity-im.github.io"),
        ("an odd\n<client> = 5%", "an odd\n<client> = 5%"),
        ("я" * 200, ""),
        ("x" * 255 + "я", "x" * 255),
        ("x" * 300, "x" * 256),
    ],
    ids=range(6),
)
def test_what_a_client_calls_itself_is_told_up_to_256_bytes(client: str, told: str, lua: Lua) -> None:
    (read,) = in_ask(lua.facts(message("<body>hi</body>"), client))
    assert isinstance(read, Question)
    assert read.client == told


def test_what_hides_in_attributes_depth_and_between_elements_is_measured(lua: Lua) -> None:
    read = question(
        lua,
        "<message xmlns='jabber:client' from='a@gov.example/r' to='b@gov.example' secret='sixsix'>loose"
        "<active xmlns='http://jabber.org/protocol/chatstates' a='four'><b c='xx'>deep</b></active> </message>"
    )
    assert read.text == len("secret") + len("sixsix") + len("loose")
    (active,) = read.children
    assert (active.text, active.elements) == (4, 1)
    assert active.attributes == len("a") + len("four") + len("b") + len("c") + len("xx"), "names can be read as well"
    assert read.type == "normal"


def test_bytes_are_counted_not_characters(lua: Lua) -> None:
    (body,) = question(lua, message("<body>Отчёт</body>")).children
    assert body.text == len("Отчёт".encode())
    assert body.sha256 == hashlib.sha256("Отчёт".encode()).hexdigest()


def test_a_body_with_elements_in_it_has_the_hash_of_its_own_text(lua: Lua) -> None:
    (told,) = question(lua, message("<body>the <b xmlns='x:y'>big</b> news</body>")).children
    assert (told.text, told.elements) == (len("the big news"), 1)
    assert told.sha256 == hashlib.sha256(b"the  news").hexdigest()


def test_things_that_have_no_business_inside_encrypted_are_counted(lua: Lua) -> None:
    strange = [
        "<header sid='1'><key rid='2'>AAAA</key></header><body xmlns='jabber:client'>hi</body>",
        "<header sid='1'><key rid='2'>AAAA</key></header>text",
        "<header sid='1'><key rid='2' note='hi'>AAAA</key></header>",
        "<header sid='1'><key rid='2'>AAAA<b/></key></header>",
        "<header sid='1'><key rid='x'>AAAA</key></header>",
        "<header sid='1'><key rid='2'>AAAA</key><note>hi</note></header>",
        "<header sid='1'><key rid='2'>AAAA</key></header><header sid='1'/>",
        "<header sid='1'><key rid='2'>AAAA</key></header><payload>AAAA</payload><payload>AAAA</payload>",
        "<header sid='1' note='hi'><key rid='2'>AAAA</key></header>",
        "<header sid='1'>text<key rid='2'>AAAA</key></header>",
        "<header sid='1'><key rid='2'>AAAA</key><iv note='hi'>AAAA</iv></header>",
        "<header sid='1'><key rid='2'>AAAA</key></header><payload note='hi'>AAAA</payload>",
    ]
    for inner in strange:
        (child,) = question(lua, message(f"<encrypted xmlns='{AXOLOTL}'>{inner}</encrypted>")).children
        assert child.envelope is not None
        assert child.envelope.strange > 0, inner
    (child,) = question(lua, message(f"<encrypted xmlns='{AXOLOTL}' note='hi'><header sid='1'/></encrypted>")).children
    assert child.envelope is not None
    assert child.envelope.strange > 0


def test_base64_that_cannot_be_decoded_is_told_as_such(lua: Lua) -> None:
    inner = "<header sid='1'><key rid='2'>???</key><iv>%%</iv></header><payload>===</payload>"
    (child,) = question(lua, message(f"<encrypted xmlns='{AXOLOTL}'>{inner}</encrypted>")).children
    envelope = child.envelope
    assert envelope is not None
    assert (envelope.keys[0].length, envelope.iv, envelope.payload) == (-1, -1, -1)
