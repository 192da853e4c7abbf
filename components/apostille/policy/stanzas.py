"""The stanza table: which parts of a message are content, which are not, and which are neither known nor let through.

Knows every element that official clients send beside their text, with how much each may carry (XEP by XEP, the table of
docs/explanation/policy.md); refuses to know who writes to whom. An element that is in no row may hold readable content, and
counts as such.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from apostille.policy.fallbacks import FALLBACKS
from apostille.vocabulary import Change, Child, Envelope, Free, Message, Terms, bare

OMEMO_0_3 = "eu.siacs.conversations.axolotl"
OMEMO_2 = "urn:xmpp:omemo:2"
VERSIONS = {OMEMO_0_3: "0.3", OMEMO_2: "2"}

_ID_LIMIT = 256  # bytes of an id attribute; clients use UUIDs, the rest would be a hiding place
_LANG_LIMIT = len("xml:lang") + 35  # RFC 5646 section 4.4.1: the longest language tag that software must take
_ASIDE_LIMIT = 1024  # bytes that a message may carry beside its encrypted parts, whatever each row allows
_TIMES = 4  # how often one element may stand in a message (XEP-0428: one fallback mark per range); a record names as many
_KEY_BYTES = range(32, 4097)  # a ratchet message: neither empty nor a place for a letter
_GCM_IV_BYTES = (12, 16)  # XEP-0384 0.3 section 4.6; some clients still send 16
_AES_BLOCK = 16
_KEYS_LIMIT = 1200  # devices that one message is encrypted for; a record names them all
_DEVICE_IDS = range(1, 2**31)  # XEP-0384 section 4.1


class Kind(enum.Enum):
    """What a message is, taken as a whole."""

    EMPTY = "empty"  # nothing that a person could have written
    ENCRYPTED = "encrypted"
    READABLE = "readable"  # holds, or may hold, something that the server could read


@dataclass(frozen=True, slots=True)
class Objection:
    """One thing in a message that end-to-end encryption does not cover, by stable code, with the element's name where one is to blame."""

    code: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """What `examine` found. `versions` are the OMEMO versions of the encrypted parts; `objections` the gravest first."""

    kind: Kind
    versions: frozenset[str]
    objections: tuple[Objection, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """How much one element may carry without being content: bytes of text, bytes of attribute values, descendants."""

    text: int = 0
    attributes: int = 0
    elements: int = 0


_MARK = Row(attributes=_ID_LIMIT)
_TABLE: dict[tuple[str, str], Row] = {
    ("jabber:client", "thread"): Row(text=128, attributes=128),
    ("http://jabber.org/protocol/chatstates", "active"): Row(),
    ("http://jabber.org/protocol/chatstates", "composing"): Row(),
    ("http://jabber.org/protocol/chatstates", "paused"): Row(),
    ("http://jabber.org/protocol/chatstates", "inactive"): Row(),
    ("http://jabber.org/protocol/chatstates", "gone"): Row(),
    ("urn:xmpp:receipts", "request"): Row(),
    ("urn:xmpp:receipts", "received"): _MARK,
    ("urn:xmpp:chat-markers:0", "markable"): Row(),
    ("urn:xmpp:chat-markers:0", "received"): _MARK,
    ("urn:xmpp:chat-markers:0", "displayed"): _MARK,
    ("urn:xmpp:chat-markers:0", "acknowledged"): _MARK,
    ("urn:xmpp:hints", "store"): Row(),
    ("urn:xmpp:hints", "no-store"): Row(),
    ("urn:xmpp:hints", "no-permanent-store"): Row(),
    ("urn:xmpp:hints", "no-copy"): Row(),
    ("urn:xmpp:carbons:2", "private"): Row(),
    ("urn:xmpp:sid:0", "origin-id"): _MARK,
    ("urn:xmpp:sid:0", "stanza-id"): Row(attributes=512),
    ("urn:xmpp:occupant-id:0", "occupant-id"): _MARK,
    ("urn:xmpp:delay", "delay"): Row(attributes=512),
    ("http://jabber.org/protocol/nick", "nick"): Row(text=64),
    ("urn:xmpp:eme:0", "encryption"): Row(attributes=96),  # says "encrypted", proves nothing
    ("urn:xmpp:message-correct:0", "replace"): _MARK,
    ("urn:xmpp:message-retract:1", "retract"): _MARK,
    ("urn:xmpp:message-attaching:1", "attach-to"): _MARK,
    ("urn:xmpp:reply:0", "reply"): Row(attributes=512),
    ("urn:xmpp:fallback:0", "fallback"): Row(attributes=160, elements=2),
    ("http://jabber.org/protocol/muc#user", "x"): Row(),  # the mark of a private message from a room
    ("urn:xmpp:attention:0", "attention"): Row(),
}
# Only in a message of type "error", where it answers what passed before: a condition (RFC 6120 section 8.3.2) and no words.
_ERROR = ("jabber:client", "error")
_ERROR_ROW = Row(attributes=256, elements=3)
# A room's subject and the words of an invitation are readable by nature: only a rule that lists the extra lets them pass.
_SUBJECT = ("jabber:client", "subject")
_INVITATIONS = {
    ("jabber:x:conference", "x"): Row(attributes=256),  # XEP-0249
    ("http://jabber.org/protocol/muc#user", "x"): Row(text=100, attributes=320, elements=4),  # XEP-0045 section 7.8.2
}
_BODY = ("jabber:client", "body")
_ORDER = ("plaintext", "plaintext-beside", "encrypted-malformed", "no-keys", "hidden-text", "subject", "unknown-element", "too-much")


_Shape = tuple[object, ...]
_REMEMBERED = 4096  # shapes
_LONGEST_REMEMBERED = 100  # parts and devices of one
_known: dict[_Shape, Content] = {}


def examine(message: Message, extras: frozenset[str] = frozenset()) -> Content:
    """What a message holds, by the stanza table.

    `extras` are what a rule allows beyond it: "subject" (a room's subject in clear), "invitations" (into a room, with few words).
    The messages of a chat have few shapes, so an answer is remembered by everything that it follows from.
    """
    shape = _shape(message, extras)
    found = _known.get(shape)
    if found is None:
        found = _examine(message, extras)
        size = len(message.children) + sum(len(child.envelope.keys) for child in message.children if child.envelope)
        if size <= _LONGEST_REMEMBERED:
            if len(_known) >= _REMEMBERED:
                _known.clear()
            _known[shape] = found
    return found


def _shape(message: Message, extras: frozenset[str]) -> _Shape:
    """Everything of a message that `_examine` looks at."""
    parts: list[object] = []
    for child in message.children:
        envelope = child.envelope
        if envelope is None:
            known = child.sha256 in FALLBACKS if child.sha256 else None
            parts.append((child.namespace, child.name, child.text, child.attributes, child.elements, known))
        else:
            strangers = _for_strangers(message, envelope)
            sender = envelope.sid in _DEVICE_IDS
            lengths = (envelope.iv, envelope.payload, child.text, child.attributes, child.elements)
            parts.append((child.namespace, child.name, sender, strangers, lengths, envelope.strange, envelope.keys))
    ids_fit = _fits(message.id) and _fits(message.origin_id)
    return (extras, message.type, bool(message.room), bool(message.text), bool(message.more), ids_fit, *parts)


def _fits(id_: str) -> bool:
    return len(id_) <= _ID_LIMIT // 4 or len(id_.encode()) <= _ID_LIMIT


def _for_strangers(message: Message, envelope: Envelope) -> bool:
    """Whether a key outside of a room is for somebody who is neither sender nor recipient."""
    sender, recipient = message.sender, message.recipient
    return not message.room and any(key.jid and key.jid != bare(sender) and key.jid != bare(recipient) for key in envelope.keys)


def _examine(message: Message, extras: frozenset[str]) -> Content:
    envelopes: list[tuple[str, Envelope]] = []
    bodies: list[Child] = []
    objections: list[Objection] = []
    subject = invitation = False
    if message.text:
        objections.append(Objection("hidden-text"))
    if message.more:
        objections.append(Objection("too-much", "number of parts"))
    if not (_fits(message.id) and _fits(message.origin_id)):
        objections.append(Objection("too-much", "id"))
    for child in message.children:
        key = (child.namespace, child.name)
        if key == _BODY:
            bodies.append(child)
        elif child.envelope is not None and child.name == "encrypted" and child.namespace in VERSIONS:
            envelopes.append((child.namespace, child.envelope))
            objections += _shape_of(child.namespace, child.envelope)
            if _for_strangers(message, child.envelope):
                objections.append(Objection("encrypted-malformed", f"{{{child.namespace}}}encrypted"))
        elif key == _SUBJECT and "subject" in extras and message.type == "groupchat":
            subject = True
        elif "invitations" in extras and child.attributes and key in _INVITATIONS:
            invitation = True
            objections += _held_to(_INVITATIONS[key], child)
        else:
            objections += _row_of(child, message.type)
    objections += _bodies(bodies, envelopes)
    objections += _together(message.children)
    if subject and bodies:
        objections.append(Objection("subject", "{jabber:client}subject"))  # XEP-0045 8.1: a change of subject has no body
    objections.sort(key=lambda one: _ORDER.index(one.code))
    kind = Kind.ENCRYPTED if envelopes else Kind.EMPTY
    if objections or subject or invitation:
        kind = Kind.READABLE
    return Content(kind, frozenset(VERSIONS[namespace] for namespace, _ in envelopes), tuple(objections))


def free_terms(within: Sequence[str]) -> Terms:
    """What a server between these hosts need not ask about: the rows of the table that hold no text at all.

    Whatever passes by them is `EMPTY` to `examine`.
    """
    rows = [Free(*name, 0, row.attributes, 0) for name, row in _TABLE.items() if not row.text and not row.elements]
    error = Free(*_ERROR, _ERROR_ROW.text, _ERROR_ROW.attributes, _ERROR_ROW.elements, "error")
    return Terms((*rows, error), tuple(within), _ID_LIMIT, _ASIDE_LIMIT, _TIMES)


def _row_of(child: Child, kind: str) -> list[Objection]:
    name = f"{{{child.namespace}}}{child.name}"
    row = _ERROR_ROW if kind == "error" and (child.namespace, child.name) == _ERROR else _TABLE.get((child.namespace, child.name))
    if row is None:
        return [Objection("subject" if (child.namespace, child.name) == _SUBJECT else "unknown-element", name)]
    return _held_to(row, child)


def _held_to(row: Row, child: Child) -> list[Objection]:
    if child.text > row.text or child.attributes > row.attributes or child.elements > row.elements:
        return [Objection("too-much", f"{{{child.namespace}}}{child.name}")]
    return []


def _together(children: Sequence[Child]) -> list[Objection]:
    """Rows limit one element each; many of them would hold a letter."""
    times = Counter((child.namespace, child.name) for child in children)
    found = [Objection("too-much", f"{{{namespace}}}{name}") for (namespace, name), count in times.items() if count > _TIMES]
    # No client sends two encrypted parts of one version, and a record names few: what it does not name could never be traced.
    found += [Objection("encrypted-malformed", f"{{{one}}}encrypted") for one in VERSIONS if times[one, "encrypted"] > 1]
    aside = [child for child in children if child.envelope is None]
    if sum(child.attributes + (0 if (child.namespace, child.name) == _BODY else child.text) for child in aside) > _ASIDE_LIMIT:
        found.append(Objection("too-much", "all parts together"))
    return found


def _bodies(bodies: list[Child], envelopes: list[tuple[str, Envelope]]) -> list[Objection]:
    found: list[Objection] = []
    for body in bodies:
        if body.elements or body.attributes > _LANG_LIMIT:
            found.append(Objection("too-much", "{jabber:client}body"))
        elif body.text and not envelopes:
            found.append(Objection("plaintext"))
        elif body.text and body.sha256 not in FALLBACKS:
            found.append(Objection("plaintext-beside"))
    return found


def _shape_of(namespace: str, envelope: Envelope) -> list[Objection]:
    if not envelope.keys:
        return [Objection("no-keys")]
    sound = (
        not envelope.strange
        and envelope.sid in _DEVICE_IDS
        and len(envelope.keys) <= _KEYS_LIMIT
        and all(key.rid in _DEVICE_IDS and key.length in _KEY_BYTES for key in envelope.keys)
    )
    if namespace == OMEMO_0_3:
        sound = sound and (envelope.payload is None or (envelope.payload >= 1 and envelope.iv in _GCM_IV_BYTES))
        sound = sound and (envelope.iv is None or envelope.iv in _GCM_IV_BYTES)
    else:
        sound = sound and (envelope.payload is None or (envelope.payload >= _AES_BLOCK and envelope.payload % _AES_BLOCK == 0))
        sound = sound and all(key.jid for key in envelope.keys)
    return [] if sound else [Objection("encrypted-malformed", f"{{{namespace}}}encrypted")]


_DEVICES_LIMIT = 100  # that one account may announce; the most that were ever seen are a few dozen
_LABEL_BYTES = 64  # text and signature that OMEMO 2 lets a device carry
_MARKUP_BYTES = 64  # of one device or key: its id, its element's name
_BUNDLE_TEXT = 16_384  # 100 one-time keys in base64 and some
_BUNDLE_ELEMENTS = 260


def sound_publication(change: Change) -> bool:
    """Whether a published device list or bundle (XEP-0384 sections 5.3.1 and 5.3.2) is what it says, and no place for a letter."""
    if change.subject == "list":
        count = len(change.devices)
        fits = change.attributes <= 512 + count * (_MARKUP_BYTES + 3 * _LABEL_BYTES) and change.text == 0 and change.elements <= count + 8
        return count <= _DEVICES_LIMIT and all(one in _DEVICE_IDS for one in change.devices) and fits
    fits = change.text <= _BUNDLE_TEXT and change.elements <= _BUNDLE_ELEMENTS and change.attributes <= _BUNDLE_ELEMENTS * _MARKUP_BYTES
    return bool(change.identity) and len(change.devices) == 1 and change.devices[0] in _DEVICE_IDS and fits
