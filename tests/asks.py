"""Questions of a server as lines, and what the gate's side reads in them."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from apostille_xep.gate.stanza import NAMESPACE, Archived, Change, Garbled, Question, Told, read_ask

DIGEST = "0123456789abcdef" * 4
HEAD = "message 1 local boris@gov.example/phone anna@gov.example chat m1 % % 0 0 % %"
STORE = "store urn:xmpp:hints 0 0 0"
LEGACY = "eu.siacs.conversations.axolotl"
OMEMO = f"encrypted {LEGACY} 7 12 25 0 {DIGEST}"
CHANGE = f"change 1 local boris@gov.example/phone boris@gov.example publish {LEGACY} list 11,12 % 0 96 3"
DEVICES = "devices boris@gov.example 11,12 %"
ROOM = "tax@rooms.gov.example"
MEMBERS = f"members {ROOM} boris@gov.example anna@gov.example"

Part = Question | Change | Garbled | Archived


def read(*lines: str, told: Told | None = None) -> list[Part]:
    ask = ET.Element(f"{{{NAMESPACE}}}ask")
    ask.text = "\n".join(lines)
    return list(read_ask(ask, told))


def question(*lines: str) -> Question:
    (found,) = read(*lines)
    assert isinstance(found, Question), found
    return found


def why(*lines: str) -> str:
    (found,) = read(*lines)
    assert isinstance(found, Garbled), found
    assert found.ref == "1"
    return found.why


def head(**changes: str) -> str:
    """`HEAD` with some words replaced."""
    names = ["ref", "flow", "sender", "recipient", "kind", "id", "origin_id", "room", "text", "more", "lang", "client"]
    words = dict(zip(names, HEAD.split(" ")[1:], strict=True)) | changes
    return " ".join(["message", *words.values()])
