"""The facts of a message, read from the stanza itself: what a server would tell the gate (spec.md section 5).

For whoever has a stanza and no server, such as an operator who asks what the policy would say. Knows how to measure a stanza and how
to digest OMEMO headers; refuses to judge. What it is given may be hostile: one stanza, no document type, no instructions, no end of
depth.
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from dataclasses import dataclass, field
from xml.parsers import expat

from apostille_xep.gate.question import _OMEMO, _TYPES, Child, Envelope, Key, Question, Unreadable

LONGEST = 524_288
"""Bytes of the longest stanza that is read: what servers take from one another (Prosody's s2s_stanza_size_limit)."""

_CLIENT = "jabber:client"
_XML = "http://www.w3.org/XML/1998/namespace"
_LEGACY = "eu.siacs.conversations.axolotl"
_OPENPGP = ("urn:xmpp:openpgp:0", "openpgp")
_SEPARATOR = "\x01"  # stands in no XML document
_KNOWN = frozenset(("from", "to", "type", "id", "xml:lang"))
_LONGEST_BLANK = 64
_LONGEST_LANGUAGE = 35
_MOST_CHILDREN = 64
_MOST_KEYS = 1250
_BLANK = " \t\r\n"
_BASE64 = re.compile("[A-Za-z0-9+/]*={0,2}")
_DEVICE = re.compile("[0-9]{1,10}")
_DECLARATION = re.compile(r"\ufeff?\s*(<\?xml\s[^>]*\?>)?")
_LANGUAGE = re.compile("[A-Za-z0-9-]+")
_SHORTEST_KEY = 32
_EXCHANGE_FIELDS = b"\x08\x10\x1a\x22\x2a"
_FLAGS = frozenset(("true", "1", "false", "0"))
_TRUTHS = frozenset(("true", "1"))


@dataclass(slots=True)
class _Element:
    """One element; `nodes` are its texts and elements in their order, two texts never side by side."""

    namespace: str
    name: str
    attributes: dict[str, str]
    nodes: list[str | _Element] = field(default_factory=list)

    def children(self) -> list[_Element]:
        return [node for node in self.nodes if isinstance(node, _Element)]

    def texts(self) -> list[str]:
        return [node for node in self.nodes if isinstance(node, str)]


def read_message(stanza: bytes, sender: str = "", recipient: str = "", *, flow: str = "local", room: str = "") -> Question:
    """The facts of a `<message/>`, in `jabber:client` or in no namespace.

    `sender` and `recipient` are prepared JIDs, and stand for what the stanza says of them; `room` is the bare JID of the room that it
    is said in.

    Raises:
        Unreadable: it is no such stanza, or a server would close the stream upon it, or could not tell its facts.
    """
    message = _parse(stanza)
    if (message.namespace, message.name) != (_CLIENT, "message"):
        raise Unreadable(f"stanza: begins with <{message.name[:40]}/>; should be one <message/>")
    attributes, children = message.attributes, message.children()
    sender, recipient = sender or attributes.get("from", ""), recipient or attributes.get("to", "")
    if not sender or not recipient:
        raise Unreadable("stanza: without from or to")
    told = children[:_MOST_CHILDREN]
    if any(not child.namespace for child in told):
        raise Unreadable("stanza: a child element without a namespace")
    kind = attributes.get("type", "")
    marks = [child.attributes for child in told if (child.namespace, child.name) == ("urn:xmpp:sid:0", "origin-id")]
    return Question(
        ref="1",
        sender=sender,
        recipient=recipient,
        type=kind if kind in _TYPES else "normal",  # RFC 6121 section 5.2.2: an unknown type is "normal"
        flow=flow,
        id=attributes.get("id", ""),
        origin_id=next((one["id"] for one in marks if "id" in one), ""),
        room=room,
        text=_loose_of(message),
        children=tuple(map(_child, told)),
        more=len(children) - len(told),
        lang=_language(message),
    )


# ---- reading ------------------------------------------------------------------------------------------------------------


def _parse(stanza: bytes) -> _Element:
    """The one stanza, read as if it came over a stream: inside an element that is open already, where no document type can be."""
    if len(stanza) > LONGEST:
        raise Unreadable(f"stanza: {len(stanza)} bytes; should be {LONGEST} at most")
    try:
        text = stanza.decode()
    except UnicodeDecodeError:
        raise Unreadable("stanza: is not UTF-8 text") from None
    stream = _Element("", "", {})
    open_ = [stream]
    parser = expat.ParserCreate("utf-8", _SEPARATOR)
    parser.buffer_text = True
    parser.buffer_size = LONGEST  # so that no text comes in two

    def start(name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(_SEPARATOR)
        element = _Element(namespace, local, {_attribute(one): value for one, value in attributes.items()})
        open_[-1].nodes.append(element)
        open_.append(element)

    def said(text: str) -> None:
        open_[-1].nodes.append(text)

    def restricted(*_: object) -> None:
        raise Unreadable("stanza: has a comment or an instruction, which no stream may (RFC 6120 section 11.1)")

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: open_.pop()
    parser.CharacterDataHandler = said
    parser.CommentHandler = parser.ProcessingInstructionHandler = restricted
    try:
        parser.Parse(f"<stream xmlns='{_CLIENT}'>".encode(), False)
        parser.Parse(_DECLARATION.sub("", text, count=1).encode(), False)
        if len(open_) != 2:  # the stream's own element is the second
            raise Unreadable("stanza: does not end, or ends what it did not begin")
        parser.Parse(b"</stream>", True)
    except expat.ExpatError as error:
        raise Unreadable(f"stanza: no XML: {expat.ErrorString(error.code)}") from None
    (outer,) = stream.children()
    if any(one.strip(_BLANK) for one in outer.texts()) or len(outer.children()) != 1:
        raise Unreadable("stanza: should be one <message/> and nothing else")
    return outer.children()[0]


def _attribute(name: str) -> str:
    """The name as a server has it; one of a namespace has that before it."""
    namespace, separator, local = name.rpartition(_SEPARATOR)
    return f"xml:{local}" if namespace == _XML else f"{namespace}{separator}{local}"


# ---- measuring ----------------------------------------------------------------------------------------------------------


def _size(text: str) -> int:
    return len(text.encode())


def _loose(text: str) -> int:
    """Bytes of character data; a little white space between elements is none."""
    size = _size(text)
    return 0 if size <= _LONGEST_BLANK and not text.strip(_BLANK) else size


def _loose_of(message: _Element) -> int:
    attributes = message.attributes
    found = sum(map(_loose, message.texts()))
    found += sum(_size(name) + _size(value) for name, value in attributes.items() if name not in _KNOWN)
    kind, language = attributes.get("type", "normal"), attributes.get("xml:lang", "")
    found += 0 if kind in _TYPES else _size(kind)
    return found + (_size(language) if _size(language) > _LONGEST_LANGUAGE else 0)


def _language(message: _Element) -> str:
    """What the first body that says so is written in, else the message, else what a stream is that says nothing."""
    said = [child.attributes["xml:lang"] for child in message.children() if child.name == "body" and "xml:lang" in child.attributes]
    found = _LANGUAGE.match(said[0] if said else message.attributes.get("xml:lang", "en"))
    return found[0][:_LONGEST_LANGUAGE] if found else ""


def _measure(element: _Element) -> tuple[int, int, int]:
    """Bytes of text, bytes of markup, descendants; a stack of its own, since a stanza may be deeper than Python's."""
    text = markup = elements = 0
    waiting = [element]
    while waiting:
        one = waiting.pop()
        text += sum(map(_loose, one.texts()))
        markup += sum(_size(name) + _size(value) for name, value in one.attributes.items())
        for child in one.children():
            markup += _size(child.name) + (_size(child.namespace) if child.namespace != one.namespace else 0)
            elements += 1
            waiting.append(child)
    return text, markup, elements


def _child(element: _Element) -> Child:
    if element.name == "encrypted" and element.namespace in _OMEMO:
        return Child(element.namespace, "encrypted", 0, 0, 0, "", _envelope(element))
    name, (text, markup, elements) = (element.namespace, element.name), _measure(element)
    digest = hashlib.sha256("".join(element.texts()).encode()).hexdigest() if name == (_CLIENT, "body") else ""
    elements += name == _OPENPGP and not _is_openpgp(element)
    return Child(*name, text, markup, elements, digest, None)


def _is_openpgp(element: _Element) -> bool:
    """Whether it is base64 of an OpenPGP message that begins with a key for somebody: packets of tag 1 (RFC 4880 section 4.2)."""
    first = (_decoded(element) or b"\0")[0]
    return first == 0xC1 or 0x84 <= first <= 0x87


# ---- OMEMO --------------------------------------------------------------------------------------------------------------


def _decoded(element: _Element) -> bytes | None:
    """The bytes of an element in base64 (RFC 4648 section 4, white space aside); None if it is none."""
    text = "" if element.children() else "".join(element.texts())
    text = text.translate(dict.fromkeys(map(ord, _BLANK)))
    return base64.b64decode(text) if len(text) % 4 == 0 and _BASE64.fullmatch(text) else None


def _strange(element: _Element, known: frozenset[str], *, leaf: bool) -> int:
    """Things that an element holds beyond its known attributes and, unless it is a leaf of base64, its children."""
    count = sum(name not in known for name in element.attributes)
    return count + (len(element.children()) if leaf else sum(_loose(text) > 0 for text in element.texts()))


def _length(size: int) -> bytes:
    return struct.pack(">I", size)


def _field(data: bytes | None) -> bytes:
    return b"\xff\xff\xff\xff" if data is None else _length(len(data)) + data


_NONE: frozenset[str] = frozenset()
_SID = frozenset(("sid",))
_JID = frozenset(("jid",))
_OF_KEY = frozenset(("rid", "prekey", "kex"))


class _Header:
    """What was read of one `<encrypted/>` so far: its keys, the digest's input of them, and what was strange."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.keys: list[Key] = []
        self.hashed: list[bytes] = []
        self.count = self.strange = 0
        self.iv: _Element | None = None

    def read(self, header: _Element) -> None:
        for child in header.children():
            own, legacy = child.namespace == self.namespace, self.namespace == _LEGACY
            if own and legacy and child.name == "key":
                self._key("", child)
            elif own and legacy and child.name == "iv" and self.iv is None:
                self.iv = child
                self.strange += _strange(child, _NONE, leaf=True)
            elif own and not legacy and child.name == "keys":
                self._group(child)
            else:
                self.strange += 1

    def _group(self, group: _Element) -> None:
        self.strange += _strange(group, _JID, leaf=False)
        before = self.count
        for key in group.children():
            if (key.namespace, key.name) == (self.namespace, "key"):
                self._key(group.attributes.get("jid", ""), key)
            else:
                self.strange += 1
        self.strange += self.count == before

    def _key(self, jid: str, key: _Element) -> None:
        given, data = key.attributes, _decoded(key)
        rid, mark = given.get("rid", ""), given.get("prekey", given.get("kex"))
        kex = mark in _TRUTHS
        flags = _FLAGS.issuperset((given.get("prekey", "0"), given.get("kex", "0")))
        self.strange += _strange(key, _OF_KEY, leaf=True) + (not _DEVICE.fullmatch(rid)) + (not flags)
        self.strange += data is not None and not _begins_right(data, self.namespace, kex)
        self.hashed += [_field(jid.encode()), _field(rid.encode()), _field(b"1" if kex else b"0"), _field(data)]
        self.count += 1
        if self.count <= _MOST_KEYS:
            self.keys.append(Key(_device(rid), -1 if data is None else len(data), jid, kex))


def _begins_right(data: bytes, namespace: str, kex: bool) -> bool:
    """Whether a key begins as a message of its ratchet (spec.md section 5, rule 6); too short ones are another's to judge."""
    if len(data) < _SHORTEST_KEY:
        return True
    if namespace == _LEGACY:
        return data[0] == 0x33
    return data[0] in _EXCHANGE_FIELDS if kex else data[:2] == b"\x0a\x10"


def _device(text: str) -> int:
    return int(text) if _DEVICE.fullmatch(text) else 0


def _envelope(encrypted: _Element) -> Envelope:
    found = _Header(encrypted.namespace)
    found.strange = _strange(encrypted, _NONE, leaf=False)
    header = payload = None
    for child in encrypted.children():
        if child.namespace == encrypted.namespace and child.name == "header" and header is None:
            header = child
            found.strange += _strange(child, _SID, leaf=False)
        elif child.namespace == encrypted.namespace and child.name == "payload" and payload is None:
            payload = child
            found.strange += _strange(child, _NONE, leaf=True)
        else:
            found.strange += 1
    sid = ""
    if header is not None:
        sid = header.attributes.get("sid", "")
        found.read(header)
    iv, data = (None if one is None else _decoded(one) for one in (found.iv, payload))
    digest = hashlib.sha256(b"apostille/omemo/1")
    for part in (_field(encrypted.namespace.encode()), _field(sid.encode()), _field(iv), _field(data), _length(found.count), *found.hashed):
        digest.update(part)
    return Envelope(_device(sid), _told(found.iv, iv), _told(payload, data), tuple(found.keys), digest.hexdigest(), found.strange)


def _told(element: _Element | None, data: bytes | None) -> int | None:
    if element is None:
        return None
    return -1 if data is None else len(data)
