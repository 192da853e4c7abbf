"""A second judge of messages, written from docs/reference/policy.md alone: may an official say this under the default policy?

It reads the stanza as XML and nothing that Apostille made of it. Refuses to be clever: every sentence of that page is a line here.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from xml.etree import ElementTree as ET

CLIENT = "jabber:client"
LEGACY, MODERN = "eu.siacs.conversations.axolotl", "urn:xmpp:omemo:2"
XML = "http://www.w3.org/XML/1998/namespace"
FALLBACKS = (
    "You received a message encrypted with OMEMO but your client doesn't support OMEMO.",
    "[This message is OMEMO encrypted]",
)
STATES, MARKERS, HINTS = "http://jabber.org/protocol/chatstates", "urn:xmpp:chat-markers:0", "urn:xmpp:hints"
MUC_USER = "http://jabber.org/protocol/muc#user"
RETRACTIONS = ("/me retracted a message",)
RETRACT, MARK = ("urn:xmpp:message-retract:1", "retract"), ("urn:xmpp:fallback:0", "fallback")
# namespace, element -> most bytes of text, of markup, descendants
TABLE: dict[tuple[str, str], tuple[int, int, int]] = {
    (CLIENT, "thread"): (64, 72, 0),
    **{(STATES, name): (0, 0, 0) for name in ("active", "composing", "paused", "inactive", "gone")},
    ("urn:xmpp:receipts", "request"): (0, 0, 0),
    ("urn:xmpp:receipts", "received"): (0, 80, 0),
    (MARKERS, "markable"): (0, 0, 0),
    **{(MARKERS, name): (0, 80, 0) for name in ("received", "acknowledged")},
    (MARKERS, "displayed"): (0, 104, 0),
    **{(HINTS, name): (0, 0, 0) for name in ("store", "no-store", "no-permanent-store", "no-copy")},
    ("urn:xmpp:carbons:2", "private"): (0, 0, 0),
    ("urn:xmpp:sid:0", "origin-id"): (0, 80, 0),
    ("urn:xmpp:sid:0", "stanza-id"): (0, 128, 0),
    ("urn:xmpp:occupant-id:0", "occupant-id"): (0, 80, 0),
    ("urn:xmpp:delay", "delay"): (0, 128, 0),
    ("http://jabber.org/protocol/nick", "nick"): (64, 0, 0),
    ("urn:xmpp:eme:0", "encryption"): (0, 80, 0),
    ("urn:xmpp:message-correct:0", "replace"): (0, 80, 0),
    RETRACT: (0, 80, 0),
    ("urn:xmpp:styling:0", "unstyled"): (0, 0, 0),
    (MUC_USER, "x"): (0, 0, 0),
    ("urn:xmpp:attention:0", "attention"): (0, 0, 0),
}
# Only beside an encrypted part with a payload; a fallback mark also with a retraction.
BESIDE: dict[tuple[str, str], tuple[int, int, int]] = {
    ("urn:xmpp:message-attaching:1", "attach-to"): (0, 80, 0),
    ("urn:xmpp:reply:0", "reply"): (0, 192, 0),
    ("urn:xmpp:reference:0", "reference"): (0, 112, 0),
    MARK: (0, 64, 2),
}
INVITATIONS = {("jabber:x:conference", "x"): (0, 256, 0), (MUC_USER, "x"): (100, 320, 4)}
OFTEN = {("urn:xmpp:sid:0", "stanza-id"): 3, MARK: 2, ("urn:xmpp:reference:0", "reference"): 4}
_BLANK = " \t\r\n"


def split(tag: str) -> tuple[str, str]:
    namespace, _, name = tag.rpartition("}")
    return namespace[1:], name


def _size(text: str | None) -> int:
    return len((text or "").encode())


def _loose(text: str | None) -> int:
    """Bytes that say something; a little white space says nothing."""
    return 0 if _size(text) <= 64 and not (text or "").strip(_BLANK) else _size(text)


def _texts(element: ET.Element) -> list[str | None]:
    return [element.text, *(child.tail for child in element)]


def _attribute(name: str) -> int:
    namespace, local = split(name)
    return len(f"xml:{local}") if namespace == XML else _size(local) + (_size(namespace) + 1 if namespace else 0)


def measure(element: ET.Element) -> tuple[int, int, int]:
    """Bytes of text, bytes of markup, descendants."""
    text = sum(map(_loose, _texts(element)))
    markup = sum(_attribute(name) + _size(value) for name, value in element.attrib.items())
    for child in element:
        (namespace, name), inner = split(child.tag), measure(child)
        markup += inner[1] + _size(name) + (_size(namespace) if namespace != split(element.tag)[0] else 0)
        text += inner[0]
    return text, markup, sum(1 for _ in element.iter()) - 1


def decoded(element: ET.Element) -> int:
    """Bytes after base64; -1 for what is none."""
    text = re.sub(f"[{_BLANK}]", "", "".join(one or "" for one in _texts(element)))
    if len(text) % 4 or not re.fullmatch("[A-Za-z0-9+/]*={0,2}", text):  # Python passes over some padding that has no place there
        return -1
    try:
        return len(base64.b64decode(text.encode(), validate=True))
    except binascii.Error:
        return -1


def device(text: str | None) -> bool:
    return bool(re.fullmatch("[0-9]{1,10}", text or "")) and 1 <= int(text or "") < 2**31


def _bare_of(element: ET.Element, known: set[str], *, leaf: bool) -> bool:
    """Whether an element has these attributes and nothing loose; a leaf has no children, anything else no text."""
    return set(element.attrib) <= known and (not len(element) if leaf else not any(map(_loose, _texts(element))))


def _key(key: ET.Element, namespace: str) -> bool:
    flags = all(key.get(name, "0") in ("true", "1", "false", "0") for name in ("prekey", "kex"))
    sound = key.tag == f"{{{namespace}}}key" and _bare_of(key, {"rid", "prekey", "kex"}, leaf=True)
    if not (sound and flags and device(key.get("rid")) and 32 <= decoded(key) <= 4096):
        return False
    kex = key.get("prekey", key.get("kex")) in ("true", "1")
    begin = base64.b64decode(re.sub(f"[{_BLANK}]", "", "".join(one or "" for one in _texts(key))))[:2]
    return begin[:1] == b"\x33" if namespace == LEGACY else begin[0] in b"\x08\x10\x1a\x22\x2a" if kex else begin == b"\x0a\x10"


def encrypted(element: ET.Element, parties: set[str]) -> bool:
    """Whether an encrypted part is sound; `parties` are those that its keys may be for, everybody if there are none."""
    namespace = split(element.tag)[0]
    names = [split(child.tag) for child in element]
    if sorted(names) not in ([(namespace, "header")], [(namespace, "header"), (namespace, "payload")]):
        return False
    header, payload = element.find(f"{{{namespace}}}header"), element.find(f"{{{namespace}}}payload")
    assert header is not None
    if not (_bare_of(element, set(), leaf=False) and _bare_of(header, {"sid"}, leaf=False) and device(header.get("sid"))):
        return False
    if payload is not None and not _bare_of(payload, set(), leaf=True):
        return False
    size = None if payload is None else decoded(payload)
    if namespace == LEGACY:
        keys = [child for child in header if child.tag != f"{{{LEGACY}}}iv"]
        ivs = [child for child in header if child.tag == f"{{{LEGACY}}}iv"]
        if len(ivs) > 1 or any(not _bare_of(iv, set(), leaf=True) or decoded(iv) not in (12, 16) for iv in ivs):
            return False
        if size is not None and (size < 1 or not ivs):
            return False
    else:
        keys = []
        for group in header:
            owner = group.get("jid", "")
            if group.tag != f"{{{MODERN}}}keys" or not _bare_of(group, {"jid"}, leaf=False) or not len(group) or not owner:
                return False
            if parties and owner not in parties:
                return False
            keys += list(group)
        if size is not None and (size < 16 or size % 16):
            return False
    return 1 <= len(keys) <= 1200 and all(_key(key, namespace) for key in keys)


def may_pass(message: ET.Element, sender: str, recipient: str, *, room: bool) -> bool:
    """Whether this may go from a verified official to another, or to a room; both are bare JIDs."""
    known = {"from", "to", "type", "id", f"{{{XML}}}lang"}
    if set(message.attrib) - known or any(map(_loose, _texts(message))) or len(message) > 64:
        return False
    if message.get("type", "normal") not in ("normal", "chat", "groupchat", "headline", "error"):
        return False
    if _size(message.get(f"{{{XML}}}lang")) > 35 or _size(message.get("id")) > 80:
        return False
    sealed = [child for child in message if child.tag in (f"{{{LEGACY}}}encrypted", f"{{{MODERN}}}encrypted")]
    if any(not encrypted(one, set() if room else {sender, recipient}) for one in sealed):
        return False
    aside = 0
    times = Counter(child.tag for child in message)
    names = {split(child.tag) for child in message}
    text_sealed = any(one.find(f"{{{split(one.tag)[0]}}}payload") is not None for one in sealed)
    retracted = {RETRACT, MARK} <= names
    if any(count > OFTEN.get(split(tag), 1) for tag, count in times.items()):
        return False
    for child in message:
        if child in sealed:
            continue
        (text, markup, elements), name = measure(child), split(child.tag)
        if name == (CLIENT, "body"):
            said = "".join(child.itertext())
            fallback = (bool(sealed) and said in FALLBACKS) or (retracted and said in RETRACTIONS)
            if elements or markup > 20 or (text and not fallback):
                return False
            aside += markup
            continue
        most = TABLE.get(name)
        if name in BESIDE and (text_sealed or (retracted and name == MARK)):
            most = BESIDE[name]
        extra = INVITATIONS.get(name)
        if extra and (most is None or markup) and text <= extra[0] and markup <= extra[1] and elements <= extra[2]:
            continue  # readable by nature, and allowed
        if name == (CLIENT, "error") and message.get("type") == "error":
            most = (0, 192, 3)
        if most is None or text > most[0] or markup > most[1] or elements > most[2]:
            return False
        aside += text + markup
    return aside <= (768 if sealed else 256)
