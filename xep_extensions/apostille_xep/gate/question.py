"""`apostille:gate:0`: the questions of a server, as they travel.

Knows how to read an `<ask/>` (spec.md beside this file); refuses to know what a verdict should be. A question is lines of words
inside one element: the gate answers for every message of a server, and an element for each fact would cost more than the decision
itself. What comes again and again (a mark, the devices of a chat) is read once.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree as ET

from apostille_xep.gate.told import Announced, Member, Told

NAMESPACE = "apostille:gate:0"
ASK = f"{{{NAMESPACE}}}ask"
_FLOWS = frozenset(("local", "remote", "component"))
_TYPES = frozenset(("normal", "chat", "groupchat", "headline", "error"))
_SHA256_HEX = 64
_HEX = frozenset("0123456789abcdef")
_OMEMO = frozenset(("eu.siacs.conversations.axolotl", "urn:xmpp:omemo:2"))
_BODY = "body jabber:client "
_ACTIONS = frozenset(("publish", "retract", "delete", "purge", "configure"))


class Unreadable(ValueError):
    """An `<ask/>` or a part of one that is not what spec.md says."""


class Key(NamedTuple):
    """One `<key/>` of an OMEMO header: `length` bytes (-1: not base64) for device `rid` of `jid` ("" where OMEMO 0.3 says none)."""

    rid: int
    length: int
    jid: str
    kex: bool


class Envelope(NamedTuple):
    """What can be seen of one `<encrypted/>`; `iv` and `payload` are lengths in bytes, None if absent, -1 if not base64."""

    sid: int
    iv: int | None
    payload: int | None
    keys: tuple[Key, ...]
    digest: str
    strange: int


class Child(NamedTuple):
    """One child element of a message, by name and measure."""

    namespace: str
    name: str
    text: int
    attributes: int
    elements: int
    sha256: str
    envelope: Envelope | None


class Question(NamedTuple):
    """The facts of one message. `ref` is the server's own mark, to be given back with the verdict.

    `lang` is the language that it is written in (RFC 5646), `client` the node of its sender's capabilities (XEP-0115).
    `members` can read what is said in `room`; None outside rooms, and where that was not told.
    """

    ref: str
    sender: str
    recipient: str
    type: str
    flow: str
    id: str
    origin_id: str
    room: str
    text: int
    children: tuple[Child, ...]
    more: int = 0
    sender_devices: Announced | None = None
    recipient_devices: Announced | None = None
    lang: str = ""
    client: str = ""
    members: tuple[Member, ...] | None = None


class Change(NamedTuple):
    """What `sender` wants to change about the OMEMO devices of account `owner`.

    `action` is publish, retract, delete, purge or configure; `subject` is `list` or `bundle`. `devices` are those of the list, or the
    bundle's one; `identity` is the bundle's public identity key (hex), empty where there is none.
    """

    ref: str
    flow: str
    sender: str
    owner: str
    action: str
    namespace: str
    subject: str
    devices: tuple[int, ...]
    identity: str
    text: int
    attributes: int
    elements: int


class Archived(NamedTuple):
    """Afterwards: the archive of bare JID `by` gave the message of ledger record `record` this id (XEP-0359)."""

    record: int
    by: str
    id: str


class Garbled(NamedTuple):
    """A message whose facts cannot be read, and why; it is answered all the same, by a refusal, in language `lang`."""

    ref: str
    why: str
    lang: str = ""


_DIGITS = 10  # of a number on the wire; a server says 0 for a device id that is none
_PLACE_DIGITS = 15
_LONGEST_LANG = 35
_LONGEST_CLIENT = 256
_SHORT_LINE = 512  # characters; longer ones are not remembered
_REMEMBERED = 4096


def _count(value: str, what: str, digits: int = _DIGITS) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= digits):
        raise Unreadable(f"{what}: not a number: {_short(value)}")
    return int(value)


def _length(value: str, what: str) -> int:
    return -1 if value == "-1" else _count(value, what)  # -1: it was no base64


def _absent_or_length(value: str, what: str) -> int | None:
    return None if value == "-" else _length(value, what)


def _sha256(value: str, what: str) -> str:
    if len(value) != _SHA256_HEX or not _HEX.issuperset(value):
        raise Unreadable(f"{what}: not a SHA-256 in hex")
    return value


def _short(value: str) -> str:
    return repr(value[:40])


def _plain(word: str) -> str:
    """What a word stands for (spec.md section 5, rule 1)."""
    if "%" not in word:
        return word
    if word == "%":
        return ""
    try:
        return unquote_to_bytes(word).decode()
    except UnicodeDecodeError:
        raise Unreadable(f"a word that is not UTF-8: {_short(word)}") from None


def _key(word: str, jid: str) -> Key:
    parts = word.split(":")
    if len(parts) != 3 or parts[2] not in ("0", "1"):
        raise Unreadable(f"keys: not rid:length:kex: {_short(word)}")
    return Key(_count(parts[0], "rid"), _length(parts[1], "key length"), jid, parts[2] == "1")


def _keys(words: str) -> tuple[Key, ...]:
    jid, keys = "", []
    for word in words.split(" ") if words else ():
        if word[:1] == "@":
            jid = _plain(word[1:])
        else:
            keys.append(_key(word, jid))
    return tuple(keys)


_Header = tuple[int, int | None, int | None, int, tuple[Key, ...]]


def _header(sid: str, iv: str, payload: str, strange: str, keys: str) -> _Header:
    return (
        _count(sid, "sid"),
        _absent_or_length(iv, "iv"),
        _absent_or_length(payload, "payload"),
        _count(strange, "strange"),
        _keys(keys),
    )


_known_header = lru_cache(_REMEMBERED)(_header)


def _encrypted(line: str) -> Child:
    words = line.split(" ", 7)
    if len(words) < 7:
        raise Unreadable("encrypted: too few words")
    namespace, digest = words[1], words[6]
    read = _known_header if len(line) <= _SHORT_LINE else _header  # of a chat, the digest and a length differ from message to message
    sid, iv, payload, strange, keys = read(words[2], words[3], words[4], words[5], words[7] if len(words) > 7 else "")
    return Child(namespace, "encrypted", 0, 0, 0, "", Envelope(sid, iv, payload, keys, _sha256(digest, "omemo digest"), strange))


def _measured(line: str) -> Child:
    words = line.split(" ")
    if len(words) != (6 if line.startswith(_BODY) else 5):
        raise Unreadable(f"child: {len(words)} words: {_short(line)}")
    name, namespace = _plain(words[0]), _plain(words[1])
    if not namespace or not name:
        raise Unreadable("child: without a namespace or a name")
    text, attributes, elements = _count(words[2], "text"), _count(words[3], "attributes"), _count(words[4], "elements")
    return Child(namespace, name, text, attributes, elements, _sha256(words[5], "body") if len(words) > 5 else "", None)


_known_measured = lru_cache(_REMEMBERED)(_measured)


def _child(line: str) -> Child:
    name, _, rest = line.partition(" ")
    if name == "encrypted" and rest.partition(" ")[0] in _OMEMO:
        return _encrypted(line)
    return (_known_measured if len(line) <= _SHORT_LINE else _measured)(line)


def _ids(word: str) -> tuple[int, ...]:
    return () if word == "%" else tuple(_count(one, "device") for one in word.split(","))


def _announced(words: list[str]) -> tuple[str, Announced]:
    if len(words) != 4:
        raise Unreadable(f"devices: {len(words)} words")
    legacy, modern = (None if word == "-" else _ids(word) for word in words[2:])
    return _plain(words[1]), Announced(legacy, modern)


def _membership(words: list[str], told: Told) -> None:
    room = _plain(words[1])
    if not room:
        raise Unreadable("members: without a room")
    if words[1:] == ["-"]:
        told.forget_rooms()
    elif words[2:] == ["-"]:
        told.comprises(room, None)
    else:
        jids = tuple(map(_plain, words[2:]))
        if not all(jids):
            raise Unreadable("members: without a JID")
        told.comprises(room, jids)


def _change(words: list[str]) -> Change | Garbled:
    try:
        if len(words) != 13:
            raise Unreadable(f"change: {len(words)} words")
        _, ref, flow, sender, owner, action, namespace, subject, devices, identity, text, attributes, elements = words
        if flow not in _FLOWS or action not in _ACTIONS or subject not in ("list", "bundle") or namespace not in _OMEMO:
            raise Unreadable(f"change: {_short(f'{flow} {action} {namespace} {subject}')}")
        identity = "" if identity == "%" else identity
        if not _HEX.issuperset(identity) or len(identity) not in (0, 64, 66):
            raise Unreadable("change: no public key")
        return Change(
            ref,
            flow,
            _plain(sender),
            _plain(owner),
            action,
            namespace,
            subject,
            _ids(devices),
            identity,
            _count(text, "text"),
            _count(attributes, "attributes"),
            _count(elements, "elements"),
        )
    except Unreadable as error:
        return Garbled(words[1], str(error))


def _lang(word: str) -> str:
    if word == "%":
        return ""
    if len(word) > _LONGEST_LANG or not (word.isascii() and word.replace("-", "a").isalnum()):
        raise Unreadable(f"message: no language: {_short(word)}")
    return word


def _lang_if_readable(words: list[str]) -> str:
    try:
        return _lang(words[11])
    except (IndexError, Unreadable):
        return ""


def _client(word: str) -> str:
    client = _plain(word)
    if len(client) > _LONGEST_CLIENT:
        raise Unreadable("message: a client with too long a name")
    return client


def _question(words: list[str], lines: list[str], told: Told) -> Question:
    if len(words) != 13:
        raise Unreadable(f"message: {len(words)} words")
    _, ref, flow, sender, recipient, kind, id_, origin_id, room, text, more, lang, client = words
    if "%" in sender or "%" in recipient:
        sender, recipient = _plain(sender), _plain(recipient)
    if not sender or not recipient:
        raise Unreadable("message: without from or to")
    if flow not in _FLOWS:
        raise Unreadable(f"message: flow {_short(flow)}")
    id_ = _plain(id_)
    return Question(
        ref,
        sender,
        recipient,
        kind if kind in _TYPES else "normal",  # RFC 6121 section 5.2.2: an unknown type is "normal"
        flow,
        id_,
        id_ if origin_id == "=" else _plain(origin_id),
        _plain(room),
        0 if text == "0" else _count(text, "text"),
        tuple(map(_child, lines)),
        0 if more == "0" else _count(more, "more"),
        told.devices.get(sender.partition("/")[0]),
        told.devices.get(recipient.partition("/")[0]),
        _lang(lang),
        _client(client),
        None if room == "%" else told.members(_plain(room)),
    )


def _archived(words: list[str]) -> Archived:
    if len(words) != 4:
        raise Unreadable(f"archived: {len(words)} words")
    by, id_ = _plain(words[2]), _plain(words[3])
    if not by or not id_:
        raise Unreadable("archived: without jid or id")
    return Archived(_count(words[1], "record", _PLACE_DIGITS), by, id_)


def _question_or_garbled(words: list[str], lines: list[str], told: Told) -> Question | Garbled:
    try:
        return _question(words, lines, told)
    except Unreadable as error:
        return Garbled(words[1], str(error), _lang_if_readable(words))


def read_ask(ask: ET.Element, told: Told | None = None) -> Iterator[Question | Change | Garbled | Archived]:
    """The contents of one `<ask/>`, in order.

    `told` is what the same stream has said of devices and rooms before; what this question says is added to it.

    Raises:
        Unreadable: a message without a reference, a line of no message, an element: nothing in this question can be answered.
    """
    if len(ask):
        raise Unreadable(f"unexpected {_short(ask[0].tag)}")
    told = Told() if told is None else told
    words: list[str] | None = None
    lines: list[str] = []
    for line in (ask.text or "").split("\n"):
        if line[:1] == " ":
            if words is None:
                raise Unreadable(f"a line of no message: {_short(line)}")
            lines.append(line[1:])
            continue
        if words is not None:
            yield _question_or_garbled(words, lines, told)
            words = None
        if line.startswith("message "):
            words, lines = line.split(" "), []
            if not words[1]:
                raise Unreadable("message: without a reference")
        elif line.startswith("archived "):
            yield _archived(line.split(" "))
        elif line.startswith("devices "):
            told.announces(*_announced(line.split(" ")))
        elif line.startswith("members "):
            _membership(line.split(" "), told)
        elif line.startswith("change "):
            words = line.split(" ")
            if not words[1]:
                raise Unreadable("change: without a reference")
            yield _change(words)
            words = None
        elif line:
            raise Unreadable(f"unexpected {_short(line)}")
    if words is not None:
        yield _question_or_garbled(words, lines, told)
