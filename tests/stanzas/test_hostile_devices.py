"""Messages of the corpus that are encrypted soundly, for the wrong devices: none is without its finding, as the server tells it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from apostille.policy.announcements import Announcements, readers
from apostille.policy.recipients import Level, Part, Severity, Unknown, findings
from apostille.policy.stanzas import Kind, examine
from apostille.vocabulary import bare
from apostille_xep.gate.stanza import Announced, Question, Told
from asks import read
from lua import Lua
from messages import LEGACY, MODERN

CORPUS = ET.parse(Path(__file__).parents[1] / "corpus" / "devices" / "hostile.xml").getroot()
CASES = CORPUS.findall("case")
CODES = {"ghost", "missing", "spoofed", "device-unapproved", "devices-unknown"}
MESSAGE = "{jabber:client}message"


def ids(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(","))) if text else ()


def told() -> Told:
    """What the server has said before the cases."""
    said = Told()
    for one in CORPUS.findall("account"):
        if "legacy" in one.attrib:
            said.announces(one.attrib["jid"], Announced(ids(one.attrib["legacy"]), ids(one.attrib["modern"])))
    for one in CORPUS.findall("room"):
        said.comprises(one.attrib["jid"], tuple(one.attrib["members"].split()) if "members" in one.attrib else None)
    return said


class Approvals:
    """The register of the corpus."""

    def approved(self, account: str, namespace: str) -> frozenset[int] | None:
        (one,) = [one for one in CORPUS.findall("account") if one.attrib["jid"] == account] or [ET.Element("account")]
        devices = one.get({LEGACY: "approved-legacy", MODERN: "approved-modern"}[namespace])
        return None if devices is None else frozenset(ids(devices))


def asked(lua: Lua, case: ET.Element) -> Question:
    """The message of a case as the gate reads it."""
    (stanza,) = case.findall(MESSAGE)
    to = stanza.attrib["to"]
    rooms = {one.attrib["jid"]: one.get("occupants", "") for one in CORPUS.findall("room")}
    room = bare(to) if bare(to) in rooms else ""
    head, *children = lua.facts(ET.tostring(stanza, "unicode")).split("\n")
    words = head.split(" ")
    if room:
        behind = dict(one.split(":", 1) for one in rooms[room].split())
        words[4], words[8] = behind.get(to.partition("/")[2], room), room
    (found,) = read(" ".join(words), *children, told=told())
    assert isinstance(found, Question), found
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.get("name"))
def test_a_message_for_the_wrong_devices_has_a_grave_finding_of_the_code_that_the_corpus_says(lua: Lua, case: ET.Element) -> None:
    message = asked(lua, case)
    announcements = Announcements()
    parts = [
        Part(child.namespace, child.envelope, readers(message, child.namespace, announcements, 0, Approvals()))
        for child in message.children
        if child.envelope
    ]
    room = message.room if message.type == "groupchat" else ""
    level = Level(case.get("devices", "announced"))
    found = findings(parts, bare(message.sender), level, Unknown.REFUSE, room)
    assert found, "nothing was found"
    assert (found[0].code, found[0].severity) == (case.get("code"), Severity.GRAVE)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.get("name"))
def test_nothing_else_is_wrong_with_it(lua: Lua, case: ET.Element) -> None:
    assert examine(asked(lua, case)).kind is Kind.ENCRYPTED


def test_the_corpus_has_each_code_in_each_setting_that_it_can_come_up_in() -> None:
    seen = {(case.get("code"), case.get("setting")) for case in CASES}
    assert {code for code, _ in seen} == CODES
    assert {setting for code, setting in seen if code in ("ghost", "spoofed", "missing")} == {"chat", "groupchat", "private"}
    assert len({case.get("name") for case in CASES}) == len(CASES) >= 40
